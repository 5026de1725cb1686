//! A program of a caller and echo nodes that runs in this process, as `lp-host run` would run it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lp_host::courier::{CallContext, CallOptions, Mailbox, Message, Urgency};
use lp_host::node::{Change, NodeEvent};
use lp_host::plan::{LaunchType, NodeId, Plan, ReplicaId, Secrets};
use lp_host::program::{Node, Program};
use lp_host::replica::{LineSink, LineSource, Outputs, Stop};
use lp_host::runtime::CompileCache;
use lp_host::scheduler::Scheduler;
use lp_host::worker::{Endpoints, Worker, WorkerOptions};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;

use super::guests::Guests;
use super::{Case, requests};

/// Whether the nodes use `async`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    Async,
    Plain,
}

impl Flavour {
    /// The package of the echo node.
    pub fn echo(self) -> &'static str {
        match self {
            Self::Async => "bench-echo",
            Self::Plain => "bench-echo-plain",
        }
    }

    fn caller(self) -> &'static str {
        match self {
            Self::Async => "bench-caller",
            Self::Plain => "bench-caller-plain",
        }
    }

    /// Guests of either flavour call as the host calls them here.
    fn context(self) -> CallContext {
        let urgency = match self {
            Self::Async => Urgency::Concurrent,
            Self::Plain => Urgency::Blocked,
        };
        CallContext {
            origin: None,
            caller: None,
            kept: None,
            options: CallOptions { urgency, ..CallOptions::default() },
        }
    }
}

/// A running program.
pub struct Nodes {
    worker: Worker,
    plan: Plan,
    flavour: Flavour,
    events: UnboundedReceiver<NodeEvent>,
    runtime: Runtime,
}

impl Nodes {
    /// Starts a caller and `echoes` replicas of the echo node, which the caller has a handle of.
    pub fn start(guests: &Guests, flavour: Flavour, echoes: u32) -> Self {
        let mut program = Program::new("bench");
        let echo = program.add_node(Node::component("echo", guests.path(flavour.echo())).replicas(echoes));
        program.add_node(Node::component("caller", guests.path(flavour.caller())).handle("echo", &echo));
        Self::start_program(program, flavour)
    }

    /// Starts a caller and an echo node, each with what `settings` add to it.
    pub fn start_with(guests: &Guests, flavour: Flavour, settings: impl Fn(Node) -> Node) -> Self {
        let mut program = Program::new("bench");
        let echo = program.add_node(settings(Node::component("echo", guests.path(flavour.echo()))));
        program.add_node(settings(Node::component("caller", guests.path(flavour.caller())).handle("echo", &echo)));
        Self::start_program(program, flavour)
    }

    /// Starts the computing node alone, with what `settings` add to it.
    pub fn start_compute(component: &Path, settings: impl Fn(Node) -> Node) -> Self {
        let mut program = Program::new("bench");
        program.add_node(settings(Node::component("compute", component)));
        Self::start_program(program, Flavour::Plain)
    }

    /// The time that the computing node takes for so many blocks.
    pub fn compute(&self, blocks: u32) -> Duration {
        self.time("compute", "compute", requests::numbers(&[blocks]), 1)
    }

    /// Starts `replicas` replicas of the echo node and nothing else.
    pub fn start_idle(guests: &Guests, flavour: Flavour, replicas: u32) -> Self {
        let mut program = Program::new("bench");
        program.add_node(Node::component("echo", guests.path(flavour.echo())).replicas(replicas));
        Self::start_program(program, flavour)
    }

