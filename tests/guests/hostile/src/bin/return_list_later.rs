//! No attack: gives a list of a mebibyte, a while after it was asked.

lp_guest::node!({ world: "called", node: Honest });

struct Honest;

impl Guest for Honest {
    async fn attack(_: Vec<u8>) -> Vec<u8> {
        wasi::clocks::monotonic_clock::wait_for(50_000_000).await;
        vec![7; 1024 * 1024]
    }
}

fn main() {}
