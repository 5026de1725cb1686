//! What a unit of a group needs of its machine, and where it may run.

use std::collections::BTreeSet;

use lp_base::plan::Plan;
use lp_base::words::SlurmRequest;

use crate::units::Group;

/// What the process of a unit may have beside the memory of its replicas, in bytes: lp-host itself, and compiled components.
const HOST_BYTES: u64 = 128 << 20;

/// What a unit needs, in what Slurm counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Processors; at least one.
    pub cpus: u64,
    /// Mebibytes.
    pub memory_mib: u64,
    /// GPUs.
    pub gpus: u64,
}

impl Needs {
    /// How many units of `unit` fit, by processors and memory.
    pub(super) fn room_for(&self, unit: &Needs) -> u64 {
        (self.cpus / unit.cpus).min(self.memory_mib / unit.memory_mib)
    }

    /// What is left once there are `count` units of `unit`.
    pub(super) fn without(&self, unit: &Needs, count: u64) -> Needs {
        let cpus = self.cpus - count * unit.cpus;
        Needs { cpus, memory_mib: self.memory_mib - count * unit.memory_mib, gpus: self.gpus }
    }

    /// Memory for each processor, in mebibytes, rounded up.
    pub(super) fn memory_per_cpu(&self) -> u64 {
        self.memory_mib.div_ceil(self.cpus)
    }
}

/// What a group asks of Slurm: the words of all its nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// What each of its units needs.
    pub unit: Needs,
    /// Where it may run, and who pays.
    pub place: Place,
    /// The longest time of its nodes, in seconds.
    pub time_s: Option<u64>,
    /// Further options of sbatch, each once.
    pub sbatch: Vec<String>,
}

/// What can't differ within one part of a job. What is not said is whatever the others say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The partition.
    pub partition: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The features of machines.
    pub constraint: Option<String>,
}

impl Place {
    /// Both, if nothing of them differs.
    pub(super) fn with(&self, other: &Place) -> Option<Place> {
        let agreed = |one: &Option<String>, other: &Option<String>| match (one, other) {
            (Some(one), Some(other)) if one != other => None,
            (one, other) => Some(one.as_ref().or(other.as_ref()).cloned()),
        };
        Some(Place {
            partition: agreed(&self.partition, &other.partition)?,
            account: agreed(&self.account, &other.account)?,
            constraint: agreed(&self.constraint, &other.constraint)?,
        })
    }

    /// Whether nothing is said.
    pub(super) fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

/// What a group asks for, or why it can't be had: its nodes are one process, and want different places for it.
pub fn asked(plan: &Plan, group: &Group) -> Result<Asked, String> {
    let mut asked = Asked { unit: unit(plan, group), ..Asked::default() };
    for &node in &group.nodes {
        let SlurmRequest { constraint, partition, account, time_s, sbatch, .. } = &plan.node(node).slurm;
        let own = Place { partition: partition.clone(), account: account.clone(), constraint: constraint.clone() };
        asked.place = asked.place.with(&own).ok_or_else(|| {
            format!(
                "the nodes of the colocation `{}` ask for different partitions, accounts or constraints, and run in one place",
                group.name
            )
        })?;
        asked.time_s = asked.time_s.max(*time_s);
        let mut known: BTreeSet<_> = asked.sbatch.iter().cloned().collect();
        asked.sbatch.extend(sbatch.iter().filter(|line| known.insert((*line).clone())).cloned());
    }
    Ok(asked)
}

/// What the first unit needs: all of a group are alike. Replicas that say nothing of processors share those of the others.
fn unit(plan: &Plan, group: &Group) -> Needs {
    let (mut cpus, mut bytes, mut gpus) = (0, 0u64, 0);
    let Some(first) = group.units.first() else { return Needs { cpus: 1, memory_mib: 1, gpus: 0 } };
    for &worker in &first.workers {
        let mut of_worker = 0u64;
        for replica in &plan.workers[worker].replicas {
            let node = plan.node(replica.node);
            cpus += u64::from(node.slurm.cpus.unwrap_or(0));
            gpus += u64::from(node.slurm.gpus.unwrap_or(0));
            of_worker = of_worker.saturating_add(node.slurm.memory_bytes.unwrap_or(node.limits.memory_bytes));
        }
        let says = |replica: &lp_base::plan::ReplicaId| plan.node(replica.node).slurm.memory_bytes.is_some();
        let is_said = plan.workers[worker].replicas.iter().any(says);
        bytes = bytes.saturating_add(of_worker).saturating_add(if is_said { 0 } else { HOST_BYTES });
    }
    Needs { cpus: cpus.max(1), memory_mib: bytes.div_ceil(1 << 20).max(1), gpus }
}