    fn start_program(program: Program, flavour: Flavour) -> Self {
        let linked = program.link().unwrap_or_else(|problems| panic!("{problems}"));
        let (plan, components) = lp_host::lower(&linked, LaunchType::Threads);
        let uses_async = plan.nodes.iter().filter_map(|node| Some(node.component()?.uses_async));
        uses_async.for_each(|uses_async| assert_eq!(uses_async, flavour == Flavour::Async, "the wrong engine"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it needs no threads");
        let (events_tx, events) = tokio::sync::mpsc::unbounded_channel();
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        let (compiling, _) = tokio::sync::mpsc::unbounded_channel();
        let options = WorkerOptions {
            components,
            compiling,
            secrets: Secrets::default(),
            cache: Some(CompileCache::open(&cache, &Scheduler::default()).expect("cargo's directory can be written")),
            outputs: Arc::new(Stderr),
            stop: Stop::default(),
            events: events_tx,
            endpoints: Endpoints::default(),
            run_dir: None,
            scheduler: Scheduler::default(),
        };
        let worker = Worker::start(&plan, 0, options).unwrap_or_else(|error| panic!("{error}"));
        worker.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
        let mut nodes = Self { worker, plan, flavour, events, runtime };
        nodes.wait_until_started();
        nodes
    }

    fn wait_until_started(&mut self) {
        let replicas: usize = self.plan.workers.iter().map(|worker| worker.replicas.len()).sum();
        for _ in 0..replicas {
            let event = self.runtime.block_on(self.events.recv()).expect("the worker lives");
            assert!(matches!(event.change, Change::Started), "{event:?}");
        }
    }

    /// Drops the replicas and waits until they are gone.
    pub fn stop(mut self) {
        self.runtime.block_on(self.worker.end(std::future::ready(())));
    }

    /// The time that the caller takes for `calls` calls to the echo node, one after the other.
    pub fn call_from_node(&self, case: Case, calls: u32) -> Duration {
        self.time_caller("run", requests::numbers(&[case.kind as u32, case.size, calls]))
    }

    /// The time that the caller takes for `calls` empty calls, `width` of them in flight.
    pub fn in_flight(&self, width: u32, calls: u32) -> Duration {
        self.time_caller("in-flight", requests::numbers(&[width, calls]))
    }

    /// The time that the caller takes to call every echo node `rounds` times, all of them at once.
    pub fn fan_out(&self, rounds: u32) -> Duration {
        self.time_caller("fan-out", requests::numbers(&[rounds]))
    }

    /// The time that the host takes for `calls` calls to the echo node's mailbox, one after the other.
    pub fn call_from_host(&self, case: Case, calls: u32) -> Duration {
        self.time("echo", case.kind.method(), requests::echo(case), calls)
    }

    /// Calls every replica of the echo node once, from the host.
    pub fn call_each(&self, case: Case) {
        let (node, method) = self.find("echo", case.kind.method());
        for index in 0..self.plan.node(node).replicas {
            let mailbox = self.mailbox(ReplicaId { node, index });
            let call = mailbox.call(method, requests::echo(case), self.flavour.context());
            self.runtime.block_on(call).unwrap_or_else(|error| panic!("{} failed: {error}", mailbox.label()));
        }
    }

    fn time_caller(&self, method: &str, request: Message) -> Duration {
        self.time("caller", method, request, 1)
    }

    /// Makes calls on a thread of the guests, where the calls of guests are made too. Each sends what the last one
    /// gave back.
    fn time(&self, node: &str, method: &str, mut message: Message, calls: u32) -> Duration {
        let (id, method) = self.find(node, method);
        let mailbox = self.mailbox(ReplicaId { node: id, index: 0 });
        let context = self.flavour.context();
        let task = self.worker.runtime().spawn(async move {
            let start = Instant::now();
            for _ in 0..calls {
                message = mailbox.call(method, message, context.clone()).await?;
            }
            Ok::<_, lp_host::courier::CallError>(start.elapsed())
        });
        let called = self.runtime.block_on(task).expect("calls don't panic");
        called.unwrap_or_else(|error| panic!("{node} failed: {error}"))
    }

    fn find(&self, node: &str, method: &str) -> (NodeId, usize) {
        let index = self.plan.nodes.iter().position(|plan| plan.name == node).expect("the program has the node");
        let methods = self.plan.nodes[index].couriers.iter().flat_map(|courier| &courier.methods);
        let method =
            methods.map(|method| &method.name).position(|name| name == method).expect("the node has the method");
        (NodeId(u32::try_from(index).expect("the program has two nodes")), method)
    }

    fn mailbox(&self, replica: ReplicaId) -> Arc<Mailbox> {
        self.worker.mailbox(replica).expect("the worker runs the whole program").clone()
    }
}

/// Shows what a guest that fails has to say.
struct Stderr;

impl Outputs for Stderr {
    fn sink(&self, _: &str) -> Arc<dyn LineSink> {
        Arc::new(Self)
    }
}

impl LineSink for Stderr {
    fn line(&self, _: LineSource, line: &[u8]) {
        eprintln!("{}", String::from_utf8_lossy(line));
    }
}
