//! The plan: a program lowered for one launch type, complete and serialisable, so that a worker needs nothing else but the
//! components, which the plan names by their digests: where they are, each machine's [`ComponentFiles`] say.
//!
//! It names no component types: everything a worker links is in the component files and in the edges.

mod component_files;
mod launch_type;
mod limits;
mod paths;
mod rebuilt;
mod restart;
mod secret;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;

pub use component_files::{ComponentFiles, MissingComponent};
pub use launch_type::{LaunchType, UnknownLaunchType};
pub use limits::LimitsPlan;
pub use restart::RestartPlan;
pub use secret::{NodeSecrets, Secret, Secrets};
use serde::{Deserialize, Serialize};

use crate::words::{
    AdmissionPlan, Authorities, ColocationMode, Digest, Hardening, HostChoice, KubernetesRequest, Pick, Replay,
    ReplayAccess, Retry, RunExport, Sandbox, SlurmRequest, WhenFull,
};

/// A program lowered for one launch type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The name of the program.
    pub program: String,
    /// The launch type that the workers are made for.
    pub launch_type: LaunchType,
    /// The nodes; [`NodeId`] is an index into them.
    pub nodes: Vec<NodePlan>,
    /// The processes, and which replicas each runs.
    pub workers: Vec<WorkerPlan>,
    /// The nodes that belong together.
    pub colocations: Vec<ColocationPlan>,
    /// How long nodes may take to stop when they are asked to, before they are dropped.
    pub grace_ms: u64,
    /// The largest encoded call or result that passes between nodes.
    pub message_bytes_max: u64,
    /// Whether worker processes must be hardened.
    pub hardening: Hardening,
    /// Whether nodes are rebuilt while the program runs, so that one that has ended may come back.
    pub watched: bool,
}

/// A node of a plan, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

/// A replica of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReplicaId {
    /// The node.
    pub node: NodeId,
    /// Which of its replicas, from 0.
    pub index: u32,
}

/// One process and the replicas it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerPlan {
    /// The name, unique in the plan: of the program, of the colocation that it runs, or of its only replica.
    pub name: String,
    /// The replicas, in the order in which they start.
    pub replicas: Vec<ReplicaId>,
    /// The colocation that all its replicas are of, by its index in the plan's colocations.
    pub colocation: Option<u32>,
}

/// Nodes that belong together: a colocation of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColocationPlan {
    /// The name of the colocation.
    pub name: String,
    /// What the nodes share.
    pub mode: ColocationMode,
    /// All replicas of its nodes.
    pub replicas: Vec<ReplicaId>,
    /// The restarts that they have together, instead of each node its own.
    pub restart: Option<RestartPlan>,
    /// Whether the first `run` of the colocation that returns ends the other replicas.
    pub return_on_first_completed: bool,
}

/// A node with everything that one of its replicas needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// The name of the node.
    pub name: String,
    /// What each of its replicas is.
    pub kind: NodeKind,
    /// How many replicas there are.
    pub replicas: u32,
    /// The colocation that they are of, by its index in the plan's colocations.
    pub colocation: Option<u32>,
    /// The interfaces that other nodes can call.
    pub couriers: Vec<CourierPlan>,
    /// What serves the node's imports from other nodes.
    pub edges: Vec<Edge>,
    /// The nodes that it holds handles of, and so may call, whether its component makes use of them or not.
    pub callees: BTreeSet<NodeId>,
    /// The arguments that the guest sees, without its own name.
    pub args: Vec<String>,
    /// The environment variables that the guest sees.
    pub env: BTreeMap<String, String>,
    /// The values that `wasi:config` serves.
    pub config: BTreeMap<String, String>,
    /// What a replica may use of its machine.
    pub sandbox: Sandbox,
    /// The authorities that its HTTPS requests trust beside Mozilla's.
    pub authorities: Option<Authorities>,
    /// The hosts that its replicas may run on, where there are several.
    #[serde(default, skip_serializing_if = "HostChoice::is_any")]
    pub hosts: HostChoice,
    /// What its replicas ask of Slurm, where the program runs there.
    #[serde(default, skip_serializing_if = "SlurmRequest::is_empty")]
    pub slurm: SlurmRequest,
    /// What its replicas ask of Kubernetes, where the program runs there.
    #[serde(default, skip_serializing_if = "KubernetesRequest::is_empty")]
    pub kubernetes: KubernetesRequest,
    /// When a replica that has ended is started again. With a budget that its colocation shares, this is the colocation's.
    pub restart: RestartPlan,
    /// The address at which clients from outside the program can call the node.
    pub listen: Option<SocketAddr>,
    /// Who is let in there.
    #[serde(default, skip_serializing_if = "AdmissionPlan::is_open")]
    pub admission: AdmissionPlan,
    /// What each replica may use at most.
    pub limits: LimitsPlan,
}

