//! Runs the replicas that a plan gives to one worker: the one place where every launch type meets.

mod checkpoint_dirs;
mod components;
mod credentials;
mod endpoints;
mod order;
mod peers;
mod rebuild;
mod sockets;
mod standstills;
mod temporary_dir;
mod threads;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use checkpoint_dirs::make_checkpoint_dirs;
pub use components::Compiling;
use components::Components;
pub use credentials::{Caller, EdgeCredential, WorkerCredentials};
use endpoints::Servers;
use lp_base::calls::ReplicaIndex;
use lp_base::plan::{ComponentFiles, LaunchType, MissingComponent, NodeId, NodeKind, Plan, ReplicaId, Secrets};
use lp_base::replica::{Outputs, ProgramInfo, ReplicaSpec, Stop};
use lp_base::scheduler::Scheduler;
use lp_base::words::Digest;
use lp_component::component::ReadError;
use lp_courier::grpc::{BadAdmission, ReflectionError, Stranger, Trouble};
use lp_courier::{Blocked, CallError, Crowd, Mailbox, Presence, Served, Standing};
use lp_runtime::{CompileCache, LoadError, Runtime, RuntimeError};
use lp_trust::{BadTls, NoAuthority};
pub use order::{Order, ReplicaOrder};
use peers::Peers;
pub use rebuild::replaced;
pub use sockets::{Endpoints, WorkerSocket, WorkerSockets};
use standstills::watch_standstills;
pub use temporary_dir::make_temporary_dirs;
use threads::Threads;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::node::{Double, DoubleError, Node, NodeEvent, Replay, run_replica};

/// How long replicas that are dropped may take: several ticks, after each of which a guest that computes is dropped.
const KILL_WAIT: Duration = Duration::from_millis(100);

/// Everything that a worker needs beside its plan.
pub struct WorkerOptions {
    /// Where this machine has the components of the plan.
    pub components: ComponentFiles,
    /// What the guests are given that the plan does not say.
    pub secrets: Secrets,
    /// Where compiled components are kept, if anywhere.
    pub cache: Option<CompileCache>,
    /// Where the output of replicas goes.
    pub outputs: Arc<dyn Outputs>,
    /// The program's stop request, which guests may make too.
    pub stop: Stop,
    /// Told whatever happens to the replicas.
    pub events: mpsc::UnboundedSender<NodeEvent>,
    /// Told of the components that are compiled.
    pub compiling: mpsc::UnboundedSender<Compiling>,
    /// Where the worker is called from outside of its process.
    pub endpoints: Endpoints,
    /// The directory of the run, for what its replicas have of their own in it.
    pub run_dir: Option<PathBuf>,
    /// Where the time, the random numbers and the tasks of the worker and its guests come from.
    pub scheduler: Scheduler,
}

