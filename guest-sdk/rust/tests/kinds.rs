//! That the code of `node!` compiles for every kind of type, and what a node may write with it. Nothing is called here,
//! since the functions that a node imports exist only under a host.

use std::error::Error;

use exports::test::kinds::kinds as own;
use lp_guest::{CallError, config, join_all};
use test::kinds::kinds::{self, Level, Marks, Outcome, Step};
use test::kinds::kinds_handles;

lp_guest::node!({ path: "tests/wit", node: Node, additional_derives: [Clone, PartialEq] });

struct Node;

impl KindsGuest for Node {
    async fn put(outcome: own::Outcome, _: Vec<own::Step>) -> Result<own::Outcome, CallError> {
        if outcome == own::Outcome::None {
            return Err(CallError::Overloaded);
        }
        Ok(outcome)
    }

    fn peek() -> Result<Vec<own::Level>, own::Outcome> {
        Err(own::Outcome::Lost(CallError::Unavailable))
    }
}

impl RunGuest for Node {
    async fn run() -> Result<(), ()> {
        lp_guest::report(call().await)
    }
}

async fn call() -> Result<(), Box<dyn Error>> {
    let step = Step {
        marks: Marks::A | Marks::B,
        level: Level::High,
        pair: (1, "one".to_owned()),
        nested: Some(None),
        observations: vec![vec![0.5]],
        letter: 'x',
    };
    let steps = vec![step; config::parse("steps")?.unwrap_or(1)];
    kinds::put(Outcome::None, steps.clone()).await?;
    for kept in join_all(kinds_handles::all("").iter().map(|node| node.put(Outcome::None, steps.clone()))).await {
        assert!(kept? == Outcome::None);
    }
    let one = kinds_handles::get("node/0").ok_or("there is no such node")?;
    let levels: Result<Vec<Level>, Outcome> = one.peek().await?;
    wasi::logging::logging::log(wasi::logging::logging::Level::Info, "", &format!("{levels:?}"));
    lp::node::program::wait_for_stop().await;
    Ok(())
}

#[test]
fn a_call_error_says_what_happened() {
    assert_eq!(CallError::Failed("out of bounds".to_owned()).to_string(), "the called node failed: out of bounds");
}

#[test]
fn report_keeps_success_and_failure() {
    assert_eq!(lp_guest::report::<CallError>(Ok(())), Ok(()));
    assert_eq!(lp_guest::report(Err(CallError::Denied)), Err(()));
}