/// What the replicas of a node are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum NodeKind {
    /// Instances of a WebAssembly component.
    Component(ComponentPlan),
    /// Stand-ins for a component, which answer calls from a table.
    Double(DoublePlan),
    /// The tables of a replay node.
    Replay(ReplayPlan),
}

/// A node whose replicas are instances of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentPlan {
    /// The digest of its file, by which every machine finds it: no other one is run in its place.
    pub sha256: Digest,
    /// Whether the component needs an engine with the component model's async feature.
    pub uses_async: bool,
    /// The entry point to run; `None` if there is none or the program says `run = false`.
    pub run: Option<RunExport>,
}

/// A node of a program under test that serves the interfaces of a component without running it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoublePlan {
    /// The digest of the component's file, which says what types its calls have.
    pub sha256: Digest,
    /// The answers. A call gets the first one that is for it and not used up.
    pub answers: Vec<AnswerPlan>,
}

/// A node that keeps what actors have seen, for learners to sample from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayPlan {
    /// What it is made with.
    pub replay: Replay,
    /// What the nodes that hold a handle of it may do.
    pub access: Vec<(NodeId, BTreeSet<ReplayAccess>)>,
}

/// An answer of a double.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerPlan {
    /// The call and its answer, such as `get("a") -> some(1)` or `get(_) fails unavailable`.
    pub line: String,
    /// How many calls each replica must answer with it; any number if there is none.
    pub times: Option<u32>,
}

/// An interface that a node serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CourierPlan {
    /// The name of the export in the component.
    pub interface: String,
    /// Its functions.
    pub methods: Vec<MethodPlan>,
}

/// A function of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodPlan {
    /// The name, such as `add`; of a `-handles` interface without its resource.
    pub name: String,
    /// Whether this side declares it as `async func`.
    pub is_async: bool,
    /// Whether its result, as this side declares it, is a `result<_, call-error>`. If so for a callee's courier, a
    /// `-handles` import leaves the result as it is; if not, it wraps it in such a `result`.
    pub returns_call_error: bool,
}

/// One import of a node, and what serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The name of the import in the component.
    pub import: String,
    /// How the guest holds the handles.
    pub style: EdgeStyle,
    /// The functions that the caller imports, as the caller declares them.
    pub methods: Vec<MethodPlan>,
    /// The handles. A plain edge has exactly one, with exactly one target.
    pub handles: Vec<EdgeHandle>,
}

/// How a guest holds the handles of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeStyle {
    /// The import is the courier interface itself.
    Plain,
    /// The import is the derived interface, with a resource for each handle.
    Handles,
}

/// A handle of an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeHandle {
    /// The name of the handle in the node that holds it.
    pub name: String,
    /// The nodes it reaches.
    pub targets: Vec<Target>,
    /// How long a call may take, from being made to its result; `None` is forever.
    pub timeout_ms: Option<u64>,
    /// Whether a call waits for a node that is not up yet.
    pub wait_for_ready: bool,
    /// Which of the ready replicas a call of a plain edge goes to.
    pub pick: Pick,
    /// Which calls are made again when their callee was lost and may have worked on them.
    pub retry: Retry,
    /// What a call to a replica does that has as many calls waiting as it accepts.
    pub when_full: WhenFull,
}

