//! Edges are permissions: calls at the sockets of a program's workers, by clients that hold the wrong credential or none.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lp_host::calls::ReplicaIndex;
use lp_host::courier::grpc::{Address, Connection};
use lp_host::courier::{
    CallContext, CallError, CallOptions, Credential, Exchange, Message, Passes, Remote, RemoteLimits, RemoteProcess,
};
use lp_host::launch::{Credentials, LaunchOptions, Launched, ProcessOptions, WorkerFiles, Workers, launch};
use lp_host::lower;
use lp_host::plan::{LaunchType, NodeId, Plan, ReplicaId};
use lp_host::program::Linked;
use lp_host::replica::{LineSink, LineSource, Outputs, Stop};
use lp_host::scheduler::Scheduler;
use lp_host::worker::Caller;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::grpc::address;
use crate::host;
use crate::run::{Program, check};
use crate::runs::Machine;

/// `a` may call `b`, and everyone may call itself; nobody else may call `c`.
const THREE: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'b' }\nrun = false\n\
    [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nrun = false\n\
    [nodes.c]\nASYNC\nhandles = { probe = 'c' }\nrun = false\n";

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);
const C: NodeId = NodeId(2);

/// Nobody looks at what the nodes print.
struct Silent;

impl Outputs for Silent {
    fn sink(&self, _: &str) -> Arc<dyn LineSink> {
        Arc::new(Silent)
    }
}

impl LineSink for Silent {
    fn line(&self, _: LineSource, _: &[u8]) {}
}

/// A program that this test launched, and so knows the credentials of.
struct Launch {
    plan: Arc<Plan>,
    credentials: Arc<Credentials>,
    launched: Launched,
    dir: TempDir,
    _program: Program,
}

impl Launch {
    async fn of(toml: &str, launch_type: LaunchType) -> Self {
        let program = Program::new(toml);
        let linked = Linked::load(&program.path(), &[]).expect("a valid program");
        let (plan, components) = lower(&linked, launch_type);
        let plan = Arc::new(plan);
        let credentials = Arc::new(Credentials::random(&plan, &Scheduler::default()).expect("there is randomness"));
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let processes =
            ProcessOptions { command: (host::BINARY.into(), vec!["worker".into()]), dir: dir.path().to_owned() };
        let setting = LaunchOptions {
            components,
            secrets: lp_host::plan::Secrets::default(),
            cache: None,
            outputs: Arc::new(Silent),
            credentials: credentials.clone(),
            processes: Some(processes),
            remote: None,
            scheduler: Scheduler::default(),
        };
        let (events, _) = mpsc::unbounded_channel();
        let (compiling, _) = tokio::sync::mpsc::unbounded_channel();
        let launched = launch(plan.clone(), setting, Stop::default(), events, compiling).await.expect("it is launched");
        Self { plan, credentials, launched, dir, _program: program }
    }

    fn credential(&self, caller: Caller, callee: NodeId) -> Option<Credential> {
        Some(self.credentials.of(caller, callee).expect("there is such an edge").clone())
    }

    /// Calls `echo` of the replica called `label` at the socket of the worker that runs `node`, as a client that says it
    /// is the only replica of `caller`.
    async fn call_as(
        &self,
        caller: Option<NodeId>,
        shown: Option<Credential>,
        node: NodeId,
        label: &str,
    ) -> Result<Vec<u8>, CallError> {
        let replica = ReplicaId { node, index: 0 };
        let worker = self.plan.workers.iter().position(|worker| worker.replicas.contains(&replica));
        let socket = WorkerFiles::of(self.dir.path()).socket(worker.expect("every replica has a worker"));
        let limits = RemoteLimits { in_flight_max: 1, message_bytes_max: 1 << 20 };
        let connection = Connection::new(Address::Unix(socket), Scheduler::default());
        let process = RemoteProcess::new(connection, limits, Scheduler::default());
        let caller = caller.map(|node| ReplicaIndex(node.0));
        let passes = Arc::new(shown.into_iter().map(|credential| (caller, credential)).collect::<Passes>());
        let methods = Arc::from(["/test.probe.Probe/Echo".parse().expect("it is a path")]);
        let exchange = Exchange::new(0);
        let remote = Remote::new(label.to_owned(), ReplicaIndex(0), exchange, process, passes, methods);
        let context = CallContext { origin: None, caller, kept: None, options: within_a_minute() };
        remote.call(0, Message::from(ECHOED), context).await.map(|response| response.to_vec())
    }

