//! Runs the replicas that a plan gives to one worker: the one place where every launch type meets.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::courier::{CallError, Exchange, Mailbox, ReplicaIndex, Served};
use crate::node::{NodeEvent, run_component};
use crate::plan::{Edge, NodePlan, Plan, ReplicaId};
use crate::runtime::{
    Code, CompileCache, EdgeSpec, HandleSpec, Kind, Linked, LoadError, MethodSpec, Outputs, ProgramInfo, ReplicaSpec,
    Runtime, RuntimeError, Source, Stop, TargetSpec,
};

/// Everything that a worker needs beside its plan.
pub struct Surroundings {
    /// Where compiled components are kept, if anywhere.
    pub cache: Option<CompileCache>,
    /// Where the output of replicas goes.
    pub outputs: Arc<dyn Outputs>,
    /// The program's stop request, which guests may make too.
    pub stop: Stop,
    /// Told whatever happens to the replicas.
    pub events: mpsc::UnboundedSender<NodeEvent>,
}

/// Why a worker can't run its replicas.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A component file can't be read.
    #[error("failed to read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The process can't run components.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A component can't be compiled or linked.
    #[error(transparent)]
    Load(#[from] LoadError),
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
}

/// A worker whose replicas are running.
pub struct Worker {
    mailboxes: HashMap<ReplicaId, Arc<Mailbox>>,
    memories: HashMap<ReplicaId, Arc<AtomicU64>>,
    tasks: JoinSet<()>,
    warnings: Vec<String>,
    // The engines and their ticker outlive the replicas.
    _runtime: Runtime,
}

impl Worker {
    /// Compiles, links and starts the replicas of worker number `index` of `plan`.
    ///
    /// Compiling takes the calling thread: call this where that may be, outside of an async runtime's workers.
    pub fn start(plan: &Plan, index: usize, surroundings: Surroundings) -> Result<Self, WorkerError> {
        let replicas = &plan.workers[index].replicas;
        let components = Components::load(plan, replicas, surroundings.cache)?;
        let mailboxes = mailboxes(plan);
        let program = Arc::new(ProgramInfo {
            name: plan.program.clone(),
            launch_type: plan.launch_type.to_string(),
            message_bytes_max: plan.message_bytes_max,
            stop: surroundings.stop,
        });
        let mut linked: HashMap<u32, (Arc<NodePlan>, Arc<Linked>)> = HashMap::new();
        let mut tasks = JoinSet::new();
        let memories: HashMap<_, Arc<AtomicU64>> = replicas.iter().map(|&id| (id, Arc::default())).collect();
        for &replica in replicas {
            let (node, code) = match linked.get(&replica.node.0) {
                Some((node, code)) => (node.clone(), code.clone()),
                None => {
                    let node = &plan.nodes[replica.node.0 as usize];
                    let edges: Vec<_> =
                        node.edges.iter().map(|edge| edge_spec(plan, edge, &mailboxes, &components)).collect();
                    let code = Arc::new(components.code(node).link(&node.name, &edges)?);
                    let node = Arc::new(node.clone());
                    linked.insert(replica.node.0, (node.clone(), code.clone()));
                    (node, code)
                }
            };
            let mailbox = mailboxes[&replica].clone();
            let spec = Arc::new(ReplicaSpec {
                program: program.clone(),
                node,
                index: replica.index,
                sink: surroundings.outputs.sink(mailbox.label()),
                mailbox,
                memory_bytes: memories[&replica].clone(),
            });
            tasks.spawn(run_component(replica, code, spec, surroundings.events.clone()));
        }
        let warnings = components.runtime.warnings().to_vec();
        Ok(Self { mailboxes, memories, tasks, warnings, _runtime: components.runtime })
    }

    /// What a user should know of how the worker runs.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The queue of calls of `replica`, for calls by the host itself; `None` if the plan has no such replica.
    pub fn mailbox(&self, replica: ReplicaId) -> Option<&Arc<Mailbox>> {
        self.mailboxes.get(&replica)
    }

