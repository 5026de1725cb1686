//! Tests of programs that are written in Rust.

use lp_host::program::{Answer, Grant};
use lp_host::testing::{CallFailure, ProgramTest, TestFailure};

use crate::host;

/// The example consumer-producers, built.
fn consumer_producers() -> ProgramTest {
    host::build(&["producer", "consumer", "plain-consumer"]);
    ProgramTest::load(host::root().join("examples/consumer-producers/program.toml")).expect("the program is right")
}

#[test]
fn the_consumer_steps_when_it_is_asked_to() {
    let test = consumer_producers().seed(7).without_run("consumer");
    let ran = test.run(async |program| {
        for step in 0..10 {
            let expected = format!("ok([{}, {}])", 10 * step, 10 * step + 1);
            assert_eq!(program.call("consumer.step()").await, Ok(expected));
        }
        program.call_json("producer/1.produce(7)").await
    });
    let ran = ran.expect("it passes");
    assert_eq!(ran.value, Ok(71.into()));
    let calls: Vec<_> = ran.calls_of("producer").collect();
    assert!(calls.iter().all(|call| call.method == "produce" && call.error.is_none()), "{calls:?}");
    let of = |caller: &str| calls.iter().filter(|call| call.caller == caller).count();
    assert_eq!((of("consumer/0"), of("test")), (20, 1));
    assert_eq!(ran.calls_of("consumer").count(), 10);
}

#[test]
fn nodes_are_replaced_by_doubles_and_other_components() {
    let plain = host::build(&["plain-consumer"]).join("plain_consumer.wasm");
    let answers = [Answer::new("produce(0) -> 7").times(1), Answer::new("produce(_) fails unavailable")];
    let test =
        consumer_producers().component("consumer", plain).double("producer", answers).grant(Grant::Listen).fails();
    let ran = test.run(async |program| program.sleep(std::time::Duration::from_secs(1)).await).expect_err("it ended");
    assert!(ran.to_string().starts_with("the program ended before its test did"), "{ran}");
    let test = consumer_producers().without_run("consumer").double("producer", ["produce(0) -> 7"]);
    let ran = test.run(async |program| program.call("consumer.step()").await).expect("it passes");
    assert_eq!(ran.value.as_deref(), Ok("ok([7, 7])"));
    assert_eq!(ran.lines("producer/1"), ["produce(0) by `produce(0) -> 7`"]);
    assert!(ran.lines("consumer/0").is_empty());
}

#[test]
fn what_goes_wrong_is_told_with_the_last_lines() {
    let step = async |program: &lp_host::testing::Tested<'_>| program.call("consumer.step()").await;
    let test = consumer_producers().without_run("consumer").double("producer", ["produce(7) -> 7"]);
    let failure = test.run(step).expect_err("nobody expected that call");
    assert!(matches!(failure, TestFailure::Failed(_)));
    let text = format!("{failure:?}");
    assert!(text.contains("failed: no answer is left for the call `produce(0)`"), "{text}");
    let never = async |_: &lp_host::testing::Tested<'_>| std::future::pending::<()>().await;
    let failure = consumer_producers().without_run("consumer").run(never).expect_err("it never ends");
    assert!(failure.to_string().contains("it took longer than its timeout of 30s"), "{failure}");
    let wrong = async |program: &lp_host::testing::Tested<'_>| program.call("consumer.stop()").await;
    let ran = consumer_producers().without_run("consumer").run(wrong).expect("the program did nothing wrong");
    let Err(CallFailure::Wrong(text)) = ran.value else { panic!("there is no such method") };
    assert!(text.contains("the node has no method `stop`; there are consumer.step()"), "{text}");
}

#[test]
#[should_panic(expected = "no node is named `consummer`")]
fn a_node_that_is_not_there_is_named() {
    drop(consumer_producers().without_run("consummer"));
}