/// Why a worker can't run its replicas.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A component of the plan is not on this machine.
    #[error(transparent)]
    Missing(#[from] MissingComponent),
    /// A component file can't be read.
    #[error("`{}` {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ReadError,
    },
    /// A node that was rebuilt is something else than a component, or was, or is not there.
    #[error("a node is rebuilt with another component, and this was or is none")]
    NotReplaced,
    /// A component file is not the one that the program was checked with.
    #[error("`{}` was replaced while the program ran: its digest was {checked} and is {found}", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What it was.
        checked: Digest,
        /// What it is.
        found: Digest,
    },
    /// The threads of its guests can't be started.
    #[error("failed to start threads for guests")]
    Threads(#[source] std::io::Error),
    /// Worker processes must be hardened, and there are none.
    #[error("`hardening = \"require\"` needs worker processes: launch it with `--launch-type processes`")]
    NoHardening,
    /// Workers on several hosts know each other by certificates, and this one was given none.
    #[error("the launcher gave the worker no certificate")]
    NoIdentity,
    /// The certificates of the run can't be used.
    #[error(transparent)]
    Trust(#[from] BadTls),
    /// The process can't run components.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A component can't be compiled or linked.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Worker processes can't be simulated.
    #[error("only launch type `threads` can be simulated")]
    NotSimulated,
    /// A component can't be compiled, as the process says that was to do it.
    #[error("{message}")]
    NotCompiled {
        /// Why.
        message: String,
    },
    /// Workers are to run on other hosts, and there are none.
    #[error("the launch type `remote` needs `--hosts`")]
    NoHosts,
    /// Hosts can't run what is placed on them.
    #[error("{0}")]
    Hosts(String),
    /// The certificates of the run can't be made.
    #[error(transparent)]
    NoAuthority(#[from] NoAuthority),
    /// Worker processes are needed, and how to start them is not known.
    #[error("worker processes can't be started here")]
    NoProcesses,
    /// A worker process can't be started.
    #[error("failed to start a process for `{name}`")]
    Launch {
        /// The worker.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A worker process was started and can't run its replicas.
    #[error("the process of `{name}` can't run it: {message}")]
    NotLoaded {
        /// The worker.
        name: String,
        /// What it said.
        message: String,
    },
    /// The worker can't be reached from where it should be.
    #[error("failed to listen for `{name}`")]
    Listen {
        /// The node, or the worker itself.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A node that listens is none that clients from outside can call.
    #[error("`{node}` is a double, which can't listen")]
    NotServed {
        /// The node.
        node: String,
    },
    /// The answers of a double are none of its component.
    #[error("the double of `{node}`")]
    Double {
        /// The node.
        node: String,
        /// What is wrong with them.
        #[source]
        source: DoubleError,
    },
    /// What a node that listens has to let clients in with does not fit together.
    #[error("`{node}` can't listen: {source}")]
    Admission {
        /// The node.
        node: String,
        /// What is wrong.
        source: BadAdmission,
    },
    /// A node that listens has no schema that can be served.
    #[error("failed to serve the schema of `{node}`")]
    Schema {
        /// The node.
        node: String,
        /// What is wrong with its interfaces.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl WorkerError {
    fn schema(node: &str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Schema { node: node.to_owned(), source: Box::new(source) }
    }

    fn reflection(node: &str, error: ReflectionError) -> Self {
        Self::schema(node, error)
    }
}

/// What a replica has done so far.
#[derive(Clone, Debug)]
pub struct ReplicaStats {
    /// The calls that it answered.
    pub served: Served,
    /// How long it was on a thread.
    pub busy: Duration,
    /// How large its memories are.
    pub memory_bytes: u64,
    /// Why calls of a replay node wait, and for how long, a line for each table and kind of call.
    pub waits: Vec<String>,
}

/// A worker: its components are compiled and linked, and its replicas can be started.
pub struct Worker {
    plan: Plan,
    stop: Stop,
    replicas: BTreeMap<ReplicaId, Local>,
    peers: Peers,
    events: mpsc::UnboundedSender<NodeEvent>,
    tasks: JoinSet<()>,
    cache: Option<CompileCache>,
    run_dir: Option<PathBuf>,
    servers: Servers,
    threads: Threads,
    scheduler: Scheduler,
}

/// A replica of this worker, running or not.
struct Local {
    node: Node,
    spec: Arc<ReplicaSpec>,
    /// Its queue of calls, which outlives each life of it.
    mailbox: Arc<Mailbox>,
    temporary_dir: Option<PathBuf>,
    task: Option<AbortHandle>,
    /// Its engine and the ticker of that, which every life of it keeps until its end.
    runtime: Arc<Runtime>,
    /// Held by a life of it: the next one begins when that is gone.
    alive: Arc<tokio::sync::Mutex<()>>,
}

impl Worker {
    /// Compiles, links and starts the replicas of worker number `index` of `plan`.
    ///
    /// Compiling takes the calling thread: call this where that may be, outside of an async runtime's workers.
    pub fn start(plan: &Plan, index: usize, options: WorkerOptions) -> Result<Self, WorkerError> {
        let mut worker = Self::load(plan, index, options)?;
        worker.start_replicas();
        Ok(worker)
    }

    /// Compiles every component of `plan` that `cache` does not have.
    ///
    /// This takes the calling thread, and further ones.
    pub fn compile(
        plan: &Plan,
        files: &ComponentFiles,
        cache: CompileCache,
        compiling: &mpsc::UnboundedSender<Compiling>,
        scheduler: &Scheduler,
    ) -> Result<(), WorkerError> {
        Self::compile_nodes(
            plan,
            files,
            &(0..).map(NodeId).take(plan.nodes.len()).collect(),
            cache,
            compiling,
            scheduler,
        )
    }

    /// Whether `cache` has every component of `plan`. It is not looked into: an entry that was changed is compiled again by
    /// the worker that loads it.
    pub fn is_compiled(plan: &Plan, files: &ComponentFiles, cache: &CompileCache) -> bool {
        Components::are_compiled(plan, files, cache)
    }

    /// Compiles the components of `nodes` of `plan`, as far as `cache` does not have them.
    pub fn compile_nodes(
        plan: &Plan,
        files: &ComponentFiles,
        nodes: &BTreeSet<NodeId>,
        cache: CompileCache,
        compiling: &mpsc::UnboundedSender<Compiling>,
        scheduler: &Scheduler,
    ) -> Result<(), WorkerError> {
        let one_each: Vec<_> = nodes.iter().map(|&node| ReplicaId { node, index: 0 }).collect();
        Components::load(plan, files, &one_each, Some(cache), compiling, scheduler).map(drop)
    }

    /// Compiles and links the replicas of worker number `index` of `plan` without starting any. Calls from elsewhere
    /// are accepted from here on, and wait.
    pub fn load(plan: &Plan, index: usize, options: WorkerOptions) -> Result<Self, WorkerError> {
        let WorkerOptions { components: files, secrets, cache, outputs, stop, events, compiling, .. } = options;
        let WorkerOptions { mut endpoints, run_dir, scheduler, .. } = options;
        let replicas = &plan.workers[index].replicas;
        let components = Components::load(plan, &files, replicas, cache.clone(), &compiling, &scheduler)?;
        let threads = Threads::start(Threads::wanted(plan, index), &scheduler).map_err(WorkerError::Threads)?;
        let entered = threads.handle().enter();
        let peers = Peers::new(plan, index, &endpoints, &scheduler)?;
        let program = Arc::new(ProgramInfo {
            name: plan.program.clone(),
            launch_type: plan.launch_type.to_string(),
            stop: stop.clone(),
            watched: plan.watched,
        });
        let mut nodes = HashMap::new();
        let mut locals = BTreeMap::new();
        for &replica in replicas {
            let (plan_of_node, node) = match nodes.get(&replica.node.0) {
                Some(known) => Clone::clone(known),
                None => {
                    let node = plan.node(replica.node);
                    let prepared = prepare(plan, replica.node, &peers, &components, &files, &mut endpoints)?;
                    nodes.entry(replica.node.0).or_insert((Arc::new(node.clone()), prepared)).clone()
                }
            };
            let mailbox = peers.mailbox(replica).clone();
            let sink = outputs.sink(mailbox.label());
            let (plan_of_node, temporary_dir) = temporary_dir::grant(plan, replica, plan_of_node, run_dir.as_deref());
            let spec = Arc::new(ReplicaSpec {
                program: program.clone(),
                node: plan_of_node,
                secrets: secrets.of(replica.node),
                index: replica.index,
                number: mailbox.replica(),
                label: mailbox.label().to_owned(),
                sink,
                stop: Stop::default(),
                scheduler: scheduler.clone(),
                memory_bytes: Arc::default(),
            });
            let (runtime, alive) = (components.runtime.clone(), Arc::default());
            locals.insert(replica, Local { node, spec, mailbox, temporary_dir, task: None, runtime, alive });
        }
        let servers = Servers::start(plan, endpoints, &peers, &components, &secrets, &scheduler)?;
        let mut tasks = JoinSet::new();
        // A simulation in which nobody can go on says so by itself, unless somebody goes on looking.
        if plan.launch_type == LaunchType::Threads && !scheduler.is_simulated() {
            scheduler.spawn_in(&mut tasks, watch_standstills(peers.standstills(), scheduler.clone()));
        }
        drop(entered);
        Ok(Self {
            plan: plan.clone(),
            stop,
            replicas: locals,
            peers,
            events,
            tasks,
            cache,
            run_dir,
            servers,
            threads,
            scheduler,
        })
    }

    /// Starts every replica, in the order of the plan.
    pub fn start_replicas(&mut self) {
        let mut replicas: Vec<_> = self.replicas.keys().copied().collect();
        replicas.sort();
        replicas.into_iter().for_each(|replica| self.start_replica(replica));
    }

    /// Starts a replica that does not run: one that has not started yet, or has ended.
    fn start_replica(&mut self, replica: ReplicaId) {
        // What is left of earlier lives would pile up.
        while self.tasks.try_join_next().is_some() {}
        let Some(local) = self.replicas.get_mut(&replica) else { return };
        let (node, spec, mailbox) = (local.node.clone(), local.spec.clone(), local.mailbox.clone());
        let events = self.events.clone();
        let (temporary_dir, runtime, alive) = (local.temporary_dir.clone(), local.runtime.clone(), local.alive.clone());
        let life = async move {
            let _runtime = runtime;
            let _alive = alive.lock_owned().await;
            temporary_dir::make_anew(temporary_dir, &spec.scheduler).await;
            run_replica(replica, node, spec, mailbox, events).await;
        };
        let _entered = self.threads.handle().enter();
        local.task = Some(self.scheduler.spawn_in(&mut self.tasks, life));
    }

    /// Asks `replica` alone to stop, while the program goes on.
    fn stop_replica(&self, replica: ReplicaId) {
        if let Some(local) = self.replicas.get(&replica) {
            local.spec.stop.request();
        }
    }

    /// Drops `replica` wherever its guest is, and tells nobody.
    fn kill_replica(&self, replica: ReplicaId) {
        self.close_replica(replica);
        if let Some(task) = self.replicas.get(&replica).and_then(|local| local.task.as_ref()) {
            task.abort();
        }
    }

    /// The runtime of the guests, on which calls of them cost what calls between nodes do.
    pub fn runtime(&self) -> &Handle {
        self.threads.handle()
    }

    /// Where its time and its tasks come from.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// What a user should know of how the worker runs.
    pub fn warnings(&self) -> &[String] {
        &self.servers.warnings
    }

    /// The other workers, by their index in the plan, that can't be reached, though the launcher says that a replica of theirs
    /// takes calls.
    pub fn unreachable(&self) -> impl Iterator<Item = (usize, Trouble)> {
        self.peers.unreachable()
    }

    /// Those who knocked at the worker's port since this was last asked, and are none of the run's: the first of each kind.
    pub fn strangers(&self) -> Vec<(Stranger, SocketAddr)> {
        self.servers.strangers()
    }

    /// The queue of calls of `replica`, for calls by the host itself; `None` if it is not one of this worker's.
    pub fn mailbox(&self, replica: ReplicaId) -> Option<&Arc<Mailbox>> {
        self.replicas.get(&replica).map(|local| &local.mailbox)
    }

    /// What `replica` has done so far.
    pub fn stats(&self, replica: ReplicaId) -> Option<ReplicaStats> {
        let mailbox = self.mailbox(replica)?;
        let memory_bytes =
            self.replicas.get(&replica).map_or(0, |local| local.spec.memory_bytes.load(Ordering::Relaxed));
        let waits = self.replicas.get(&replica).map_or_else(Vec::new, |local| local.node.waits(replica.index));
        Some(ReplicaStats { served: mailbox.served(), busy: mailbox.pump().busy(), memory_bytes, waits })
    }

    /// Every replica that is blocked on another one, as far as one of the two is this worker's.
    pub fn blocked(&self) -> Vec<Blocked> {
        self.peers.exchange.blocked()
    }

    /// How the replicas of this worker stand that work on calls, and the calls of this process that wait for room.
    pub fn standing(&self) -> (Vec<Standing>, Vec<Crowd>) {
        self.peers.standstills().standing()
    }

    /// Fails the call behind a hold that is part of a ring of `calls` calls.
    fn break_hold(&self, blocked: Blocked, calls: u32) {
        self.peers.exchange.break_hold(blocked, calls);
    }

    /// Fails a call of a standstill, which has not begun.
    fn fail_call(&self, caller: ReplicaIndex, callee: ReplicaIndex, queued: bool, reason: &str) {
        self.peers.standstills().fail(caller, callee, queued, reason);
    }

    /// Notes what became of a replica of another worker.
    fn set_presence(&self, replica: ReplicaId, presence: Presence) {
        if let Some(remote) = self.peers.remotes.get(&replica) {
            remote.set_presence(presence);
        }
    }

    /// Refuses the calls to a replica that will not run again.
    fn close_replica(&self, replica: ReplicaId) {
        match self.mailbox(replica) {
            Some(mailbox) => mailbox.close(CallError::Unavailable),
            None => self.set_presence(replica, Presence::Gone),
        }
    }

    /// Tells every replica that no more calls will come: those that only serve end at once, others when `run` does.
    fn close(&self) {
        self.replicas.values().for_each(|local| local.mailbox.close(CallError::Cancelled));
    }

    /// Drops the replicas that are still there, wherever their guests are. One in a step that takes long is dropped when that
    /// ends, and not waited for. Clients may take the answers that are on their way to them, until `patience` is over.
    pub async fn end(&mut self, patience: impl Future<Output = ()>) {
        let _ = self.scheduler.timeout(KILL_WAIT, self.tasks.shutdown()).await;
        tokio::select! {
            biased;
            () = self.servers.end() => {}
            () = patience => {}
        }
    }
}

/// Prepares a node for its replicas in this worker, by its kind.
fn prepare(
    plan: &Plan,
    id: NodeId,
    peers: &Peers,
    components: &Components,
    files: &ComponentFiles,
    endpoints: &mut Endpoints,
) -> Result<Node, WorkerError> {
    let node = plan.node(id);
    match &node.kind {
        NodeKind::Component(component) => {
            let linked = components.code(node, component).link(&node.name, &peers.edges(plan, node))?;
            Ok(Node::Component(Arc::new(linked)))
        }
        NodeKind::Double(double) => {
            let component = components::described(double.sha256, files)?;
            let failed = |source| WorkerError::Double { node: node.name.clone(), source };
            Ok(Node::Double(Arc::new(Double::new(double, node, &component).map_err(failed)?)))
        }
        NodeKind::Replay(replay) => {
            let listener = endpoints.take(id);
            Ok(Node::Replay(Arc::new(Replay::new(plan, node, replay, listener))))
        }
    }
}
