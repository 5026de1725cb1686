//! Launch type `processes`: a process for every worker, on this machine.
//!
//! The sockets through which workers reach each other are bound here and given to each process, so that a worker that is
//! started again listens where the one before did, and a call that comes meanwhile waits.

mod shared;
mod state;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lp_base::plan::{NodeId, Plan, ReplicaId, Secrets};
use lp_base::replica::{Failure, Outputs, Stop};
use lp_courier::grpc::Presence;
use shared::Shared;
use state::{Process, State};
use tokio::sync::mpsc;

use super::WorkerFiles;
use super::credentials::Credentials;
use super::hardening::Hardened;
use super::protocol::Command;
use super::rings::Rings;
use crate::node::{Change, NodeEvent};
use crate::worker::{ReplicaStats, WorkerError};

/// How long worker processes have to end by themselves once they have nothing left to do.
const EXIT_TIME: Duration = Duration::from_millis(500);

/// How long worker processes have to tell what their replicas have done.
const STATS_TIME: Duration = Duration::from_millis(250);

/// What it takes to start worker processes.
#[derive(Debug, Clone)]
pub struct ProcessSetting {
    /// The program to start, with the arguments that make it a worker; `--plan FILE --index N` is added.
    pub command: (PathBuf, Vec<OsString>),
    /// An empty directory that only this user can enter, for the plan and the sockets. Its path must be short.
    pub dir: PathBuf,
}

impl ProcessSetting {
    pub(super) fn files(&self) -> WorkerFiles {
        WorkerFiles { dir: self.dir.clone() }
    }
}

/// What workers are told that no file may hold.
pub struct Private {
    /// What the guests are given that the plan does not say.
    pub secrets: Secrets,
    /// By what the nodes of different workers know each other.
    pub credentials: Arc<Credentials>,
}

/// The worker processes of a program.
pub struct Processes {
    shared: Arc<Shared>,
    stop_watch: tokio::task::AbortHandle,
    warnings: Vec<String>,
}

impl Processes {
    /// Starts a process for every worker of `plan`, and every replica in it. `nodes` are the sockets of nodes that
    /// listen. Must be called on the thread that lives as long as the program, which the processes die with.
    pub async fn launch(
        plan: Arc<Plan>,
        setting: ProcessSetting,
        nodes: Vec<(NodeId, TcpListener)>,
        private: Private,
        outputs: Arc<dyn Outputs>,
        stop: Stop,
        events: mpsc::UnboundedSender<NodeEvent>,
    ) -> Result<Self, WorkerError> {
        let failed = |source| WorkerError::Launch { name: plan.program.clone(), source };
        let sockets = setting.files().create(&plan).map_err(failed)?;
        let worker_of = |replica| plan.workers.iter().position(|worker| worker.replicas.contains(&replica));
        let rings = Rings::new(plan.replicas().map(|replica| worker_of(replica).unwrap_or_default()).collect());
        let state = Mutex::new(State::new(rings));
        let shared = Arc::new(Shared { plan, setting, sockets, nodes, private, outputs, stop, events, state });
        let mut first_words = Vec::new();
        for index in 0..shared.plan.workers.len() {
            first_words.push(shared.spawn(index)?);
            for &replica in &shared.plan.workers[index].replicas {
                shared.lock().start(index, replica);
            }
        }
        let told = shared.clone();
        let stop_watch = tokio::spawn(async move {
            told.stop.requested().await;
            told.lock().tell_all(&Command::Stop);
        });
        let mut processes = Self { shared, stop_watch: stop_watch.abort_handle(), warnings: Vec::new() };
        for (index, first_word) in first_words.into_iter().enumerate() {
            // A process that ended before it said anything is a failure of its replicas like any later end.
            match first_word.await.unwrap_or(Ok(Vec::new())) {
                // What is true of the machine, every worker says.
                Ok(warnings) => {
                    let new = warnings.into_iter().filter(|warning| !processes.warnings.contains(warning));
                    let new: Vec<_> = new.collect();
                    processes.warnings.extend(new);
                }
                Err(message) => {
                    processes.kill().await;
                    let name = processes.shared.plan.workers[index].name.clone();
                    return Err(WorkerError::NotLoaded { name, message });
                }
            }
        }
        Ok(processes)
    }

    /// What a user should know of how the workers run.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The process that runs a replica now.
    pub fn pid(&self, replica: ReplicaId) -> Option<u32> {
        let index = self.shared.worker_of(replica)?;
        self.shared.lock().processes.get(&index).map(|process| process.child.id())
    }

    /// The walls around the process of a replica.
    pub fn hardened(&self, replica: ReplicaId) -> Option<Hardened> {
        let index = self.shared.worker_of(replica)?;
        self.shared.lock().hardened.get(&index).cloned()
    }