    async fn call(
        &self,
        caller: Option<NodeId>,
        shown: Option<Credential>,
        node: NodeId,
    ) -> Result<Vec<u8>, CallError> {
        let label = self.plan.label(ReplicaId { node, index: 0 });
        self.call_as(caller, shown, node, &label).await
    }
}

/// The parameters and the result of `echo` of one byte: field 1, bytes.
const ECHOED: &[u8] = &[0x0a, 1, 7];

fn within_a_minute() -> CallOptions {
    CallOptions { timeout: Some(Duration::from_secs(60)), ..CallOptions::default() }
}

/// Launches [`THREE`] under every launch type whose workers listen at sockets of this machine. `tests/remote_worker.rs` knocks at
/// those that listen for other hosts.
fn for_each_launch(test: impl AsyncFn(&Launch)) {
    for launch_type in host::LAUNCH_TYPES {
        eprintln!("launch type {launch_type}");
        // On this thread alone, because worker processes end with the thread that started them.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be made");
        runtime.block_on(async {
            let mut launch = Launch::of(THREE, *launch_type).await;
            test(&launch).await;
            launch.launched.workers.end(std::future::ready(())).await;
        });
    }
}

#[test]
fn a_call_with_the_credential_of_its_edge_is_answered() {
    for_each_launch(async |launch| {
        let a_to_b = launch.credential(Caller::Node(A), B);
        assert_eq!(launch.call(Some(A), a_to_b, B).await, Ok(ECHOED.to_vec()));
        let user = launch.credential(Caller::User, B);
        assert_eq!(launch.call(None, user, B).await, Ok(ECHOED.to_vec()));
    });
}

#[test]
fn a_call_without_a_credential_or_with_a_made_up_one_is_denied() {
    for_each_launch(async |launch| {
        for caller in [None, Some(A), Some(B), Some(C)] {
            assert_eq!(launch.call(caller, None, B).await, Err(CallError::Denied), "{caller:?}");
            let made_up = Some(Credential::random(&Scheduler::default()).expect("there is randomness"));
            assert_eq!(launch.call(caller, made_up, B).await, Err(CallError::Denied), "{caller:?}");
        }
    });
}

#[test]
fn the_credential_of_one_edge_opens_no_other() {
    for_each_launch(async |launch| {
        let a_to_b = launch.credential(Caller::Node(A), B);
        assert_eq!(launch.call(Some(A), a_to_b, C).await, Err(CallError::Denied), "replayed at another node");
        let c_to_c = launch.credential(Caller::Node(C), C);
        assert_eq!(launch.call(Some(C), c_to_c, B).await, Err(CallError::Denied), "of another edge");
        let user = launch.credential(Caller::User, B);
        assert_eq!(launch.call(None, user, C).await, Err(CallError::Denied), "of the user, for another node");
    });
}

#[test]
fn a_caller_can_claim_to_be_nobody_but_the_bearer_of_its_credential() {
    for_each_launch(async |launch| {
        for claimed in [None, Some(B), Some(C), Some(NodeId(99))] {
            let a_to_b = launch.credential(Caller::Node(A), B);
            assert_eq!(launch.call(claimed, a_to_b, B).await, Err(CallError::Denied), "{claimed:?}");
        }
        // What clients outside say of themselves counts for nothing, so it does no harm either.
        let user = launch.credential(Caller::User, B);
        assert_eq!(launch.call(Some(A), user, B).await, Ok(ECHOED.to_vec()));
    });
}

#[test]
fn who_may_not_call_a_replica_does_not_learn_whether_it_is_there() {
    for_each_launch(async |launch| {
        let user = launch.credential(Caller::User, B);
        assert_eq!(launch.call_as(None, user, B, "z/0").await, Err(CallError::Denied));
        assert_eq!(launch.call_as(None, None, B, "z/0").await, Err(CallError::Denied));
    });
}

