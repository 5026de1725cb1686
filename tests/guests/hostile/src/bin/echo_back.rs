//! No attack: gives back what it is sent, for guests that attack on their way to others.

lp_guest::node!({ world: "called", node: Honest });

struct Honest;

impl Guest for Honest {
    async fn attack(data: Vec<u8>) -> Vec<u8> {
        data
    }
}

fn main() {}
