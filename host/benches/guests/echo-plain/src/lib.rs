//! The echo node without `async`: gives back what it was given, one call at a time.

use bench::calls::types::Reading;

lp_guest::node!({ world: "plain-echo-node", path: "../../wit", node: Echo });

struct Echo;

impl Guest for Echo {
    fn empty() {}

    fn bytes(value: Vec<u8>) -> Vec<u8> {
        value
    }

    fn floats(value: Vec<f32>) -> Vec<f32> {
        value
    }

    fn mixed(value: Reading) -> Reading {
        value
    }
}
