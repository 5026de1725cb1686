//! What supervision knows of one replica.

use lp_base::plan::ReplicaId;

use super::Action;
use crate::supervise::outcome::ReplicaState;

/// One replica.
pub(in crate::supervise) struct Replica {
    /// What it is called, such as `producer/0`.
    pub(super) label: String,
    /// Where it is in its life.
    pub(in crate::supervise) state: ReplicaState,
    /// How it last ended, where it waits for a restart.
    pub(super) last: ReplicaState,
    pub(super) has_run: bool,
    /// Whether its `run` starts again whenever it returns, so that the program does not wait for it.
    pub(super) repeats: bool,
    /// Its colocation, by its place in the plan.
    pub(super) colocation: Option<usize>,
    /// The budget of its restarts, by its place among all.
    pub(super) budget: usize,
    /// It was told to end while the program goes on, so it is not restarted.
    pub(super) ending: bool,
    /// How often it was restarted.
    pub(in crate::supervise) restarts: u32,
    /// The most memory that it had at once in any of its lives, in bytes.
    pub(in crate::supervise) memory_peak: u64,
    /// Why it failed last, if it did.
    pub(in crate::supervise) reason: Option<String>,
}

impl Replica {
    pub(super) fn new(label: String, has_run: bool, repeats: bool, colocation: Option<usize>, budget: usize) -> Self {
        let (state, last) = (ReplicaState::Starting, ReplicaState::Ended);
        Self {
            label,
            state,
            last,
            has_run,
            repeats,
            colocation,
            budget,
            ending: false,
            restarts: 0,
            memory_peak: 0,
            reason: None,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state, ReplicaState::Ended | ReplicaState::Failed | ReplicaState::Killed)
    }

    /// Whether the replica's `run` comes to an end, so that the program waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.has_run && !self.repeats
    }

    /// Whether the replica has a `run` that has not finished.
    pub(super) fn is_busy(&self) -> bool {
        let runs = matches!(self.state, ReplicaState::Starting | ReplicaState::Running | ReplicaState::Restarting);
        self.has_run && runs
    }

    /// Has the replica, which ended as `last`, wait for a restart.
    pub(super) fn await_restart(&mut self, last: ReplicaState) {
        (self.state, self.last) = (ReplicaState::Restarting, last);
    }

    /// Leaves the replica as it is, if it waits for a restart.
    pub(super) fn give_up_restart(&mut self, id: ReplicaId, actions: &mut Vec<Action>) {
        if self.state == ReplicaState::Restarting {
            self.state = self.last;
            actions.push(Action::CloseReplica(id));
        }
    }
}
