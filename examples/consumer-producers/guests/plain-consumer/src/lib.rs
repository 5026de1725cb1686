//! The consumer without the SDK: everything that its world names is in WIT files, the handles too.

use exports::wasi::cli::run::Guest;
use futures::future::join_all;

use example::producing::producer_handles;
use lp::courier::types::CallError;
use lp::node::program;

wit_bindgen::generate!({
    world: "example:producing/plain-consumer-node",
    path: [
        "../../../../wit/courier",
        "../../../../wit/node",
        "../../../../wit/wasi/cli-0.3.wit",
        "wit",
    ],
    generate_all,
});

struct Consumer;

impl Guest for Consumer {
    async fn run() -> Result<(), ()> {
        consume().await.map_err(|error| eprintln!("error: {error}"))
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

export!(Consumer);
