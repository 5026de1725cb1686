//! The credentials of a run: a secret for each edge, made anew for every run and kept in the memory of its processes.

use std::collections::{BTreeMap, BTreeSet};

use lp_base::plan::{NodeId, Plan};
use lp_base::scheduler::Scheduler;
use lp_courier::Credential;

use crate::worker::{Caller, EdgeCredential, WorkerCredentials};

/// One credential for everybody who may call a node, and for each node that they may call.
#[derive(Debug)]
pub struct Credentials(BTreeMap<(Caller, NodeId), Credential>);

/// A system that can't make secrets.
#[derive(Debug, thiserror::Error)]
#[error("failed to make the credentials of the run")]
pub struct NoRandomness(#[source] std::io::Error);

impl Credentials {
    /// New credentials for a run of `plan`.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn random(plan: &Plan, scheduler: &Scheduler) -> Result<Self, NoRandomness> {
        let nodes = || (0..).map(NodeId).zip(&plan.nodes);
        let edges = plan.edges().into_iter().map(|(caller, callee)| (Caller::Node(caller), callee));
        let clients = nodes().filter(|(_, node)| node.listen.is_some()).map(|(id, _)| (Caller::Clients, id));
        let user =
            nodes().filter(|(_, node)| plan.watched || !node.couriers.is_empty()).map(|(id, _)| (Caller::User, id));
        let all = edges.chain(clients).chain(user);
        let made = all.map(|edge| Ok((edge, Credential::random(scheduler).map_err(NoRandomness)?)));
        made.collect::<Result<_, _>>().map(Self)
    }

    /// What `caller` shows to `callee`; `None` if it may not call it.
    pub fn of(&self, caller: Caller, callee: NodeId) -> Option<&Credential> {
        self.0.get(&(caller, callee))
    }

    /// What worker number `index` has to know: nothing of the edges between others.
    pub fn of_worker(&self, plan: &Plan, index: usize) -> WorkerCredentials {
        let own: BTreeSet<_> = plan.workers[index].replicas.iter().map(|replica| replica.node).collect();
        let edges = self.0.iter().map(|(&(caller, callee), credential)| {
            let credential = credential.clone();
            EdgeCredential { caller, callee, credential }
        });
        let shown = |edge: &EdgeCredential| match edge.caller {
            Caller::Node(node) => own.contains(&node),
            // Only the node itself hands on what its clients ask for.
            Caller::Clients => own.contains(&edge.callee),
            Caller::User => false,
        };
        WorkerCredentials {
            shown: edges.clone().filter(shown).collect(),
            accepted: edges.filter(|edge| own.contains(&edge.callee)).collect(),
            tls: None,
        }
    }
}
