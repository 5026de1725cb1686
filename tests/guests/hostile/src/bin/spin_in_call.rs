//! Never comes back from a call.

lp_guest::node!({ world: "called", node: Hostile });

struct Hostile;

impl Guest for Hostile {
    async fn attack(_: Vec<u8>) -> Vec<u8> {
        loop {
            std::hint::spin_loop();
        }
    }
}

fn main() {}
