//! An agent at the other end of a stream in memory: what it refuses, and that a lease ends with its launcher.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use lp_base::plan::{LaunchType, NodeId, Plan, ReplicaId, WorkerPlan};
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_base::words::{Digest, Hardening};
use lp_remote::body;
use lp_remote::client::{Agent as Client, AgentError, Tasks};
use lp_remote::protocol::{LeaseRequest, PROTOCOL, PROTOCOL_FIELD};
use lp_run::observe::Registry;
use lp_runtime::CompileCache;

use super::*;

/// What happened, one after the other.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<Note>>>);

impl Observer for Noted {
    fn note(&self, note: Note) {
        self.0.lock().unwrap().push(note);
    }
}

/// An agent that never has to start anything, and what it notes.
fn agent(dir: &std::path::Path) -> (Arc<Agent>, Noted) {
    let (scheduler, noted) = (Scheduler::default(), Noted::default());
    let options = AgentOptions {
        command: ("/nowhere/lp-host".into(), Vec::new()),
        leases: Registry::open(None, dir).unwrap(),
        components: dir.join("components"),
        cache: CompileCache::open(&dir.join("cache"), &scheduler).unwrap(),
        ceilings: Ceilings::default(),
        bind: [127, 0, 0, 1].into(),
        ports: None,
        advertise: None,
        secrets: Box::new(|_, _| Ok(lp_base::plan::Secrets::default())),
        observer: Box::new(noted.clone()),
        scheduler,
    };
    (Agent::new(options, Stop::default()).unwrap(), noted)
}

fn plan() -> Plan {
    Plan {
        program: "test".to_owned(),
        launch_type: LaunchType::Remote,
        nodes: Vec::new(),
        workers: Vec::new(),
        colocations: Vec::new(),
        grace_ms: 1,
        message_bytes_max: 1,
        hardening: Hardening::Auto,
        watched: false,
    }
}

fn serving(agent: &Arc<Agent>) -> tokio::io::DuplexStream {
    let (near, far) = tokio::io::duplex(1 << 16);
    let agent = agent.clone();
    tokio::spawn(async move { serve_streams(&agent, far, "ada".to_owned(), "127.0.0.1".to_owned()).await });
    near
}

#[tokio::test]
async fn another_version_is_refused_with_both_named() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _) = agent(dir.path());
    let stream = TokioIo::new(serving(&agent));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(Tasks(Scheduler::default()), stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://agent/lease").header(PROTOCOL_FIELD, "0/old").body(body::full("{}")).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    let reason = body::text(response.into_body(), 1000).await.unwrap();
    assert!(reason.contains("`0/old`") && reason.contains(&format!("`{PROTOCOL}`")), "{reason}");
}

#[tokio::test]
async fn nothing_is_done_without_a_lease_and_a_component_is_the_one_that_was_announced() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, noted) = agent(dir.path());
    let client = Client::over(serving(&agent), &Scheduler::default()).await.unwrap();
    let digest = Digest::of(b"x");
    let refused = |result: Result<(), AgentError>, expected: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(client.put(digest, b"x".as_slice().into()).await, "there is no lease");
    let request = LeaseRequest { run: "test-2222".to_owned(), plan: plan(), workers: Vec::new(), lease_ms: 3000 };
    let lease = client.lease(&request).await.unwrap();
    refused(client.put(digest, b"y".as_slice().into()).await, "its digest is another one");
    client.put(digest, b"x".as_slice().into()).await.unwrap();
    refused(client.start(0).await.map(drop), "there is no such worker");
    let worker = |node| WorkerPlan {
        name: "w".to_owned(),
        replicas: vec![ReplicaId { node: NodeId(node), index: 0 }],
        colocation: None,
    };
    let broken = LeaseRequest { plan: Plan { workers: vec![worker(9)], ..plan() }, ..request.clone() };
    refused(client.lease(&broken).await.map(drop), "there is no such lease");
    refused(client.lease(&LeaseRequest { workers: vec![7], ..request }).await.map(drop), "there is no such lease");
    drop((lease, client));
    let ended = async {
        while !noted.0.lock().unwrap().iter().any(|note| matches!(note, Note::Ended { .. })) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended)
        .await
        .expect("it ends with its launcher, long before its time");
    let leases = std::fs::read_dir(dir.path())
        .unwrap()
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("lp-host-"));
    assert_eq!(std::fs::read_dir(leases.expect("leases have a folder").path()).unwrap().count(), 0, "nothing is left");
}
