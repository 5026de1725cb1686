//! Groups that end when the first `run` of one of their nodes returns.

use lp_base::plan::{GroupPlan, ReplicaId};

use super::{Action, Phase, Supervision};
use crate::supervise::Note;
use crate::supervise::outcome::ReplicaState;

/// A group of replicas, and how far its end has come.
pub(super) struct Group {
    replicas: Vec<ReplicaId>,
    /// Whether the first `run` that returns ends the other replicas.
    ends_with_first: bool,
    pub(super) phase: Phase,
}

impl Group {
    /// Takes note that one of its replicas starts again.
    pub(super) fn revive(&mut self) {
        self.phase = Phase::Running;
    }

    pub(super) fn new(group: &GroupPlan) -> Self {
        let ends_with_first = group.return_on_first_completed;
        Self { replicas: group.replicas.clone(), ends_with_first, phase: Phase::Running }
    }
}

impl Supervision {
    /// The `run` of `first` has returned: if its group ends with that, the other replicas are asked to stop.
    pub(super) fn complete_group(&mut self, first: ReplicaId, actions: &mut Vec<Action>) {
        let Some(index) = self.replicas.get(first).and_then(|replica| replica.group) else { return };
        let group = &mut self.groups[index];
        if !group.ends_with_first || group.phase > Phase::Running || self.phase > Phase::Running {
            return;
        }
        group.phase = Phase::Stopping;
        for &id in &group.replicas {
            self.replicas.change(id, |replica| {
                replica.ending = true;
                replica.give_up_restart(id, actions);
                if replica.is_busy() {
                    actions.push(Action::StopReplica(id));
                }
            });
        }
        actions.push(Action::GraceGroup(index));
    }

    /// Gives up on the replicas that hold up the end of a group.
    pub(super) fn kill_group(&mut self, index: usize, actions: &mut Vec<Action>) {
        if self.phase > Phase::Running {
            // The program's own deadline holds for all.
            return;
        }
        let group = &self.groups[index];
        let mut killed = Vec::new();
        for &id in &group.replicas {
            self.replicas.change(id, |replica| {
                if !replica.is_gone() && (group.phase == Phase::Closing || replica.is_busy()) {
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

    /// Closes the groups in which no `run` is left of those that were asked to stop. Nothing can have become of a group
    /// of which no replica changed.
    pub(super) fn advance_groups(&mut self, actions: &mut Vec<Action>) {
        for index in self.replicas.take_changed_groups() {
            let group = &mut self.groups[index];
            if group.phase == Phase::Stopping && self.replicas.group_counts(index).busy == 0 {
                let is_present = |id: &&ReplicaId| self.replicas.get(**id).is_some_and(|replica| !replica.is_gone());
                actions.extend(group.replicas.iter().filter(is_present).map(|&id| Action::CloseReplica(id)));
                group.phase = Phase::Closing;
                actions.push(Action::GraceGroup(index));
            }
        }
    }
}
