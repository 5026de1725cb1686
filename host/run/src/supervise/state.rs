//! What a program's end depends on, without clocks or tasks: events in, actions out.

mod colocation;
mod rebuild;
mod replica;
mod replicas;

use std::collections::BTreeMap;
use std::time::Duration;

use colocation::Colocation;
use lp_base::plan::{NodeId, Plan, ReplicaId};
use rebuild::Rebuild;
pub(super) use replica::Replica;
use replicas::Replicas;

use super::Note;
use super::budget::{Attempt, RestartBudget};
use super::outcome::{Outcome, ReplicaState, Signal};
use crate::node::Change;

/// Everything that can happen to a running program.
#[derive(Debug)]
pub(super) enum Event {
    /// A replica changed.
    Node { replica: ReplicaId, change: Change },
    /// A node asked the program to stop.
    StopRequested,
    /// The user asked the program to stop.
    Signal(Signal),
    /// The time that the last action gave the program has passed.
    Deadline,
    /// The time before a restart has passed.
    RestartDue(ReplicaId),
    /// The time that the last action gave the colocation at this place of the plan has passed.
    ColocationDeadline(usize),
    /// Nodes have other components, and so perhaps a `run` or none.
    Rebuilt(BTreeMap<NodeId, HasRun>),
    /// The time that the rebuild of this number gave its replicas has passed.
    RebuildDeadline(u32),
}

/// Whether the replicas of a node have a `run`.
pub(super) type HasRun = bool;

/// What there is to do about it.
#[derive(Debug)]
pub(super) enum Action {
    /// Tell the user.
    Note(Note),
    /// Ask every node to stop and give them the grace period.
    RequestStop,
    /// No more calls will come: replicas that only serve finish those that they work on, in what is left of the grace
    /// period.
    Close,
    /// The same when that has passed, or is to be skipped.
    CloseSoon,
    /// Say [`Event::RestartDue`] after that time.
    Restart { replica: ReplicaId, after: Duration },
    /// Start the replica again, now.
    Start(ReplicaId),
    /// Ask one replica to stop.
    StopReplica(ReplicaId),
    /// No more calls will come for the replica, and it does not come back.
    CloseReplica(ReplicaId),
    /// Have the replica end without taking another call.
    PauseReplica(ReplicaId),
    /// Drop the replica where it is.
    KillReplica(ReplicaId),
    /// Drop the replica where it is, since it starts again.
    DropReplica(ReplicaId),
    /// Put the rebuilt components in the place of the old ones.
    Replace,
    /// Say [`Event::RebuildDeadline`] with this number after the grace period.
    GraceRebuild(u32),
    /// Say [`Event::ColocationDeadline`] after the grace period.
    GraceColocation(usize),
}

/// The phases of a program's life, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// Asked to stop: replicas with a `run` finish it, the others go on serving them.
    Stopping,
    /// No `run` is left: the others end.
    Closing,
    Over,
}

/// The state of a running program.
pub(super) struct Supervision {
    phase: Phase,
    outcome: Outcome,
    grace: Duration,
    replicas: Replicas,
    colocations: Vec<Colocation>,
    budgets: Vec<RestartBudget>,
    jitter: Box<dyn FnMut() -> f64 + Send>,
    signalled: bool,
    /// Whether nodes may be rebuilt, so that the program is not over when its nodes have ended.
    watched: bool,
    /// Whether the user was told that there is nothing left to run.
    idle_told: bool,
    rebuilds: u32,
    rebuild: Option<Rebuild>,
}

impl Supervision {
    /// The state of `plan` as it is launched. `jitter` gives numbers from 0 to 1, by chance.
    pub(super) fn new(plan: &Plan, jitter: impl FnMut() -> f64 + Send + 'static) -> Self {
        let shared = plan.colocations.iter().map(|colocation| colocation.restart);
        let mut budgets: Vec<_> = shared.map(|restart| RestartBudget::new(restart.unwrap_or_default())).collect();
        let replicas = plan.replicas().map(|id| {
            let node = plan.node(id.node);
            let colocation = plan.colocation_of(id);
            let budget =
                colocation.filter(|colocation| plan.colocations[*colocation].restart.is_some()).unwrap_or_else(|| {
                    budgets.push(RestartBudget::new(node.restart));
                    budgets.len() - 1
                });
            let repeats = budgets[budget].restart().follows_return();
            (id, Replica::new(plan.label(id), node.has_run(), repeats, colocation, budget))
        });
        let replicas = Replicas::new(replicas, plan.colocations.len());
        Self {
            phase: Phase::Running,
            outcome: Outcome::Finished,
            grace: Duration::from_millis(plan.grace_ms),
            replicas,
            colocations: plan.colocations.iter().map(Colocation::new).collect(),
            budgets,
            jitter: Box::new(jitter),
            signalled: false,
            watched: plan.watched,
            idle_told: false,
            rebuilds: 0,
            rebuild: None,
        }
    }