#[test]
fn a_replica_in_the_same_process_needs_an_edge_too() {
    for_each_launch(async |launch| {
        let Workers::Here(worker) = &launch.launched.workers else { return };
        let mailbox = worker.mailbox(ReplicaId { node: B, index: 0 }).expect("it is one of the worker's");
        for (caller, result) in [(A, Ok(ECHOED.to_vec())), (C, Err(CallError::Denied)), (B, Ok(ECHOED.to_vec()))] {
            let caller = Some(ReplicaIndex(caller.0));
            let context = CallContext { origin: None, caller, kept: None, options: within_a_minute() };
            let answer = mailbox.call(0, Message::from(ECHOED), context).await;
            assert_eq!(answer.map(|response| response.to_vec()), result, "{caller:?}");
        }
        assert_eq!(mailbox.served().errors, 1);
    });
}

#[test]
fn a_guest_reaches_no_node_by_a_name_that_it_makes_up() {
    let names = ["c/0", "c", "../c/0", "b/0\\r\\nlp-replica: c/0", "lp-credential", ""];
    let steps: Vec<_> = names.iter().map(|name| format!("\"get:{name}\"")).collect();
    let toml = format!(
        "[nodes.b]\nASYNC\nhandles = {{ probe = 'b' }}\nrun = false\n\
         [nodes.c]\nASYNC\nhandles = {{ probe = 'c' }}\nrun = false\n\
         [nodes.a]\nASYNC\nhandles = {{ probe = 'b' }}\nargs = [\"get:b/0\", {}]\n",
        steps.join(", ")
    );
    let mut lines = vec!["a/0 │ true"];
    lines.extend(names.map(|_| "a/0 │ false"));
    check(&toml, 0, &lines, &[]);
}

#[test]
fn a_guest_that_replays_what_it_finds_of_the_run_reaches_nobody() {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let machine = Machine::new();
        let program = Program::new(&format!(
            "[nodes.a]\nASYNC\nhandles = {{ probe = 'other' }}\nrun = false\nlisten = '127.0.0.1:0'\n\
             [nodes.other]\nASYNC\nhandles = {{ probe = 'other' }}\nrun = false\n\
             [nodes.thief]\ncomponent = '{}'\n[nodes.thief.sandbox]\nnetwork = ['tcp-connect:127.0.0.1:*']\n\
             dirs = [{{ host = '.', guest = '/up' }}, {{ host = '{}', guest = '/run-dir' }}]\n",
            host::guests().join("replay_credential.wasm").display(),
            machine.runtime_dir().display()
        ));
        let mut going = machine.launch(&program, launch_type);
        std::fs::write(program.dir.path().join("address"), address(&mut going)).expect("it can be written");
        going.expect_line("thief/0 │ nobody was deceived");
        assert!(going.child.wait().expect("the child can be waited for").success());
    }
}

#[test]
fn credentials_are_in_no_file_and_on_no_command_line_and_in_no_environment() {
    for_each_launch(async |launch| {
        let secrets: Vec<String> = [(A, B), (B, B), (C, C)]
            .iter()
            .map(|&(caller, callee)| {
                let credential = launch.credential(Caller::Node(caller), callee);
                serde_json::to_value(credential).expect("it is JSON").as_str().expect("it is text").to_owned()
            })
            .collect();
        let leaks = |path: &Path| {
            let text = std::fs::read(path).unwrap_or_default();
            secrets.iter().any(|secret| text.windows(secret.len()).any(|part| part == secret.as_bytes()))
        };
        for entry in std::fs::read_dir(launch.dir.path()).expect("it can be listed") {
            let path = entry.expect("the entry can be read").path();
            assert!(!path.is_file() || !leaks(&path), "{}", path.display());
        }
        let pids: Vec<_> =
            launch.plan.replicas().filter_map(|replica| launch.launched.workers.place(replica)).collect();
        for pid in pids {
            for file in ["cmdline", "environ"] {
                let path = Path::new("/proc").join(pid.process.to_string()).join(file);
                assert!(!leaks(&path), "{}", path.display());
            }
        }
    });
}
