//! Worker processes that are on different hosts, as far as they can tell: they call each other over TLS, and end with the
//! lease of their host.

mod workers;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lp_host::courier::{CallContext, CallError, CallOptions, Message, Remote};
use lp_host::plan::{NodeId, ReplicaId};
use lp_host::worker::Order;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;
use workers::{Process, Workers};

use crate::host;
use crate::run::Program;

/// `a` relays to `b`, which relays to itself.
const TWO: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'b' }\nrun = false\n\
    [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nrun = false\n";

const A: ReplicaId = ReplicaId { node: NodeId(0), index: 0 };
const B: ReplicaId = ReplicaId { node: NodeId(1), index: 0 };

const ECHO: &str = "/test.probe.Probe/Echo";
const SLEEP: &str = "/test.probe.Probe/Sleep";
const RELAY: &str = "/test.probe.Probe/Relay";

/// The parameters and the result of `echo` of one byte: field 1, bytes.
const ECHOED: &[u8] = &[0x0a, 1, 7];

fn start() -> (Workers, Program) {
    let program = Program::new(TWO);
    (Workers::start(Path::new(host::BINARY), &program.path()), program)
}

/// The parameters of a function with one number.
fn number(number: u8) -> Vec<u8> {
    vec![0x08, number]
}

async fn call(workers: &Workers, replica: ReplicaId, path: &'static str, request: &[u8]) -> Result<Vec<u8>, CallError> {
    call_of(&workers.remote(replica, path), request).await
}

async fn call_of(remote: &Remote, request: &[u8]) -> Result<Vec<u8>, CallError> {
    let options = CallOptions { timeout: Some(Duration::from_secs(60)), ..CallOptions::default() };
    let context = CallContext { origin: None, caller: None, kept: None, options };
    remote.call(0, Message::from(request), context).await.map(|response| response.to_vec())
}

/// A call in a task of its own.
fn start_call(remote: &Arc<Remote>, request: &'static [u8]) -> JoinHandle<Result<Vec<u8>, CallError>> {
    let remote = remote.clone();
    tokio::spawn(async move { call_of(&remote, request).await })
}

fn signal(process: &Process, signal: Signal) {
    let id = i32::try_from(process.child.id()).expect("an id of a process fits");
    kill_process(Pid::from_raw(id).expect("it is an id"), signal).expect("it is ours");
}

#[tokio::test]
async fn hardened_workers_call_each_other_over_tls() {
    let (mut workers, _program) = start();
    assert_eq!(call(&workers, B, ECHO, ECHOED).await, Ok(ECHOED.to_vec()));
    assert_eq!(call(&workers, A, RELAY, &number(3)).await, Ok(number(3)), "by `a`, `b`, and twice `b` itself");
    for process in &mut workers.processes {
        let loaded = process.report("loaded");
        assert_eq!(loaded["hardened"]["missing"], serde_json::json!([]), "{loaded}");
    }
}

#[tokio::test]
async fn a_worker_that_was_stopped_answers_nothing_once_its_lease_has_ended() {
    let (mut workers, _program) = start();
    assert_eq!(call(&workers, A, RELAY, &number(2)).await, Ok(number(2)));
    let (sleep, echo) = (workers.remote(B, SLEEP), workers.remote(B, ECHO));
    assert_eq!(call_of(&echo, ECHOED).await, Ok(ECHOED.to_vec()));
    // Its connection is there from here on.
    assert!(call_of(&sleep, &[0x08, 0x01]).await.is_ok());
    // Ten seconds.
    let under_way = start_call(&sleep, &[0x08, 0x90, 0x4e]);
    tokio::task::yield_now().await;
    assert_eq!(call_of(&echo, ECHOED).await, Ok(ECHOED.to_vec()));
    signal(&workers.processes[1], Signal::STOP);
    // They wait in the kernel: on a connection that there is, and on a new one.
    let meanwhile = [start_call(&echo, ECHOED), start_call(&workers.remote(B, ECHO), ECHOED)];
    tokio::task::yield_now().await;
    let worker = &mut workers.processes[1];
    worker.hold(Duration::ZERO);
    signal(worker, Signal::CONT);
    assert_eq!(worker.end(), "error: the lease of this host has ended\n");
    let lost = || Err(CallError::Failed("`b/0` was lost while it worked on the call".to_owned()));
    assert_eq!(under_way.await.expect("it does not panic"), lost());
    for call in meanwhile {
        // One that did not get there may still be on its way.
        call.abort();
        let result = call.await.unwrap_or_else(|_| lost());
        assert_eq!(result, lost());
    }
}

#[tokio::test]
async fn a_worker_ends_with_its_lease_and_not_before() {
    let (mut workers, _program) = start();
    assert_eq!(call(&workers, A, RELAY, &number(1)).await, Ok(number(1)));
    let worker = &workers.processes[1];
    worker.hold(Duration::from_millis(500));
    worker.hold(Duration::from_secs(60));
    // A second.
    assert_eq!(call(&workers, B, SLEEP, &[0x08, 0xe8, 0x07]).await, Ok(Vec::new()), "the lease was prolonged");
    workers.processes[1].hold(Duration::from_millis(100));
    assert_eq!(workers.processes[1].end(), "error: the lease of this host has ended\n");
}

#[tokio::test]
async fn a_worker_that_cannot_reach_another_one_reports_it_once_until_it_can() {
    let (mut workers, _program) = start();
    assert_eq!(call(&workers, A, RELAY, &number(1)).await, Ok(number(1)));
    let place = workers.processes[1].address.to_string();
    // Nobody listens there.
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let nowhere = nowhere.expect("there are ports").to_string();
    workers.processes[0].order(&Order::Located { worker: 1, address: Some(nowhere) });
    let waiting = start_call(&workers.remote(A, RELAY), &[0x08, 1]);
    let mut first = workers.processes.remove(0);
    let (mut first, report) = tokio::task::spawn_blocking(move || {
        let report = first.report("unreachable");
        (first, report)
    })
    .await
    .expect("it is reported");
    assert_eq!(report, serde_json::json!({ "type": "unreachable", "worker": 1, "why": report["why"] }));
    assert!(report["why"].as_str().is_some_and(|why| why.contains("refused")), "{report}");
    first.order(&Order::Located { worker: 1, address: Some(place) });
    assert_eq!(waiting.await.expect("it does not panic"), Ok(number(1)));
}