    /// The state of `plan` after its end.
    pub(super) fn ended(plan: &Plan) -> Self {
        let mut supervision = Self::new(plan, || 0.0);
        supervision.replicas.change_all(|_, replica| replica.state = ReplicaState::Ended);
        supervision
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Ends a program that is not up yet.
    pub(super) fn cancel(&mut self, signal: Signal) {
        self.outcome = Outcome::Signalled(signal);
        self.replicas.change_all(|_, replica| replica.state = ReplicaState::Killed);
    }

    /// Every replica and where it is in its life, in the order of the plan's nodes.
    pub(super) fn states(&self) -> impl Iterator<Item = (ReplicaId, &Replica)> {
        self.replicas.iter()
    }

    pub(super) fn into_parts(self) -> (Outcome, BTreeMap<ReplicaId, Replica>) {
        (self.outcome, self.replicas.into_map())
    }

    /// What to do about `event`, at the time `now` since the launch.
    pub(super) fn on(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Node { replica, change } => self.on_change(replica, change, now, &mut actions),
            Event::StopRequested => self.stop(&mut actions),
            Event::Signal(signal) if self.signalled || self.phase > Phase::Running => {
                self.signalled = true;
                self.kill(&mut actions);
                if self.outcome == Outcome::Finished {
                    self.outcome = Outcome::Signalled(signal);
                }
            }
            Event::Signal(signal) => {
                self.signalled = true;
                self.outcome = Outcome::Signalled(signal);
                actions.push(Action::Note(Note::Stopping { signal, grace: self.grace }));
                self.stop(&mut actions);
            }
            Event::Deadline => self.kill(&mut actions),
            Event::RestartDue(replica) => self.restart(replica, &mut actions),
            Event::ColocationDeadline(colocation) => self.kill_colocation(colocation, &mut actions),
            Event::Rebuilt(nodes) => self.rebuild(&nodes, &mut actions),
            Event::RebuildDeadline(number) => self.drop_late(number, &mut actions),
        }
        self.advance(&mut actions);
        actions
    }

    fn on_change(&mut self, id: ReplicaId, change: Change, now: Duration, actions: &mut Vec<Action>) {
        let Some(replica) = self.replicas.get(id).filter(|replica| !replica.is_gone()) else { return };
        let (state, memory) = match change {
            Change::Started => {
                self.replicas.change(id, |replica| replica.state = ReplicaState::Running);
                return;
            }
            Change::Ran => {
                self.replicas.change(id, |replica| replica.state = ReplicaState::Ran);
                self.pause_for_rebuild(id, actions);
                self.complete_group(id, actions);
                return;
            }
            Change::Ended { memory_peak } => (ReplicaState::Ended, memory_peak),
            Change::Failed { failure, memory_peak } => {
                let (label, reason) = (replica.label.clone(), failure.summary.clone());
                actions.push(Action::Note(Note::Failed { replica: label, failure }));
                self.replicas.change(id, |replica| replica.reason = Some(reason));
                (ReplicaState::Failed, memory_peak)
            }
        };
        self.replicas.change(id, |replica| replica.memory_peak = replica.memory_peak.max(memory));
        if !self.ended_for_rebuild(id, state, actions) {
            self.lose(id, state, now, actions);
        }
    }

