//! What the launcher knows of its worker processes and of their replicas.

use std::collections::{HashMap, HashSet};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::mpsc as sync_mpsc;

use lp_base::plan::ReplicaId;
use lp_courier::grpc::Presence;
use tokio::sync::oneshot;

use crate::launch::hardening::Hardened;
use crate::launch::protocol::{Command, StatsReport};
use crate::launch::rings::{RingAction, Rings};
use crate::worker::ReplicaStats;

/// The state of all of them.
pub(super) struct State {
    /// The process of each worker that has one, by its index.
    pub processes: HashMap<usize, Process>,
    pub presence: HashMap<ReplicaId, Presence>,
    /// The walls around each worker's process, by its index.
    pub hardened: HashMap<usize, Hardened>,
    /// What replicas did in earlier processes, and in the present one.
    pub earlier: HashMap<ReplicaId, ReplicaStats>,
    pub latest: HashMap<ReplicaId, StatsReport>,
    pub rings: Rings,
    /// Those who wait for the stats of this moment.
    askers: Vec<Asker>,
    /// Set when the processes are to end: nothing that becomes of them counts from here on.
    pub ending: bool,
}

/// One process.
pub(super) struct Process {
    pub commands: sync_mpsc::Sender<Command>,
    pub child: Child,
    /// Why the worker in it can't run its replicas, once it said so.
    pub refusal: Option<String>,
    /// The replicas that were started in it and have not ended.
    pub running: HashSet<ReplicaId>,
}

/// Somebody who waits for the stats of this moment, until it is dropped.
struct Asker {
    /// The workers that have not told.
    missing: HashSet<usize>,
    told: oneshot::Sender<()>,
}

impl Process {
    pub fn tell(&self, command: Command) {
        // The thread that writes ends with the process, whose end is told elsewhere.
        let _ = self.commands.send(command);
    }
}

impl State {
    /// Of a run without processes.
    pub fn new(rings: Rings) -> Self {
        Self {
            processes: HashMap::new(),
            presence: HashMap::new(),
            hardened: HashMap::new(),
            earlier: HashMap::new(),
            latest: HashMap::new(),
            rings,
            askers: Vec::new(),
            ending: false,
        }
    }

    pub fn start(&mut self, index: usize, replica: ReplicaId) {
        if let Some(process) = self.processes.get_mut(&index) {
            process.running.insert(replica);
            process.tell(Command::Start { replica });
        }
    }

    pub fn tell_all(&self, command: &Command) {
        self.processes.values().for_each(|process| process.tell(command.clone()));
    }

    /// Counts what a replica did in a process that is gone to its earlier ones.
    pub fn keep_stats(&mut self, replica: ReplicaId) {
        if let Some(latest) = self.latest.remove(&replica) {
            let sum = latest.added_to(self.earlier.get(&replica));
            self.earlier.insert(replica, sum);
        }
    }

    /// Asks every process for its stats. What is returned fails once all have told them.
    pub fn ask_stats(&mut self) -> oneshot::Receiver<()> {
        self.tell_all(&Command::TellStats);
        let (told, all_told) = oneshot::channel();
        self.askers.push(Asker { missing: self.processes.keys().copied().collect(), told });
        self.stats_told(None);
        all_told
    }

    /// Notes that a process has told its stats, or never will.
    pub fn stats_told(&mut self, index: Option<usize>) {
        self.askers.retain_mut(|asker| {
            index.map(|index| asker.missing.remove(&index));
            !asker.missing.is_empty() && !asker.told.is_closed()
        });
    }

    /// Does what came of what a worker told of its holds.
    pub fn act(&self, actions: Vec<RingAction>) {
        for action in actions {
            let (worker, command) = match action {
                RingAction::Ask { worker, question } => (worker, Command::TellBlocked { question }),
                RingAction::Break { worker, blocked, calls } => (worker, Command::BreakHold { blocked, calls }),
            };
            if let Some(process) = self.processes.get(&worker) {
                process.tell(command);
            }
        }
    }
}

/// What is told of a process that is gone.
pub(super) fn end_of(status: Option<ExitStatus>) -> String {
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("its worker process exited with status {code}"),
        Some((_, Some(signal))) => format!("its worker process was killed by signal {signal}"),
        _ => "its worker process is gone".to_owned(),
    }
}