    /// What `replica` has done so far.
    pub fn stats(&self, replica: ReplicaId) -> Option<ReplicaStats> {
        let mailbox = self.mailboxes.get(&replica)?;
        let memory_bytes = self.memories.get(&replica).map_or(0, |bytes| bytes.load(Ordering::Relaxed));
        Some(ReplicaStats { served: mailbox.served(), busy: mailbox.pump().clock().busy(), memory_bytes })
    }

    /// Tells every replica that no more calls will come: those that only serve end at once, others when `run` does.
    pub fn close(&self) {
        self.mailboxes.values().for_each(|mailbox| mailbox.close(CallError::Cancelled));
    }

    /// Waits until every replica has ended.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Drops the replicas that are still there, wherever their guests are.
    pub async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// One mailbox for every replica of the program.
fn mailboxes(plan: &Plan) -> HashMap<ReplicaId, Arc<Mailbox>> {
    let replicas = plan.workers.iter().flat_map(|worker| &worker.replicas);
    let count = replicas.clone().count();
    let exchange = Exchange::new(count);
    let mailboxes = replicas.enumerate().map(|(index, &replica)| {
        let queued_max = plan.nodes[replica.node.0 as usize].calls_queued_max;
        let index = ReplicaIndex(u32::try_from(index).expect("a program has fewer than 2^32 replicas"));
        (replica, Arc::new(Mailbox::new(plan.label(replica), index, queued_max, exchange.clone())))
    });
    mailboxes.collect()
}

/// The compiled components of a worker, each once.
struct Components {
    runtime: Runtime,
    codes: HashMap<PathBuf, Code>,
}

impl Components {
    fn load(plan: &Plan, replicas: &[ReplicaId], cache: Option<CompileCache>) -> Result<Self, WorkerError> {
        let mut files: HashMap<&Path, Vec<u8>> = HashMap::new();
        for node in &plan.nodes {
            if !files.contains_key(node.component.as_path()) {
                let bytes = std::fs::read(&node.component)
                    .map_err(|source| WorkerError::Read { path: node.component.clone(), source })?;
                files.insert(&node.component, bytes);
            }
        }
        let here = |index: usize| replicas.iter().filter(|replica| replica.node.0 as usize == index).count() as u32;
        let sources = plan.nodes.iter().enumerate().map(|(index, node)| Source {
            bytes: &files[node.component.as_path()],
            kind: kind(node),
            replicas: here(index),
            memory_bytes_max: node.memory_bytes_max,
        });
        let runtime = Runtime::new(sources, cache)?;
        let mut codes = HashMap::new();
        for node in &plan.nodes {
            if !codes.contains_key(&node.component) {
                let code = runtime.load(&node.component, &files[node.component.as_path()], kind(node))?;
                codes.insert(node.component.clone(), code);
            }
        }
        Ok(Self { runtime, codes })
    }

    fn code(&self, node: &NodePlan) -> &Code {
        self.codes.get(&node.component).expect("every component of the plan was loaded")
    }
}

fn kind(node: &NodePlan) -> Kind {
    if node.uses_async { Kind::Concurrent } else { Kind::Plain }
}

/// `edge` with its targets replaced by the replicas' mailboxes and method tables.
fn edge_spec(
    plan: &Plan,
    edge: &Edge,
    mailboxes: &HashMap<ReplicaId, Arc<Mailbox>>,
    components: &Components,
) -> EdgeSpec {
    let handles = edge.handles.iter().map(|handle| {
        let targets = handle.targets.iter().flat_map(|target| {
            let node = &plan.nodes[target.node.0 as usize];
            let couriers = components.code(node).couriers(node);
            let found = couriers.into_iter().find(|(interface, _)| *interface == target.interface);
            let methods: Arc<[MethodSpec]> = found.map_or_else(|| Arc::from([]), |(_, methods)| methods);
            (0..node.replicas).map(move |index| {
                let mailbox = mailboxes[&ReplicaId { node: target.node, index }].clone();
                TargetSpec { mailbox, methods: methods.clone() }
            })
        });
        HandleSpec {
            name: handle.name.clone(),
            targets: targets.collect(),
            timeout: handle.timeout_ms.map(Duration::from_millis),
            wait_for_ready: handle.wait_for_ready,
        }
    });
    EdgeSpec { import: edge.import.clone(), style: edge.style, handles: handles.collect() }
}
