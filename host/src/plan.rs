//! The plan: a program lowered for one launch type, complete and serialisable, so that a worker needs nothing else.
//!
//! It names no component types: everything a worker links is in the component files and in the edges.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::component::{Component, Interface, RunExport};
use crate::program::{Access, Binding, BindingStyle, BoundHandle, Handle, Linked, Node};

/// How the workers of a plan come to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchType {
    /// Every replica in the process of the host, in parallel.
    Threads,
}

impl LaunchType {
    /// Every launch type with the names it is called by; the first is its own, the others are Launchpad's.
    pub const NAMES: &[(LaunchType, &[&str])] = &[(LaunchType::Threads, &["threads", "local_mt", "test_mt"])];
}

/// A text that names no launch type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no launch type is named `{name}`; there are {}", known_names())]
pub struct UnknownLaunchType {
    name: String,
}

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
    /// How long nodes may take to stop when they are asked to, before they are dropped.
    pub grace_ms: u64,
    /// The largest encoded call or result that passes between nodes.
    pub message_bytes_max: u64,
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
    /// The replicas, in the order in which they start.
    pub replicas: Vec<ReplicaId>,
}

/// A node with everything that one of its replicas needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// The name of the node.
    pub name: String,
    /// The absolute path of the component file.
    pub component: PathBuf,
    /// Whether the component needs an engine with the component model's async feature.
    pub uses_async: bool,
    /// How many replicas there are.
    pub replicas: u32,
    /// The entry point to run; `None` if there is none or the program says `run = false`.
    pub run: Option<RunExport>,
    /// The interfaces that other nodes can call.
    pub couriers: Vec<CourierPlan>,
    /// What serves the node's imports from other nodes.
    pub edges: Vec<Edge>,
    /// The arguments that the guest sees, without its own name.
    pub args: Vec<String>,
    /// The environment variables that the guest sees.
    pub env: BTreeMap<String, String>,
    /// The values that `wasi:config` serves.
    pub config: BTreeMap<String, String>,
    /// The directories that the guest sees.
    pub dirs: Vec<DirPlan>,
    /// The largest memory of a replica.
    pub memory_bytes_max: u64,
    /// The most calls that wait for a replica.
    pub calls_queued_max: u32,
    /// The most calls to `async` functions that a replica works on at the same time.
    pub calls_concurrent_max: u32,
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
}

/// A node that an edge reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The node; a call goes to one of its replicas.
    pub node: NodeId,
    /// The name under which its component exports the interface.
    pub interface: String,
}

/// A directory of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirPlan {
    /// The absolute path of the directory.
    pub host: PathBuf,
    /// The absolute path under which the guest sees it.
    pub guest: String,
    /// What the guest may do in it.
    pub access: Access,
}

/// Lowers a linked program for a launch type.
pub fn lower(linked: &Linked, launch_type: LaunchType) -> Plan {
    let program = &linked.program;
    let facts = program.nodes.iter().zip(&linked.components).zip(&linked.bindings);
    let nodes: Vec<_> = facts.map(|((node, component), bindings)| node_plan(node, component, bindings)).collect();
    let workers = match launch_type {
        LaunchType::Threads => vec![WorkerPlan { replicas: replicas(&nodes).collect() }],
    };
    Plan {
        program: program.name.clone(),
        launch_type,
        nodes,
        workers,
        grace_ms: millis(program.grace),
        message_bytes_max: program.message_bytes_max,
    }
}

fn replicas(nodes: &[NodePlan]) -> impl Iterator<Item = ReplicaId> {
    let ids = (0..).map(NodeId).zip(nodes);
    ids.flat_map(|(id, node)| (0..node.replicas).map(move |index| ReplicaId { node: id, index }))
}

fn node_plan(node: &Node, component: &Component, bindings: &[Binding]) -> NodePlan {
    NodePlan {
        name: node.name.clone(),
        component: node.component.clone(),
        uses_async: component.uses_async,
        replicas: node.replicas,
        run: component.run.filter(|_| node.run),
        couriers: component
            .couriers
            .iter()
            .map(|courier| CourierPlan { interface: courier.name.clone(), methods: methods(courier) })
            .collect(),
        edges: bindings.iter().map(|binding| edge(node, binding)).collect(),
        args: node.args.clone(),
        env: node.env.clone(),
        config: node.config.clone(),
        dirs: node
            .sandbox
            .dirs
            .iter()
            .map(|dir| DirPlan { host: dir.host.clone(), guest: dir.guest.clone(), access: dir.access })
            .collect(),
        memory_bytes_max: node.sandbox.memory_bytes_max,
        calls_queued_max: node.inbox.queued_max,
        calls_concurrent_max: node.inbox.concurrent_max,
    }
}

fn methods(interface: &Interface) -> Vec<MethodPlan> {
    let methods = interface.methods.iter();
    methods.map(|method| MethodPlan { name: method.name.clone(), is_async: method.is_async }).collect()
}

fn edge(node: &Node, binding: &Binding) -> Edge {
    Edge {
        import: binding.import.clone(),
        style: match binding.style {
            BindingStyle::Plain => EdgeStyle::Plain,
            BindingStyle::Handles => EdgeStyle::Handles,
        },
        methods: methods(&binding.interface),
        handles: binding
            .handles
            .iter()
            .map(|bound| {
                let handle = node.handles.iter().find(|handle| handle.name == bound.handle);
                edge_handle(handle.expect("a binding names a handle of its node"), bound)
            })
            .collect(),
    }
}

fn edge_handle(handle: &Handle, bound: &BoundHandle) -> EdgeHandle {
    let target = |target: &crate::program::BoundTarget| Target {
        node: NodeId(u32::try_from(target.node).expect("a program file is too small for so many nodes")),
        interface: target.interface.clone(),
    };
    EdgeHandle {
        name: handle.name.clone(),
        targets: bound.targets.iter().map(target).collect(),
        timeout_ms: handle.timeout.map(millis),
        wait_for_ready: handle.wait_for_ready,
    }
}

/// Whole milliseconds; what is longer than half a billion years is as good as that.
fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
}

impl fmt::Display for LaunchType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = LaunchType::NAMES.iter().find(|(launch_type, _)| launch_type == self);
        f.write_str(names.expect("every launch type is in the list").1[0])
    }
}

impl FromStr for LaunchType {
    type Err = UnknownLaunchType;

    fn from_str(name: &str) -> Result<LaunchType, UnknownLaunchType> {
        let found = LaunchType::NAMES.iter().find(|(_, names)| names.contains(&name));
        found.map(|(launch_type, _)| *launch_type).ok_or_else(|| UnknownLaunchType { name: name.to_owned() })
    }
}

fn known_names() -> String {
    let names = LaunchType::NAMES.iter().map(|(_, names)| match names {
        [name, aliases @ ..] if !aliases.is_empty() => format!("`{name}` (also `{}`)", aliases.join("`, `")),
        names => format!("`{}`", names.join("`, `")),
    });
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_type_is_known_by_its_aliases_and_prints_as_itself() {
        for name in ["threads", "local_mt", "test_mt"] {
            assert_eq!(name.parse::<LaunchType>().map(|launch_type| launch_type.to_string()), Ok("threads".to_owned()));
        }
        let error = "local_mp".parse::<LaunchType>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no launch type is named `local_mp`; there are `threads` (also `local_mt`, `test_mt`)"
        );
        assert_eq!(serde_json::to_string(&LaunchType::Threads).unwrap(), "\"threads\"");
    }
}
