//! Calls another node in each call, which does the same.

use test::hostile::victim_handles;

lp_guest::node!({ world: "relaying", node: Hostile });

struct Hostile;

impl Guest for Hostile {
    async fn attack(data: Vec<u8>) -> Vec<u8> {
        let victim = victim_handles::get("victim").expect("it has such a handle");
        victim.attack(data.clone()).await.unwrap_or(data)
    }
}

fn main() {}
