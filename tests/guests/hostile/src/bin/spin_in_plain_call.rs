//! Never comes back from a call without `async`.

lp_guest::node!({ world: "plainly-called", node: Hostile });

struct Hostile;

impl Guest for Hostile {
    fn attack(_: Vec<u8>) -> Vec<u8> {
        loop {
            std::hint::spin_loop();
        }
    }
}

fn main() {}
