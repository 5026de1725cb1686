//! By what the nodes of different workers know each other: the credentials that one worker holds, as it was told them.

use std::collections::HashMap;
use std::sync::Arc;

use lp_base::calls::ReplicaIndex;
use lp_base::plan::{NodeId, Plan};
use lp_courier::{Bearer, Credential, Passes, Permits};
use lp_trust::WorkerTls;
use serde::{Deserialize, Serialize};

/// Who may call a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// The replicas of a node that holds a handle of it.
    Node(NodeId),
    /// Clients outside of the program that reached another of its own replicas, where it listens.
    Clients,
    /// Whoever runs the program, by `lp-host call`.
    User,
}

/// The credential of one edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeCredential {
    /// Who shows it.
    pub caller: Caller,
    /// Who accepts it, and no other node does.
    pub callee: NodeId,
    /// What is shown.
    pub credential: Credential,
}

/// The credentials of the edges out of a worker's nodes and into them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerCredentials {
    /// What its own nodes show to others.
    pub shown: Vec<EdgeCredential>,
    /// What its own nodes accept.
    pub accepted: Vec<EdgeCredential>,
    /// Who the worker is to those on other hosts, if there are any.
    pub tls: Option<WorkerTls>,
}

impl WorkerCredentials {
    /// What the worker's callers show, by the node that they call.
    pub(super) fn passes(&self, plan: &Plan) -> HashMap<NodeId, Arc<Passes>> {
        let mut passes: HashMap<NodeId, Vec<_>> = HashMap::new();
        let numbers = plan.replica_numbers();
        for EdgeCredential { caller, callee, credential } in &self.shown {
            let passes = passes.entry(*callee).or_default();
            match caller {
                Caller::Node(node) => {
                    let numbers = numbers[node.0 as usize].clone();
                    passes.extend(numbers.map(|index| (Some(ReplicaIndex(index)), credential.clone())));
                }
                Caller::Clients | Caller::User => passes.push((None, credential.clone())),
            }
        }
        passes.into_iter().map(|(callee, passes)| (callee, Arc::new(passes.into_iter().collect()))).collect()
    }

    /// What each of the worker's nodes accepts.
    pub(super) fn permits(&self, plan: &Plan) -> HashMap<NodeId, Arc<Permits>> {
        let mut permits: HashMap<NodeId, Vec<_>> = HashMap::new();
        let numbers = plan.replica_numbers();
        for EdgeCredential { caller, callee, credential } in &self.accepted {
            let bearer = match caller {
                Caller::Node(node) => Bearer::Node(numbers[node.0 as usize].clone()),
                Caller::Clients | Caller::User => Bearer::Outside,
            };
            permits.entry(*callee).or_default().push((credential.clone(), bearer));
        }
        permits.into_iter().map(|(callee, permits)| (callee, Arc::new(permits.into_iter().collect()))).collect()
    }
}
