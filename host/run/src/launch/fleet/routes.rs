//! The worker of each replica and the workers of its callers, read off the plan once.

use std::collections::{BTreeSet, HashMap};

use lp_base::plan::{NodeId, Plan, ReplicaId, WorkerPlan};

use crate::launch::WorkerFiles;

/// The workers of each replica and of its callers.
pub(super) struct Routes {
    /// The worker of each replica, by its index in the plan.
    worker_of: HashMap<ReplicaId, usize>,
    /// The workers from which calls to a node may come.
    callers_of: HashMap<NodeId, BTreeSet<usize>>,
    /// The workers from which calls to a worker may come.
    callers_of_worker: Vec<BTreeSet<usize>>,
}

impl Routes {
    /// Those of `plan`.
    pub fn new(plan: &Plan) -> Self {
        let mut routes = Self { worker_of: HashMap::new(), callers_of: HashMap::new(), callers_of_worker: Vec::new() };
        for (index, worker) in plan.workers.iter().enumerate() {
            routes.worker_of.extend(worker.replicas.iter().map(|&replica| (replica, index)));
            let nodes: BTreeSet<_> = worker.replicas.iter().map(|replica| replica.node).collect();
            // A node that listens passes its clients' calls on to its other replicas.
            let listening = WorkerFiles::listening(plan, index).into_iter();
            let called = nodes.iter().flat_map(|&node| &plan.node(node).callees).copied();
            for node in called.chain(listening) {
                routes.callers_of.entry(node).or_default().insert(index);
            }
        }
        let callers = |worker: &WorkerPlan| worker.replicas.iter().flat_map(|&id| routes.callers_of(id)).collect();
        routes.callers_of_worker = plan.workers.iter().map(callers).collect();
        routes
    }

    /// The worker that runs a replica.
    pub fn worker_of(&self, replica: ReplicaId) -> Option<usize> {
        self.worker_of.get(&replica).copied()
    }

    /// The workers that have to know where a worker is.
    pub fn callers_of_worker(&self, index: usize) -> &BTreeSet<usize> {
        &self.callers_of_worker[index]
    }

    /// The workers that have to know whether a replica is there, but for its own.
    pub fn callers_of(&self, replica: ReplicaId) -> impl Iterator<Item = usize> {
        let own = self.worker_of(replica);
        self.callers_of.get(&replica.node).into_iter().flatten().copied().filter(move |index| Some(*index) != own)
    }
}