    /// Starts a replica that has ended, in its worker's process, which is started first if there is none.
    pub fn restart(&self, replica: ReplicaId) {
        let Some(index) = self.shared.worker_of(replica) else { return };
        if !self.shared.lock().processes.contains_key(&index)
            && let Err(error) = self.shared.spawn(index)
        {
            let summary = format!("its worker process can't be started: {}", super::with_causes(&error));
            let change = Change::Failed { failure: Failure { summary, stack: None }, memory_peak: 0 };
            let _ = self.shared.events.send(NodeEvent { replica, change });
            return;
        }
        self.shared.lock().start(index, replica);
    }

    /// Asks one replica to stop, while the program goes on.
    pub fn stop_replica(&self, replica: ReplicaId) {
        self.tell_own(replica, Command::StopReplica { replica });
    }

    /// Refuses the calls to a replica that will not run again.
    pub fn close_replica(&self, replica: ReplicaId) {
        self.tell_own(replica, Command::CloseReplica { replica });
        self.shared.note_presence(&mut self.shared.lock(), replica, Presence::Gone);
    }

    /// Has one replica end without taking another call.
    pub fn pause_replica(&self, replica: ReplicaId) {
        self.tell_own(replica, Command::PauseReplica { replica });
    }

    /// Drops one replica that is to start again, and tells nobody.
    pub fn drop_replica(&self, replica: ReplicaId) {
        self.tell_own(replica, Command::DropReplica { replica });
        self.shared.note_presence(&mut self.shared.lock(), replica, Presence::Starting);
    }

    /// Has the replicas of `nodes` run what `plan` has for them from their next start on. All of them have ended.
    pub fn rebuild(&self, plan: &Plan, nodes: &BTreeSet<NodeId>) {
        let mut state = self.shared.lock();
        for replica in plan.replicas().filter(|replica| nodes.contains(&replica.node)) {
            self.shared.set_presence(&mut state, replica, Presence::Starting);
        }
        let nodes = nodes.iter().map(|&id| (id, plan.node(id).clone())).collect();
        state.tell_all(&Command::Rebuild { nodes });
    }

    /// Drops one replica wherever its guest is, and tells nobody. One that has a process to itself goes with it.
    pub fn kill_replica(&self, replica: ReplicaId) {
        let mut state = self.shared.lock();
        let process = self.shared.worker_of(replica).and_then(|index| state.processes.get_mut(&index));
        if let Some(process) = process {
            process.running.remove(&replica);
            if process.running.is_empty() {
                let _ = process.child.kill();
            } else {
                process.tell(Command::KillReplica { replica });
            }
        }
        self.shared.note_presence(&mut state, replica, Presence::Gone);
    }

    /// Tells a replica's own worker.
    fn tell_own(&self, replica: ReplicaId, command: Command) {
        if let Some(process) = self
            .shared
            .worker_of(replica)
            .and_then(|index| self.shared.lock().processes.get(&index).map(|process| process.commands.clone()))
        {
            let _ = process.send(command);
        }
    }

    /// Tells every replica that no more calls will come.
    pub fn close(&self) {
        self.shared.lock().tell_all(&Command::Close);
    }

    /// Waits until [`Self::stats`] is of this moment. A process that is stopped is not waited for.
    pub fn refresh_stats(&self) -> impl Future<Output = ()> + use<> {
        let all_told = self.shared.lock().ask_stats();
        async move {
            let _ = tokio::time::timeout(STATS_TIME, all_told).await;
        }
    }

    /// What `replica` has done so far, over all its processes.
    pub fn stats(&self, replica: ReplicaId) -> Option<ReplicaStats> {
        let state = self.shared.lock();
        let earlier = state.earlier.get(&replica);
        match state.latest.get(&replica) {
            Some(latest) => Some(latest.added_to(earlier)),
            None => earlier.cloned(),
        }
    }

    /// Ends the processes: those that have nothing left to do by themselves, the others with SIGKILL.
    pub async fn kill(&mut self) {
        self.stop_watch.abort();
        let mut processes: Vec<_> = {
            let mut state = self.shared.lock();
            state.ending = true;
            state.processes.drain().map(|(_, process)| process).collect()
        };
        // Dropping the commands closes stdin, which a process that runs no guest answers by ending.
        let mut children: Vec<Child> = Vec::new();
        for process in processes.drain(..) {
            let Process { commands, mut child, running, refusal: _ } = process;
            drop(commands);
            if !running.is_empty() {
                let _ = child.kill();
            }
            children.push(child);
        }
        let deadline = Instant::now() + EXIT_TIME;
        while children.iter_mut().any(|child| matches!(child.try_wait(), Ok(None))) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        for mut child in children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop_watch.abort();
        for process in self.shared.lock().processes.values_mut() {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}
