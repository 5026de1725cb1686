//! Which host each worker of a plan runs on: a function of the plan, of what hosts have, and of where the others are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lp_base::plan::{NodeId, Plan};
use lp_base::words::{HostChoice, Placement, format_bytes};

use crate::hosts::Host;

/// The host of each worker, by its index in the list of hosts.
pub type Placed = Vec<usize>;

/// Workers that fit nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    /// What can't be placed: the names of workers that belong together.
    pub workers: Vec<String>,
    /// The name of each host, and what it lacks.
    pub lacks: Vec<(String, String)>,
}

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` can't be placed", self.workers.join("`, `"))?;
        self.lacks.iter().try_for_each(|(host, lack)| write!(f, "\n  `{host}` {lack}"))
    }
}

/// What stays together: a worker, or all of a colocation.
struct Unit {
    workers: Vec<usize>,
    nodes: BTreeSet<NodeId>,
    replicas: u32,
    memory: u64,
}

/// What runs on a host.
#[derive(Default, Clone)]
struct Load {
    replicas: u32,
    memory: u64,
    of_node: BTreeMap<NodeId, u32>,
}

/// Places all workers of `plan`.
///
/// # Errors
/// If some fit nowhere: all of those.
pub fn place(plan: &Plan, hosts: &[Host]) -> Result<Placed, Vec<Unplaced>> {
    let units = units(plan);
    let mut loads = vec![Load::default(); hosts.len()];
    let mut placed = vec![0; plan.workers.len()];
    let mut unplaced = Vec::new();
    // Those that are the hardest to place come first: few hosts that may do, then much that they need.
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by_key(|&unit| {
        let Unit { replicas, memory, .. } = &units[unit];
        let may = hosts.iter().filter(|host| unfit(plan, &units[unit], host).is_none()).count();
        (may, std::cmp::Reverse((*memory, *replicas)), unit)
    });
    for unit in order {
        let unit = &units[unit];
        match choose(plan, unit, hosts, &loads, |_| None) {
            Ok(host) => {
                loads[host].add(plan, unit);
                unit.workers.iter().for_each(|&worker| placed[worker] = host);
            }
            Err(lacks) => unplaced.push(refusal(plan, unit, lacks)),
        }
    }
    if unplaced.is_empty() { Ok(placed) } else { Err(unplaced) }
}

/// Another host for worker number `worker`, with all that stays together with it, since its own is not there; `absence` says
/// why one is not, if it is not. The others stay where they are.
///
/// # Errors
/// If it fits nowhere.
pub fn place_again(
    plan: &Plan,
    hosts: &[Host],
    placed: &mut Placed,
    worker: usize,
    absence: impl Fn(usize) -> Option<String>,
) -> Result<usize, Unplaced> {
    let units = units(plan);
    let mut loads = vec![Load::default(); hosts.len()];
    for unit in units.iter().filter(|unit| !unit.workers.contains(&worker)) {
        loads[placed[unit.workers[0]]].add(plan, unit);
    }
    let unit = units.iter().find(|unit| unit.workers.contains(&worker)).expect("every worker is in a unit");
    match choose(plan, unit, hosts, &loads, absence) {
        Ok(host) => {
            unit.workers.iter().for_each(|&worker| placed[worker] = host);
            Ok(host)
        }
        Err(lacks) => Err(refusal(plan, unit, lacks)),
    }
}

fn refusal(plan: &Plan, unit: &Unit, lacks: Vec<(String, String)>) -> Unplaced {
    Unplaced { workers: unit.workers.iter().map(|&worker| plan.workers[worker].name.clone()).collect(), lacks }
}

fn units(plan: &Plan) -> Vec<Unit> {
    let unit = |workers: Vec<usize>| {
        let mut unit = Unit { workers, nodes: BTreeSet::new(), replicas: 0, memory: 0 };
        for replica in unit.workers.iter().flat_map(|&worker| &plan.workers[worker].replicas) {
            unit.nodes.insert(replica.node);
            unit.replicas += 1;
            unit.memory = unit.memory.saturating_add(plan.node(replica.node).limits.memory_bytes);
        }
        unit
    };
    plan.together().into_iter().map(unit).collect()
}

/// Why a host will never do for a unit, whatever else runs there.
fn unfit(plan: &Plan, unit: &Unit, host: &Host) -> Option<String> {
    unit.nodes.iter().find_map(|&node| {
        let node = plan.node(node);
        let HostChoice { names, labels, .. } = &node.hosts;
        if !names.is_empty() && !names.contains(&host.name) {
            return Some(format!("is not among the `hosts` of `{}`", node.name));
        }
        let missing = labels.iter().find(|label| !host.labels.contains(*label))?;
        Some(format!("lacks the label `{missing}` that `{}` wants", node.name))
    })
}

/// Why a unit has no room on a host at the moment.
fn full(unit: &Unit, host: &Host, load: &Load) -> Option<String> {
    if let Some(slots) = host.slots {
        let free = slots.saturating_sub(load.replicas);
        if free < unit.replicas {
            return Some(format!("has {free} of {slots} slots free, where {} are needed", unit.replicas));
        }
    }
    if let Some(memory) = host.memory {
        let free = memory.saturating_sub(load.memory);
        if free < unit.memory {
            let [free, memory, needed] = [free, memory, unit.memory].map(format_bytes);
            return Some(format!("has {free} of {memory} memory free, where {needed} are needed"));
        }
    }
    None
}

/// The best host for a unit among those that are there.
fn choose(
    plan: &Plan,
    unit: &Unit,
    hosts: &[Host],
    loads: &[Load],
    absence: impl Fn(usize) -> Option<String>,
) -> Result<usize, Vec<(String, String)>> {
    let mut lacks = Vec::new();
    let mut fitting = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let absent = || absence(index).map(|why| format!("is not there: {why}"));
        let lack = unfit(plan, unit, host).or_else(absent).or_else(|| full(unit, host, &loads[index]));
        match lack {
            Some(lack) => lacks.push((host.name.clone(), lack)),
            None => fitting.push(index),
        }
    }
    let packs = unit.nodes.iter().any(|&node| plan.node(node).hosts.placement == Placement::Pack);
    let of_same = |host: usize| -> u32 {
        unit.nodes.iter().map(|node| loads[host].of_node.get(node).copied().unwrap_or_default()).sum()
    };
    let best = match packs {
        true => fitting.into_iter().min_by_key(|&host| (std::cmp::Reverse(of_same(host)), host)),
        false => fitting.into_iter().min_by_key(|&host| (of_same(host), loads[host].replicas, host)),
    };
    best.ok_or(lacks)
}

impl Load {
    fn add(&mut self, plan: &Plan, unit: &Unit) {
        self.replicas += unit.replicas;
        self.memory = self.memory.saturating_add(unit.memory);
        for replica in unit.workers.iter().flat_map(|&worker| &plan.workers[worker].replicas) {
            *self.of_node.entry(replica.node).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests;
