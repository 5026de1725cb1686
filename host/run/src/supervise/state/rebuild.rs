//! Nodes that are rebuilt: their replicas end, all of them, before the first of them starts as what it is then. So no
//! rebuilt replica meets another as it was, whose types it may not share.

use std::collections::{BTreeMap, BTreeSet};

use lp_base::plan::{NodeId, ReplicaId};

use super::{Action, HasRun, Phase, Replica, Supervision};
use crate::supervise::Note;
use crate::supervise::budget::RestartBudget;
use crate::supervise::outcome::ReplicaState;

/// A rebuild under way.
pub(super) struct Rebuild {
    replicas: BTreeMap<ReplicaId, HasRun>,
    /// Those that have not ended yet.
    ending: BTreeSet<ReplicaId>,
}

impl Rebuild {
    /// Asks a replica to stop, unless it has ended already.
    fn end(&mut self, id: ReplicaId, replica: &mut Replica, actions: &mut Vec<Action>) {
        // Its colocation may end, and what it was with it, but not what it will be.
        replica.ending = false;
        if replica.state == ReplicaState::Restarting {
            return;
        }
        if replica.is_gone() {
            replica.await_restart(replica.state);
            return;
        }
        self.ending.insert(id);
        actions.push(Action::StopReplica(id));
        if !replica.is_busy() {
            actions.push(Action::PauseReplica(id));
        }
    }
}

impl Supervision {
    /// Whether nodes can be rebuilt now. Elsewhere what they become waits: for the end of what is rebuilt, or for the
    /// next start of the program.
    pub(in crate::supervise) fn takes_rebuilds(&self) -> bool {
        self.rebuild.is_none() && self.phase == Phase::Running
    }

    /// Asks the replicas of rebuilt nodes to stop.
    pub(super) fn rebuild(&mut self, nodes: &BTreeMap<NodeId, HasRun>, actions: &mut Vec<Action>) {
        let mut rebuild = Rebuild { replicas: BTreeMap::new(), ending: BTreeSet::new() };
        for (&node, &has_run) in nodes {
            for id in self.replicas.of(node) {
                rebuild.replicas.insert(id, has_run);
                self.replicas.change(id, |replica| rebuild.end(id, replica, actions));
            }
        }
        self.rebuild = Some(rebuild);
        self.rebuilds += 1;
        actions.push(Action::GraceRebuild(self.rebuilds));
        self.advance_rebuild(actions);
    }

    /// A replica that only serves from here on takes no more calls, if it is rebuilt.
    pub(super) fn pause_for_rebuild(&self, id: ReplicaId, actions: &mut Vec<Action>) {
        if self.rebuild.as_ref().is_some_and(|rebuild| rebuild.ending.contains(&id)) {
            actions.push(Action::PauseReplica(id));
        }
    }

    /// Takes note of the end of a replica, and whether it ended since it is rebuilt.
    pub(super) fn ended_for_rebuild(&mut self, id: ReplicaId, last: ReplicaState, actions: &mut Vec<Action>) -> bool {
        let is_ending = self.rebuild.as_mut().is_some_and(|rebuild| rebuild.ending.remove(&id));
        if is_ending {
            self.replicas.change(id, |replica| replica.await_restart(last));
            self.advance_rebuild(actions);
        }
        is_ending
    }

    /// Drops the replicas that have not ended within the grace period.
    pub(super) fn drop_late(&mut self, number: u32, actions: &mut Vec<Action>) {
        let Some(rebuild) = self.rebuild.as_mut().filter(|_| number == self.rebuilds) else { return };
        let late = std::mem::take(&mut rebuild.ending);
        let mut dropped = Vec::new();
        for id in late {
            self.replicas.change(id, |replica| {
                replica.await_restart(ReplicaState::Killed);
                dropped.push(replica.label.clone());
            });
            actions.push(Action::DropReplica(id));
        }
        actions.push(Action::Note(Note::Killing { replicas: dropped }));
        self.advance_rebuild(actions);
    }

    /// Starts the replicas as what they are now, once none is left of what they were.
    fn advance_rebuild(&mut self, actions: &mut Vec<Action>) {
        let Some(rebuild) = self.rebuild.take_if(|rebuild| rebuild.ending.is_empty()) else { return };
        actions.push(Action::Replace);
        self.idle_told = false;
        for (id, has_run) in rebuild.replicas {
            self.replicas.change(id, |replica| {
                (replica.state, replica.has_run) = (ReplicaState::Starting, has_run);
                replica.restarts += 1;
            });
            let Some(replica) = self.replicas.get(id) else { continue };
            // Its failures were those of other code.
            let budget = &mut self.budgets[replica.budget];
            *budget = RestartBudget::new(*budget.restart());
            if let Some(colocation) = replica.colocation {
                self.colocations[colocation].revive();
            }
            actions.push(Action::Start(id));
        }
    }
}
