//! The consumer: calls every producer at once, ten times over, and stops the program.

use lp_guest::{CallError, join_all, program};

use example::producing::producer_handles;

lp_guest::node!({ world: "consumer-node", path: "../../wit", node: Consumer });

struct Consumer;

impl Guest for Consumer {
    async fn run() -> Result<(), ()> {
        lp_guest::report(consume().await)
    }
}

async fn consume() -> Result<(), CallError> {
    let producers = producer_handles::all("producers");
    for context in 0..10 {
        let calls = producers.iter().map(|producer| producer.produce(context));
        let results: Result<Vec<u64>, CallError> = join_all(calls).await.into_iter().collect();
        println!("step {context}: {:?}", results?);
    }
    program::stop();
    Ok(())
}
