//! A producer: makes a value of its own for each step.

lp_guest::node!({ world: "producer-node", path: "../../wit", node: Producer });

struct Producer;

impl Guest for Producer {
    async fn produce(context: u64) -> u64 {
        10 * context + u64::from(lp_guest::program::replica_index())
    }
}