/// A node that an edge reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The node; a call goes to one of its replicas.
    pub node: NodeId,
    /// The name under which its component exports the interface.
    pub interface: String,
}

impl NodePlan {
    /// The component that the node's replicas are instances of, if they are.
    pub fn component(&self) -> Option<&ComponentPlan> {
        match &self.kind {
            NodeKind::Component(component) => Some(component),
            NodeKind::Double(_) | NodeKind::Replay(_) => None,
        }
    }

    /// The digest of the component that the node's replicas are instances of, or stand in for.
    pub fn sha256(&self) -> Option<Digest> {
        match &self.kind {
            NodeKind::Component(component) => Some(component.sha256),
            NodeKind::Double(double) => Some(double.sha256),
            NodeKind::Replay(_) => None,
        }
    }

    /// Whether its replicas have a `run`, for whose end the program waits.
    pub fn has_run(&self) -> bool {
        match &self.kind {
            NodeKind::Component(component) => component.run.is_some(),
            NodeKind::Double(_) | NodeKind::Replay(_) => false,
        }
    }
}

impl Plan {
    /// What a replica is called in logs and tables, such as `producer/0`.
    ///
    /// # Panics
    ///
    /// If the replica is of another plan.
    pub fn label(&self, replica: ReplicaId) -> String {
        format!("{}/{}", self.node(replica.node).name, replica.index)
    }

    /// The node of that id.
    ///
    /// # Panics
    ///
    /// If the id is of another plan.
    pub fn node(&self, id: NodeId) -> &NodePlan {
        &self.nodes[id.0 as usize]
    }

    /// Every replica of the program, in the order of the nodes.
    pub fn replicas(&self) -> impl Iterator<Item = ReplicaId> {
        let ids = (0..).map(NodeId).zip(&self.nodes);
        ids.flat_map(|(id, node)| (0..node.replicas).map(move |index| ReplicaId { node: id, index }))
    }

    /// Every pair of nodes of which the first holds a handle of the second, and so may call it.
    pub fn edges(&self) -> BTreeSet<(NodeId, NodeId)> {
        let callers = (0..).map(NodeId).zip(&self.nodes);
        callers.flat_map(|(caller, node)| node.callees.iter().map(move |&callee| (caller, callee))).collect()
    }

    /// The numbers of each node's replicas among all of the program, in the order of [`Self::replicas`]. Callers that ask
    /// for many nodes keep the list.
    pub fn replica_numbers(&self) -> Vec<Range<u32>> {
        let mut next = 0;
        let mut numbers = |node: &NodePlan| {
            let start = next;
            next += node.replicas;
            start..next
        };
        self.nodes.iter().map(&mut numbers).collect()
    }

    /// The workers that stay on one machine: all of a colocation, or each other one by itself. They are given by their places in
    /// the plan, in the order of the first ones.
    pub fn together(&self) -> Vec<Vec<usize>> {
        let mut together: Vec<Vec<usize>> = Vec::new();
        let mut places = BTreeMap::new();
        for (worker, plan) in self.workers.iter().enumerate() {
            let place = plan
                .colocation
                .map_or(together.len(), |colocation| *places.entry(colocation).or_insert(together.len()));
            match together.get_mut(place) {
                Some(workers) => workers.push(worker),
                None => together.push(vec![worker]),
            }
        }
        together
    }

    /// The place of the colocation that a replica is of among the plan's colocations.
    ///
    /// # Panics
    ///
    /// If the replica is of another plan.
    pub fn colocation_of(&self, replica: ReplicaId) -> Option<usize> {
        self.node(replica.node).colocation.map(|colocation| colocation as usize)
    }
}
