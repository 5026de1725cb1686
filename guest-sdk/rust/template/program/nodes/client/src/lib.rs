//! The client: has every counter count at once, and stops the program.

use app::nodes::counter_handles;
use lp_guest::{CallError, join_all, program};

lp_guest::node!({ world: "client-node", path: "../../wit", node: Client });

struct Client;

impl Guest for Client {
    async fn run() -> Result<(), ()> {
        lp_guest::report(count().await)
    }
}

async fn count() -> Result<(), CallError> {
    let counters = counter_handles::all("counters");
    for n in 1..=3 {
        let sums: Result<Vec<u64>, CallError> =
            join_all(counters.iter().map(|counter| counter.add(n)))
                .await
                .into_iter()
                .collect();
        println!("after adding {n}: {:?}", sums?);
    }
    program::stop();
    Ok(())
}
