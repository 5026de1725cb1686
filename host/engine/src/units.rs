//! The groups and units of a plan: what an engine starts, and what of it is alike.

use std::collections::{BTreeMap, BTreeSet};

use lp_base::plan::{NodeId, Plan};

/// What an engine runs as often as it has units: all replicas of a node, or a colocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name of the node or colocation, unique among the groups of a plan.
    pub name: String,
    /// Its nodes.
    pub nodes: BTreeSet<NodeId>,
    /// Its units, in the order of their replicas. A colocation has one.
    pub units: Vec<Unit>,
    /// The groups whose nodes its own may call, by their places in the list; itself too, if its replicas may call each other.
    pub callees: BTreeSet<usize>,
}

/// What an engine runs as one process, and so in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// `NAME-INDEX`, of the group and from 0: what the unit says that it is when it comes to the coordinator.
    pub name: String,
    /// The workers of the plan that run there, by their places in it.
    pub workers: Vec<usize>,
    /// How much memory its replicas may have together by `limits.memory`, in bytes.
    pub memory_bytes: u64,
}

/// The groups of a plan that was lowered for a launch type with a worker for each replica, in the order of their first workers.
pub fn groups(plan: &Plan) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut of_node: BTreeMap<NodeId, usize> = BTreeMap::new();
    for workers in plan.together() {
        let replicas = || workers.iter().flat_map(|&worker| &plan.workers[worker].replicas);
        let nodes: BTreeSet<_> = replicas().map(|replica| replica.node).collect();
        let memory = replicas().map(|replica| plan.node(replica.node).limits.memory_bytes);
        let memory_bytes = memory.fold(0, u64::saturating_add);
        let first = *nodes.first().expect("a worker has replicas");
        let group = *of_node.entry(first).or_insert_with(|| {
            groups.push(Group {
                name: name(plan, first),
                nodes: nodes.clone(),
                units: Vec::new(),
                callees: BTreeSet::new(),
            });
            groups.len() - 1
        });
        of_node.extend(nodes.into_iter().map(|node| (node, group)));
        let Group { name, units, .. } = &mut groups[group];
        units.push(Unit { name: format!("{name}-{}", units.len()), workers, memory_bytes });
    }
    for (caller, callee) in plan.edges() {
        groups[of_node[&caller]].callees.insert(of_node[&callee]);
    }
    groups
}

/// The unit that each worker of a plan runs in, by its place among the units of all groups in turn.
pub fn placed(groups: &[Group], workers: usize) -> Vec<usize> {
    let mut placed = vec![0; workers];
    for (place, unit) in groups.iter().flat_map(|group| &group.units).enumerate() {
        unit.workers.iter().for_each(|&worker| placed[worker] = place);
    }
    placed
}

/// What the group of a node is called: as its colocation, if it has one.
fn name(plan: &Plan, node: NodeId) -> String {
    let node = plan.node(node);
    let colocation = node.colocation.map(|colocation| &plan.colocations[colocation as usize].name);
    colocation.unwrap_or(&node.name).clone()
}
