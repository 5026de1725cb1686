//! A counter: keeps a sum.

use std::sync::atomic::{AtomicU64, Ordering};

lp_guest::node!({ world: "counter-node", path: "../../wit", node: Counter });

static SUM: AtomicU64 = AtomicU64::new(0);

struct Counter;

impl Guest for Counter {
    async fn add(n: u64) -> u64 {
        SUM.fetch_add(n, Ordering::Relaxed) + n
    }
}
