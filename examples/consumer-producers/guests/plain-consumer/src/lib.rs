//! The consumer without the SDK: everything that its world names is in WIT files, the handles too.

use std::sync::atomic::{AtomicU64, Ordering};

use exports::example::producing::consumer::Guest as ConsumerGuest;
use exports::wasi::cli::run::Guest as RunGuest;
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
        consume().await.map_err(|error| eprintln!("error: {error}"))
    }
}

async fn consume() -> Result<(), CallError> {
    for step in 0..10 {
        println!("step {step}: {:?}", Consumer::step().await?);
    }
    program::stop();
    Ok(())
}

export!(Consumer);
