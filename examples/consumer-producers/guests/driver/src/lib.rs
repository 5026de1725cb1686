//! A driver: tests a consumer from outside.

use lp_guest::CallError;

use example::producing::consumer;

lp_guest::node!({ world: "driver-node", path: "../../wit", node: Driver });

struct Driver;

#[lp_guest::tests]
impl Driver {
    async fn steps_ten_times() -> Result<(), CallError> {
        for step in 0..10 {
            assert_eq!(consumer::step().await?, [10 * step, 10 * step + 1]);
        }
        Ok(())
    }

    // Each test has a program of its own.
    async fn starts_with_step_0() -> Result<(), CallError> {
        assert_eq!(consumer::step().await?, [0, 1]);
        Ok(())
    }
}
