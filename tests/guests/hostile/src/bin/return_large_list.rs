//! Returns more than a message may have.

lp_guest::node!({ world: "called", node: Hostile });

struct Hostile;

impl Guest for Hostile {
    async fn attack(_: Vec<u8>) -> Vec<u8> {
        vec![7; 32 * 1024 * 1024]
    }
}

fn main() {}
