//! Sleeps for a day in a call.

lp_guest::node!({ world: "called", node: Hostile });

struct Hostile;

impl Guest for Hostile {
    async fn attack(data: Vec<u8>) -> Vec<u8> {
        wasi::clocks::monotonic_clock::wait_for(24 * 60 * 60 * 1_000_000_000).await;
        data
    }
}

fn main() {}
