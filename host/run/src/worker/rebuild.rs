//! Nodes whose components are replaced while the worker runs: their mailboxes stay, with the calls that wait in them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use lp_base::plan::{ComponentFiles, NodeId, NodeKind, NodePlan, Plan, ReplicaId};
use lp_base::replica::{ReplicaSpec, Stop};
use tokio::sync::mpsc;

use super::components::Components;
use super::{Endpoints, Worker, WorkerError, prepare, temporary_dir};

/// What a node is with another component. What it is granted, its limits and its arguments stay as they are, whatever the
/// launcher says: they were checked when the run began, on another machine by its agent.
///
/// # Errors
/// If either is no component.
pub fn replaced(own: &NodePlan, rebuilt: NodePlan) -> Result<NodePlan, WorkerError> {
    match (&own.kind, &rebuilt.kind) {
        (NodeKind::Component(_), NodeKind::Component(_)) => {}
        (own, rebuilt) if own == rebuilt => {}
        _ => return Err(WorkerError::NotReplaced),
    }
    let NodePlan { kind, couriers, edges, .. } = rebuilt;
    Ok(NodePlan { kind, couriers, edges, ..own.clone() })
}

impl Worker {
    /// Has the replicas of `nodes` run these components from their next start on, and those who call them know the functions
    /// that they have then. They must have ended, or been dropped. After an error they are as they were.
    ///
    /// The new components get an engine of their own, because the pools of the others were sized without them.
    pub(super) fn rebuild(
        &mut self,
        nodes: Vec<(NodeId, NodePlan)>,
        files: &ComponentFiles,
    ) -> Result<(), WorkerError> {
        let rebuilt = nodes.iter().map(|(id, _)| *id).collect();
        let mut plan = self.plan.clone();
        for (NodeId(index), node) in nodes {
            let own = plan.nodes.get_mut(index as usize).ok_or(WorkerError::NotReplaced)?;
            *own = replaced(own, node)?;
        }
        self.replace(&plan, files, &rebuilt)?;
        self.plan = plan;
        Ok(())
    }

    fn replace(&mut self, plan: &Plan, files: &ComponentFiles, nodes: &BTreeSet<NodeId>) -> Result<(), WorkerError> {
        self.peers.renew(plan, nodes);
        let own: Vec<ReplicaId> =
            self.replicas.keys().filter(|replica| nodes.contains(&replica.node)).copied().collect();
        if own.is_empty() {
            return Ok(());
        }
        // They are in the cache, where there is one.
        let (compiling, _) = mpsc::unbounded_channel();
        let components = Components::load(plan, files, &own, self.cache.clone(), &compiling, &self.scheduler)?;
        let mut linked = HashMap::new();
        // The sockets of nodes stay with those who have them.
        let mut endpoints = Endpoints::default();
        for id in own.iter().map(|replica| replica.node).collect::<BTreeSet<_>>() {
            let node = plan.node(id);
            linked.insert(
                id,
                (Arc::new(node.clone()), prepare(plan, id, &self.peers, &components, files, &mut endpoints)?),
            );
        }
        self.servers.renew(plan, nodes, &self.peers, &components, &self.scheduler)?;
        for replica in own {
            let local = self.replicas.get_mut(&replica).expect("it is one of the worker's own");
            let (node, prepared) = linked[&replica.node].clone();
            let (node, temporary_dir) = temporary_dir::grant(plan, replica, node, self.run_dir.as_deref());
            local.spec = Arc::new(ReplicaSpec {
                program: local.spec.program.clone(),
                node,
                secrets: local.spec.secrets.clone(),
                index: replica.index,
                number: local.spec.number,
                label: local.spec.label.clone(),
                stop: Stop::default(),
                sink: local.spec.sink.clone(),
                scheduler: local.spec.scheduler.clone(),
                memory_bytes: local.spec.memory_bytes.clone(),
            });
            (local.node, local.temporary_dir, local.runtime) = (prepared, temporary_dir, components.runtime.clone());
            local.mailbox.reopen();
        }
        Ok(())
    }

    /// Has a replica end without taking another call; those that wait are for its next life.
    pub(super) fn pause_replica(&self, replica: ReplicaId) {
        if let Some(mailbox) = self.mailbox(replica) {
            mailbox.pause();
        }
    }

    /// Drops a replica that is to start again, wherever its guest is, and tells nobody.
    pub(super) fn drop_replica(&self, replica: ReplicaId) {
        let Some(local) = self.replicas.get(&replica) else { return };
        local.mailbox.suspend();
        if let Some(task) = &local.task {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use lp_base::plan::{CourierPlan, DoublePlan};
    use lp_base::words::{Digest, RunExport};

    use super::*;
    use crate::fixture;

    #[test]
    fn a_rebuild_changes_what_a_node_is_and_not_what_it_may_do() {
        let mut own = NodePlan { args: vec!["checked".to_owned()], ..fixture::node("a") };
        own.limits.fuel = Some(1);
        let couriers = vec![CourierPlan { interface: "test:count/counter".to_owned(), methods: Vec::new() }];
        let mut wanted = NodePlan { kind: fixture::kind(Some(RunExport::V0_3)), couriers, ..fixture::node("b") };
        wanted.sandbox.inherit_env.push("KEY".to_owned());
        let found = replaced(&own, wanted.clone()).expect("both are components");
        assert_eq!((&found.kind, &found.couriers), (&wanted.kind, &wanted.couriers));
        let NodePlan { kind, couriers, .. } = own.clone();
        assert_eq!(NodePlan { kind, couriers, ..found }, own);
        let double = DoublePlan { sha256: Digest::of(b""), answers: Vec::new() };
        assert!(replaced(&own, NodePlan { kind: NodeKind::Double(double), ..wanted }).is_err());
    }
}
