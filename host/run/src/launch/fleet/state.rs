//! What the launcher knows of its workers and of their replicas.

use std::collections::{HashMap, HashSet};

use lp_base::calls::ReplicaIndex;
use lp_base::plan::ReplicaId;
use lp_courier::{Presence, standstill_reason};
use tokio::sync::{mpsc, oneshot};

use super::start::Life;
use crate::launch::hardening::Hardened;
use crate::launch::protocol::{Command, StatsReport};
use crate::launch::rings::{RingAction, Rings};
use crate::launch::standstills::{StandstillAction, Standstills};
use crate::worker::{Order, ReplicaOrder, ReplicaStats};

/// The state of all of them.
pub(super) struct State {
    /// The workers that run, by their index in the plan.
    pub running: HashMap<usize, Running>,
    pub presence: HashMap<ReplicaId, Presence>,
    /// Where those of the running workers are whose place changes.
    pub locations: HashMap<usize, String>,
    /// The walls around each worker, by its index.
    pub hardened: HashMap<usize, Hardened>,
    /// What replicas did in earlier lives of their worker, and in the present one.
    pub earlier: HashMap<ReplicaId, ReplicaStats>,
    pub latest: HashMap<ReplicaId, StatsReport>,
    pub rings: Rings,
    pub standstills: Standstills,
    /// Whether guests are to wait before they write more.
    pub output_held: bool,
    /// Those who wait for the stats of this moment.
    askers: Vec<Asker>,
}

/// A worker that runs.
pub(super) struct Running {
    pub commands: mpsc::UnboundedSender<Command>,
    pub life: Box<dyn Life>,
    /// Why it can't run its replicas, once it said so, or why it was ended.
    pub refusal: Option<String>,
    /// The replicas that were started in it and have not ended.
    pub replicas: HashSet<ReplicaId>,
}

/// Somebody who waits for the stats of this moment, until it is dropped.
struct Asker {
    /// The workers that have not told.
    missing: HashSet<usize>,
    told: oneshot::Sender<()>,
}

impl Running {
    pub fn tell(&self, command: Command) {
        // The task that writes ends with the worker, whose end is noticed elsewhere.
        let _ = self.commands.send(command);
    }

    pub fn order(&self, order: Order) {
        self.tell(Command::Order { order });
    }
}

impl State {
    /// Of a run without workers.
    pub fn new(rings: Rings, standstills: Standstills) -> Self {
        Self {
            running: HashMap::new(),
            presence: HashMap::new(),
            locations: HashMap::new(),
            hardened: HashMap::new(),
            earlier: HashMap::new(),
            latest: HashMap::new(),
            rings,
            standstills,
            output_held: false,
            askers: Vec::new(),
        }
    }

    pub fn start(&mut self, index: usize, replica: ReplicaId) {
        if let Some(worker) = self.running.get_mut(&index) {
            worker.replicas.insert(replica);
            worker.order(ReplicaOrder::Start.to(replica));
        }
    }

    pub fn tell_all(&self, command: &Command) {
        self.running.values().for_each(|worker| worker.tell(command.clone()));
    }

    /// Has guests wait before they write more, or go on.
    pub fn hold_output(&mut self, held: bool) {
        self.output_held = held;
        self.tell_all(&Command::HoldOutput { held });
    }

    pub fn order_all(&self, order: Order) {
        self.tell_all(&Command::Order { order });
    }

    /// Counts what a replica did in a worker that is gone to its earlier lives.
    pub fn keep_stats(&mut self, replica: ReplicaId) {
        if let Some(latest) = self.latest.remove(&replica) {
            let sum = latest.added_to(self.earlier.get(&replica));
            self.earlier.insert(replica, sum);
        }
    }

    /// Asks every worker for its stats. What is returned fails once all have told them.
    pub fn ask_stats(&mut self) -> oneshot::Receiver<()> {
        self.tell_all(&Command::TellStats);
        let (told, all_told) = oneshot::channel();
        self.askers.push(Asker { missing: self.running.keys().copied().collect(), told });
        self.stats_told(None);
        all_told
    }

    /// Notes that a worker has told its stats, or never will.
    pub fn stats_told(&mut self, index: Option<usize>) {
        self.askers.retain_mut(|asker| {
            index.map(|index| asker.missing.remove(&index));
            !asker.missing.is_empty() && !asker.told.is_closed()
        });
    }

    /// Passes on what follows from how replicas stand; `label` names one.
    pub fn act_on_standstills(
        &self,
        actions: impl IntoIterator<Item = StandstillAction>,
        label: impl Fn(ReplicaIndex) -> String,
    ) {
        for action in actions {
            let (worker, command) = match action {
                StandstillAction::Ask { worker, question } => (worker, Command::TellStanding { question }),
                StandstillAction::Fail { worker, standstill } => {
                    let reason = standstill_reason(&standstill, &label).to_string();
                    let ((caller, callee), queued) = (standstill.call, standstill.queued);
                    (worker, Command::Order { order: Order::FailCall { caller, callee, queued, reason } })
                }
            };
            if let Some(worker) = self.running.get(&worker) {
                worker.tell(command);
            }
        }
    }

    /// Passes on what follows from the holds that a worker reported.
    pub fn act(&self, actions: Vec<RingAction>) {
        for action in actions {
            let (worker, command) = match action {
                RingAction::Ask { worker, question } => (worker, Command::TellBlocked { question }),
                RingAction::Break { worker, blocked, calls } => {
                    (worker, Command::Order { order: Order::BreakHold { blocked, calls } })
                }
            };
            if let Some(worker) = self.running.get(&worker) {
                worker.tell(command);
            }
        }
    }
}
