//! From a linked program to its plan, without any input or output.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use lp_base::plan::{
    AnswerPlan, ColocationPlan, ComponentFiles, ComponentPlan, CourierPlan, DoublePlan, Edge, EdgeHandle, LaunchType,
    LimitsPlan, MethodPlan, NodeId, NodeKind, NodePlan, Plan, ReplayPlan, ReplicaId, RestartPlan, Target, WorkerPlan,
};
use lp_base::words::{ColocationMode, ReplayAccess};

use crate::program::{Answer, Binding, BoundHandle, BoundTarget, Colocation, Handle, Linked, Node, Program};
use lp_component::component::{Component, Interface, Method};

/// The nodes of a program by their names.
type NodeIds<'p> = HashMap<&'p str, NodeId>;

/// Lowers a linked program for a launch type, and says where this machine has its components.
pub fn lower(linked: &Linked, launch_type: LaunchType) -> (Plan, ComponentFiles) {
    let program = &linked.program;
    let ids: NodeIds<'_> = program.nodes.iter().map(|node| node.name.as_str()).zip((0..).map(NodeId)).collect();
    let mut nodes: Vec<_> = (0..program.nodes.len()).map(|index| node_plan(linked, index, &ids)).collect();
    let colocations = (0..)
        .zip(&program.colocations)
        .map(|(number, colocation)| colocation_plan(number, colocation, &ids, &mut nodes));
    let colocations = colocations.collect();
    let mut plan = Plan {
        program: program.name.clone(),
        launch_type,
        nodes,
        workers: Vec::new(),
        colocations,
        grace_ms: millis(program.grace),
        message_bytes_max: program.message_bytes_max,
        hardening: program.hardening,
        watched: false,
    };
    let components = linked.components.iter().zip(&program.nodes).filter(|(_, node)| node.replay.is_none());
    let files = components.map(|(component, node)| (component.sha256, node.component.clone())).collect();
    plan.workers = match launch_type {
        LaunchType::Threads => {
            vec![WorkerPlan { name: plan.program.clone(), replicas: plan.replicas().collect(), colocation: None }]
        }
        LaunchType::Processes | LaunchType::Remote => process_workers(&plan),
    };
    (plan, files)
}

/// The colocation of that number, which its nodes are told of, and of the restarts that it gives them.
fn colocation_plan(number: u32, colocation: &Colocation, ids: &NodeIds<'_>, nodes: &mut [NodePlan]) -> ColocationPlan {
    let restart = colocation.restart.map(RestartPlan::from);
    let members: BTreeSet<_> = colocation.nodes.iter().filter_map(|name| ids.get(name.as_str()).copied()).collect();
    let mut replicas = Vec::new();
    for id in members {
        let node = &mut nodes[id.0 as usize];
        node.colocation = Some(number);
        node.restart = restart.unwrap_or(node.restart);
        replicas.extend((0..node.replicas).map(|index| ReplicaId { node: id, index }));
    }
    ColocationPlan {
        name: colocation.name.clone(),
        mode: colocation.mode,
        replicas,
        restart,
        return_on_first_completed: colocation.return_on_first_completed,
    }
}

/// A worker for each colocation of threads and for each other replica, in the order of their first replicas.
fn process_workers(plan: &Plan) -> Vec<WorkerPlan> {
    let mut workers: Vec<WorkerPlan> = Vec::new();
    // The place of the worker of each colocation of threads, once it has one.
    let mut places: Vec<Option<usize>> = vec![None; plan.colocations.len()];
    for replica in plan.replicas() {
        let is_threads = |&colocation: &usize| plan.colocations[colocation].mode == ColocationMode::Threads;
        let shared = plan.colocation_of(replica).filter(is_threads);
        if let Some(place) = shared.and_then(|colocation| places[colocation]) {
            workers[place].replicas.push(replica);
            continue;
        }
        let name = match shared {
            Some(colocation) => {
                places[colocation] = Some(workers.len());
                plan.colocations[colocation].name.clone()
            }
            None => plan.label(replica),
        };
        workers.push(WorkerPlan { name, replicas: vec![replica], colocation: plan.node(replica.node).colocation });
    }
    workers
}

