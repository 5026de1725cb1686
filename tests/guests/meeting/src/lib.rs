//! Passes calls on to the meeting, and makes many such calls at once.

use lp_guest::{CallError, config, join_all, program};
use test::meeting::{meeting, relay_handles};

lp_guest::node!({ world: "node", path: "../../meeting/wit", node: Node });

struct Node;

impl RelayGuest for Node {
    async fn pass(of: u32) -> u32 {
        meeting::meet(of).await
    }

    async fn echo(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

impl RunGuest for Node {
    async fn run() -> Result<(), ()> {
        lp_guest::report(call().await)
    }
}

async fn call() -> Result<(), CallError> {
    let relays = relay_handles::all("relay");
    // Fewer than a hundred where the relay is in a language that works on one call at a time.
    let at_once = config::parse("at-once").ok().flatten().unwrap_or(100);
    let met =
        join_all((0..at_once).map(|_| relays[0].pass(at_once))).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    println!("{} calls met {}", met.len(), met.iter().max().copied().unwrap_or_default());
    let calls = config::parse::<u32>("calls").ok().flatten().unwrap_or_default();
    let payload = vec![b'x'; 1024];
    for _ in 0..calls {
        assert_eq!(relays[0].echo(payload.clone()).await?, payload, "bytes were lost");
    }
    program::stop();
    Ok(())
}
