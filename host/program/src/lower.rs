//! From a linked program to its plan, without any input or output.

use std::collections::BTreeSet;
use std::time::Duration;

use lp_base::plan::{
    ComponentPlan, CourierPlan, Edge, EdgeHandle, GroupPlan, LaunchType, LimitsPlan, MethodPlan, NodeId, NodeKind,
    NodePlan, Plan, ReplicaId, RestartPlan, Target, WorkerPlan,
};
use lp_base::words::ColocationMode;

use crate::program::{Binding, BoundHandle, BoundTarget, Colocation, Handle, Linked, Node, Program};
use lp_component::component::{Interface, Method};

/// Lowers a linked program for a launch type.
pub fn lower(linked: &Linked, launch_type: LaunchType) -> Plan {
    let program = &linked.program;
    let nodes = (0..program.nodes.len()).map(|index| node_plan(linked, index));
    let mut plan = Plan {
        program: program.name.clone(),
        launch_type,
        nodes: nodes.collect(),
        workers: Vec::new(),
        groups: Vec::new(),
        grace_ms: millis(program.grace),
        message_bytes_max: program.message_bytes_max,
        hardening: program.hardening,
        watched: false,
    };
    plan.groups = program.colocations.iter().map(|colocation| group(&plan, colocation)).collect();
    for group in &plan.groups {
        let Some(restart) = group.restart else { continue };
        for replica in &group.replicas {
            plan.nodes[replica.node.0 as usize].restart = restart;
        }
    }
    plan.workers = match launch_type {
        LaunchType::Threads => {
            vec![WorkerPlan { name: plan.program.clone(), replicas: plan.replicas().collect(), group: None }]
        }
        LaunchType::Processes => process_workers(&plan),
    };
    plan
}

fn group(plan: &Plan, colocation: &Colocation) -> GroupPlan {
    let colocated = |replica: &ReplicaId| colocation.nodes.contains(&plan.node(replica.node).name);
    GroupPlan {
        name: colocation.name.clone(),
        mode: colocation.mode,
        replicas: plan.replicas().filter(colocated).collect(),
        restart: colocation.restart.map(RestartPlan::from),
        return_on_first_completed: colocation.return_on_first_completed,
    }
}

/// A worker for each group of threads and for each other replica, in the order of their first replicas.
fn process_workers(plan: &Plan) -> Vec<WorkerPlan> {
    let mut workers: Vec<WorkerPlan> = Vec::new();
    for replica in plan.replicas() {
        let group = plan.group_of(replica);
        let number = group.map(|index| u32::try_from(index).expect("a program has fewer colocations than nodes"));
        let shared = group.map(|index| &plan.groups[index]).filter(|group| group.mode == ColocationMode::Threads);
        match (shared, workers.iter_mut().find(|worker| shared.is_some() && worker.group == number)) {
            (Some(_), Some(worker)) => worker.replicas.push(replica),
            (shared, _) => {
                let name = shared.map_or_else(|| plan.label(replica), |group| group.name.clone());
                workers.push(WorkerPlan { name, replicas: vec![replica], group: number });
            }
        }
    }
    workers
}

fn node_plan(linked: &Linked, index: usize) -> NodePlan {
    let Linked { program, components, bindings, authorities, sandboxes, warnings: _ } = linked;
    let (node, component) = (&program.nodes[index], &components[index]);
    NodePlan {
        name: node.name.clone(),
        kind: NodeKind::Component(ComponentPlan {
            file: node.component.clone(),
            sha256: component.sha256,
            uses_async: component.uses_async,
            run: component.run.filter(|_| node.run),
        }),
        replicas: node.replicas,
        couriers: component
            .couriers
            .iter()
            .map(|courier| CourierPlan { interface: courier.name.clone(), methods: methods(courier) })
            .collect(),
        edges: bindings[index].iter().map(|binding| edge(node, binding)).collect(),
        callees: callees(program, node),
        args: node.args.clone(),
        env: node.env.clone(),
        config: node.config.clone(),
        sandbox: sandboxes[index].clone(),
        authorities: authorities[index].clone(),
        restart: node.restart.into(),
        listen: node.listen,
        limits: LimitsPlan::of(|limit| program.limit(node, limit)),
    }
}

fn callees(program: &Program, node: &Node) -> BTreeSet<NodeId> {
    let held: BTreeSet<_> = node.handles.iter().flat_map(|handle| &handle.nodes).collect();
    let callees = (0..).map(NodeId).zip(&program.nodes).filter(|(_, node)| held.contains(&node.name));
    callees.map(|(id, _)| id).collect()
}

fn methods(interface: &Interface) -> Vec<MethodPlan> {
    let method = |method: &Method| MethodPlan {
        name: method.name.clone(),
        is_async: method.is_async,
        returns_call_error: method.returns_call_error(),
    };
    interface.methods.iter().map(method).collect()
}

fn edge(node: &Node, binding: &Binding) -> Edge {
    Edge {
        import: binding.import.clone(),
        style: binding.style,
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