fn node_plan(linked: &Linked, index: usize, ids: &NodeIds<'_>) -> NodePlan {
    let Linked { program, components, bindings, authorities, admissions, sandboxes, warnings: _ } = linked;
    let (node, component) = (&program.nodes[index], &components[index]);
    let handles = node.handles.iter().map(|handle| (handle.name.as_str(), handle)).collect();
    NodePlan {
        name: node.name.clone(),
        kind: kind(linked, node, component, ids),
        replicas: node.replicas,
        colocation: None,
        couriers: component
            .couriers
            .iter()
            .map(|courier| CourierPlan { interface: courier.name.clone(), methods: methods(courier) })
            .collect(),
        edges: bindings[index].iter().map(|binding| edge(&handles, binding)).collect(),
        callees: callees(node, ids),
        args: node.args.clone(),
        env: node.env.clone(),
        config: node.config.clone(),
        sandbox: sandboxes[index].clone(),
        authorities: authorities[index].clone(),
        restart: node.restart.into(),
        listen: node.listen,
        admission: admissions[index].clone(),
        hosts: node.hosts.clone(),
        slurm: node.slurm.clone(),
        kubernetes: node.kubernetes.clone(),
        limits: LimitsPlan::of(|limit| program.limit(node, limit)),
    }
}

fn kind(linked: &Linked, node: &Node, component: &Component, ids: &NodeIds<'_>) -> NodeKind {
    let sha256 = component.sha256;
    let Some(double) = &node.double else {
        if let Some(replay) = &node.replay {
            return NodeKind::Replay(ReplayPlan { replay: replay.clone(), access: access(&linked.program, node, ids) });
        }
        let run = component.run.filter(|_| node.run);
        return NodeKind::Component(ComponentPlan { sha256, uses_async: component.uses_async, run });
    };
    let answer = |answer: &Answer| AnswerPlan { line: answer.line.clone(), times: answer.times };
    NodeKind::Double(DoublePlan { sha256, answers: double.answers.iter().map(answer).collect() })
}

/// What the nodes that hold a handle of a replay node may do with it, by all of their handles.
fn access(program: &Program, node: &Node, ids: &NodeIds<'_>) -> Vec<(NodeId, BTreeSet<ReplayAccess>)> {
    let of_caller = |caller: &Node| {
        let handles = caller.handles.iter().filter(|handle| handle.nodes.contains(&node.name));
        let access: BTreeSet<_> = handles.flat_map(|handle| handle.access.iter().copied()).collect();
        (!access.is_empty()).then(|| (ids[caller.name.as_str()], access))
    };
    program.nodes.iter().filter_map(of_caller).collect()
}

fn callees(node: &Node, ids: &NodeIds<'_>) -> BTreeSet<NodeId> {
    let held = node.handles.iter().flat_map(|handle| &handle.nodes);
    held.filter_map(|name| ids.get(name.as_str()).copied()).collect()
}

fn methods(interface: &Interface) -> Vec<MethodPlan> {
    let method = |method: &Method| MethodPlan {
        name: method.name.clone(),
        is_async: method.is_async,
        returns_call_error: method.returns_call_error(),
    };
    interface.methods.iter().map(method).collect()
}

fn edge(handles: &HashMap<&str, &Handle>, binding: &Binding) -> Edge {
    Edge {
        import: binding.import.clone(),
        style: binding.style,
        methods: methods(&binding.interface),
        handles: binding
            .handles
            .iter()
            .map(|bound| {
                let handle = handles.get(bound.handle.as_str());
                edge_handle(handle.expect("a binding names a handle of its node"), bound)
            })
            .collect(),
    }
}

fn edge_handle(handle: &Handle, bound: &BoundHandle) -> EdgeHandle {
    let target = |target: &BoundTarget| Target {
        node: NodeId(u32::try_from(target.node).expect("a program file is too small for so many nodes")),
        interface: target.interface.clone(),
    };
    EdgeHandle {
        name: handle.name.clone(),
        targets: bound.targets.iter().map(target).collect(),
        timeout_ms: handle.timeout.map(millis),
        wait_for_ready: handle.wait_for_ready,
        pick: handle.pick,
        retry: handle.retry,
        when_full: handle.when_full,
    }
}

/// Whole milliseconds; what is longer than half a billion years is as good as that.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