    /// A replica has ended in that state: for good, or to be restarted.
    fn lose(&mut self, id: ReplicaId, state: ReplicaState, now: Duration, actions: &mut Vec<Action>) {
        self.replicas.change(id, |replica| replica.state = state);
        let Some(replica) = self.replicas.get(id) else { return };
        let budget = &mut self.budgets[replica.budget];
        let restart = *budget.restart();
        let label = replica.label.clone();
        let mut failed = state == ReplicaState::Failed;
        let follows = match failed {
            true => restart.follows_failure(),
            false => restart.follows_return() && replica.has_run,
        };
        if follows {
            let restarts = !replica.ending && self.phase == Phase::Running;
            let max = restart.max;
            match budget.spend(now, (self.jitter)()) {
                Some(Attempt { number: attempt, after }) if restarts => {
                    self.replicas.change(id, |replica| replica.await_restart(state));
                    actions.push(Action::Note(Note::Restarting { replica: label, after, attempt, max }));
                    actions.push(Action::Restart { replica: id, after });
                    return;
                }
                None if restarts || failed => {
                    let window = Duration::from_millis(restart.window_ms);
                    actions.push(Action::Note(Note::GivenUp { replica: label.clone(), max, window }));
                    failed = true;
                }
                // What would be made good does not turn to failure because it comes late, amid the end.
                _ => failed = false,
            }
            if !(failed && self.awaits_rebuild()) {
                actions.push(Action::CloseReplica(id));
            }
        }
        if failed && self.awaits_rebuild() {
            actions.push(Action::Note(Note::AwaitsRebuild { replica: label }));
        } else if failed {
            // Of several causes the first one counts.
            if self.outcome == Outcome::Finished {
                self.outcome = Outcome::Failed;
            }
            self.stop(actions);
        }
    }

    fn restart(&mut self, id: ReplicaId, actions: &mut Vec<Action>) {
        // The program may have stopped meanwhile.
        if self.replicas.get(id).is_none_or(|replica| replica.state != ReplicaState::Restarting) {
            return;
        }
        self.replicas.change(id, |replica| {
            replica.state = ReplicaState::Starting;
            replica.restarts += 1;
        });
        actions.push(Action::Start(id));
    }

    fn stop(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::Running {
            self.phase = Phase::Stopping;
            self.rebuild = None;
            self.give_up_restarts(actions);
            actions.push(Action::RequestStop);
        }
    }

    fn close(&mut self, close: Action, actions: &mut Vec<Action>) {
        self.phase = Phase::Closing;
        self.give_up_restarts(actions);
        actions.push(close);
    }

    /// Leaves the replicas that wait for a restart as they are.
    fn give_up_restarts(&mut self, actions: &mut Vec<Action>) {
        self.replicas.change_all(|id, replica| replica.give_up_restart(id, actions));
    }

    /// Gives up on the replicas that hold the program up. Those that only serve may still end by themselves.
    fn kill(&mut self, actions: &mut Vec<Action>) {
        let mut killed = Vec::new();
        let closing = self.phase == Phase::Closing;
        self.replicas.change_all(|_, replica| {
            if !replica.is_gone() && (closing || replica.is_busy()) {
                replica.state = ReplicaState::Killed;
                killed.push(replica.label.clone());
            }
        });
        if !killed.is_empty() {
            actions.push(Action::Note(Note::Killing { replicas: killed }));
        }
        self.close(Action::CloseSoon, actions);
    }

    /// Moves on to the next phase where nothing holds it up any more.
    fn advance(&mut self, actions: &mut Vec<Action>) {
        self.advance_groups(actions);
        let busy = self.replicas.counts().busy > 0;
        if self.awaits_rebuild() {
            if self.is_finished() && self.rebuild.is_none() && !self.idle_told {
                self.idle_told = true;
                actions.push(Action::Note(Note::Idle));
            }
        } else if self.phase == Phase::Running && self.is_finished() && busy {
            self.stop(actions);
        } else if (self.phase == Phase::Running && self.is_finished()) || (self.phase == Phase::Stopping && !busy) {
            self.close(Action::Close, actions);
        }
        if self.phase == Phase::Closing && self.replicas.counts().present == 0 {
            self.phase = Phase::Over;
        }
    }

    /// Whether what has ended waits for a rebuild, instead of ending the program.
    fn awaits_rebuild(&self) -> bool {
        self.watched && self.phase == Phase::Running
    }

    /// Whether every `run` has finished that comes to an end: one that is started again whenever it does is not waited
    /// for.
    fn is_finished(&self) -> bool {
        let counts = self.replicas.counts();
        counts.awaited > 0 && counts.awaited_busy == 0
    }
}

#[cfg(test)]
mod tests;
