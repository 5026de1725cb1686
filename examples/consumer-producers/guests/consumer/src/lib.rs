//! The consumer: calls every producer at once, ten times over, and stops the program.

use std::sync::atomic::{AtomicU64, Ordering};

use lp_guest::{CallError, join_all, program};

use example::producing::producer_handles;

lp_guest::node!({ world: "consumer-node", path: "../../wit", node: Consumer });

static NEXT: AtomicU64 = AtomicU64::new(0);

struct Consumer;

impl ConsumerGuest for Consumer {
    async fn step() -> Result<Vec<u64>, CallError> {
        let context = NEXT.fetch_add(1, Ordering::Relaxed);
        let producers = producer_handles::all("producers");
        let calls = producers.iter().map(|producer| producer.produce(context));
        join_all(calls).await.into_iter().collect()
    }
}

impl RunGuest for Consumer {
    async fn run() -> Result<(), ()> {
        lp_guest::report(consume().await)
    }
}

async fn consume() -> Result<(), CallError> {
    for step in 0..10 {
        println!("step {step}: {:?}", Consumer::step().await?);
    }
    program::stop();
    Ok(())
}
