//! Groups that end when the first `run` of one of their nodes returns.

use lp_base::plan::{ColocationPlan, ReplicaId};

use super::{Action, Phase, Supervision};
use crate::supervise::Note;
use crate::supervise::outcome::ReplicaState;

/// A colocation of replicas, and how far its end has come.
pub(super) struct Colocation {
    replicas: Vec<ReplicaId>,
    /// Whether the first `run` that returns ends the other replicas.
    ends_with_first: bool,
    pub(super) phase: Phase,
}

impl Colocation {
    /// Takes note that one of its replicas starts again.
    pub(super) fn revive(&mut self) {
        self.phase = Phase::Running;
    }

    pub(super) fn new(colocation: &ColocationPlan) -> Self {
        let ends_with_first = colocation.return_on_first_completed;
        Self { replicas: colocation.replicas.clone(), ends_with_first, phase: Phase::Running }
    }
}

impl Supervision {
    /// The `run` of `first` has returned: if its colocation ends with that, the other replicas are asked to stop.
    pub(super) fn complete_group(&mut self, first: ReplicaId, actions: &mut Vec<Action>) {
        let Some(index) = self.replicas.get(first).and_then(|replica| replica.colocation) else { return };
        let colocation = &mut self.colocations[index];
        if !colocation.ends_with_first || colocation.phase > Phase::Running || self.phase > Phase::Running {
            return;
        }
        colocation.phase = Phase::Stopping;
        for &id in &colocation.replicas {
            self.replicas.change(id, |replica| {
                replica.ending = true;
                replica.give_up_restart(id, actions);
                if replica.is_busy() {
                    actions.push(Action::StopReplica(id));
                }
            });
        }
        actions.push(Action::GraceColocation(index));
    }

    /// Gives up on the replicas that hold up the end of a colocation.
    pub(super) fn kill_colocation(&mut self, index: usize, actions: &mut Vec<Action>) {
        if self.phase > Phase::Running {
            // The program's own deadline holds for all.
            return;
        }
        let colocation = &self.colocations[index];
        let mut killed = Vec::new();
        for &id in &colocation.replicas {
            self.replicas.change(id, |replica| {
                if !replica.is_gone() && (colocation.phase == Phase::Closing || replica.is_busy()) {
                    replica.state = ReplicaState::Killed;
                    killed.push(replica.label.clone());
                    actions.push(Action::KillReplica(id));
                }
            });
        }
        if !killed.is_empty() {
            actions.push(Action::Note(Note::Killing { replicas: killed }));
        }
    }

    /// Closes the colocations in which no `run` is left of those that were asked to stop. Nothing can have become of a colocation
    /// of which no replica changed.
    pub(super) fn advance_groups(&mut self, actions: &mut Vec<Action>) {
        for index in self.replicas.take_changed_colocations() {
            let colocation = &mut self.colocations[index];
            if colocation.phase == Phase::Stopping && self.replicas.colocation_counts(index).busy == 0 {
                let is_present = |id: &&ReplicaId| self.replicas.get(**id).is_some_and(|replica| !replica.is_gone());
                actions.extend(colocation.replicas.iter().filter(is_present).map(|&id| Action::CloseReplica(id)));
                colocation.phase = Phase::Closing;
                actions.push(Action::GraceColocation(index));
            }
        }
    }
}
