//! What a program's end depends on, without clocks or tasks: events in, actions out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Note;
use super::outcome::{Outcome, ReplicaState, Signal};
use crate::node::Change;
use crate::plan::{Plan, ReplicaId};

/// Everything that can happen to a running program.
pub(super) enum Event {
    /// A replica changed.
    Node { replica: ReplicaId, change: Change },
    /// A node asked the program to stop.
    StopRequested,
    /// The user asked the program to stop.
    Signal(Signal),
    /// The time that the last action gave has passed.
    Deadline,
}

/// What there is to do about it.
pub(super) enum Action {
    /// Tell the user.
    Note(Note),
    /// Ask every node to stop and give them the grace period.
    RequestStop,
    /// No more calls will come: replicas that only serve end now.
    Close,
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
    labels: BTreeMap<ReplicaId, String>,
    replicas: BTreeMap<ReplicaId, Replica>,
    signalled: bool,
}

struct Replica {
    state: ReplicaState,
    has_run: bool,
    memory_peak: u64,
}

impl Replica {
    fn is_gone(&self) -> bool {
        matches!(self.state, ReplicaState::Ended | ReplicaState::Failed | ReplicaState::Killed)
    }

    /// Whether the program has to wait for this replica's `run`.
    fn is_busy(&self) -> bool {
        self.has_run && matches!(self.state, ReplicaState::Starting | ReplicaState::Running)
    }
}

impl Supervision {
    pub(super) fn new(plan: &Plan) -> Self {
        let ids = plan.workers.iter().flat_map(|worker| &worker.replicas);
        let replicas = ids.clone().map(|&id| {
            let has_run = plan.nodes[id.node.0 as usize].run.is_some();
            (id, Replica { state: ReplicaState::Starting, has_run, memory_peak: 0 })
        });
        Self {
            phase: Phase::Running,
            outcome: Outcome::Finished,
            grace: Duration::from_millis(plan.grace_ms),
            labels: ids.map(|&id| (id, plan.label(id))).collect(),
            replicas: replicas.collect(),
            signalled: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Every replica and where it is in its life, in the order of the plan's nodes.
    pub(super) fn states(&self) -> impl Iterator<Item = (ReplicaId, ReplicaState)> {
        self.replicas.iter().map(|(&id, replica)| (id, replica.state))
    }

    pub(super) fn into_parts(self) -> (Outcome, BTreeMap<ReplicaId, (ReplicaState, u64)>) {
        let replicas = self.replicas.into_iter().map(|(id, replica)| (id, (replica.state, replica.memory_peak)));
        (self.outcome, replicas.collect())
    }

    pub(super) fn on(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Node { replica, change } => self.on_change(replica, change, &mut actions),
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
        }
        self.advance(&mut actions);
        actions
    }

    fn on_change(&mut self, id: ReplicaId, change: Change, actions: &mut Vec<Action>) {
        let Some(replica) = self.replicas.get_mut(&id).filter(|replica| !replica.is_gone()) else { return };
        match change {
            Change::Started => replica.state = ReplicaState::Running,
            Change::Ran => replica.state = ReplicaState::Ran,
            Change::Ended { memory_peak } => {
                replica.state = ReplicaState::Ended;
                replica.memory_peak = memory_peak;
            }
            Change::Failed { failure, memory_peak } => {
                replica.state = ReplicaState::Failed;
                replica.memory_peak = memory_peak;
                actions.push(Action::Note(Note::Failed { replica: self.labels[&id].clone(), failure }));
                // Of several causes the first one counts.
                if self.outcome == Outcome::Finished {
                    self.outcome = Outcome::Failed;
                }
                self.stop(actions);
            }
        }
    }

    fn stop(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::Running {
            self.phase = Phase::Stopping;
            actions.push(Action::RequestStop);
        }
    }

    /// Gives up on the replicas that hold the program up. Those that only serve may still end by themselves.
    fn kill(&mut self, actions: &mut Vec<Action>) {
        let mut killed = Vec::new();
        let closing = self.phase == Phase::Closing;
        let late = |replica: &Replica| !replica.is_gone() && (closing || replica.is_busy());
        for (id, replica) in self.replicas.iter_mut().filter(|(_, replica)| late(replica)) {
            replica.state = ReplicaState::Killed;
            killed.push(self.labels[id].clone());
        }
        if !killed.is_empty() {
            actions.push(Action::Note(Note::Killing { replicas: killed }));
        }
        actions.push(Action::Close);
        self.phase = Phase::Closing;
    }

    /// Moves on to the next phase where nothing holds it up any more.
    fn advance(&mut self, actions: &mut Vec<Action>) {
        let with_run = self.replicas.values().filter(|replica| replica.has_run).count();
        let busy = self.replicas.values().any(Replica::is_busy);
        let finished = with_run > 0 && !busy;
        if (self.phase == Phase::Running && finished) || (self.phase == Phase::Stopping && !busy) {
            self.phase = Phase::Closing;
            actions.push(Action::Close);
        }
        if self.phase == Phase::Closing && self.replicas.values().all(Replica::is_gone) {
            self.phase = Phase::Over;
        }
    }
}
