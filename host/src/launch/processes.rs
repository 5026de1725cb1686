//! Launch type `processes`: a process for every worker, on this machine.
//!
//! The sockets through which workers reach each other are bound here and given to each process, so that a worker that is
//! started again listens where the one before did, and a call that comes meanwhile waits.

mod state;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use tokio::sync::mpsc;

use super::WorkerFiles;
use super::credentials::Credentials;
use super::hardening::Hardened;
use super::protocol::{Command, Report, receive, send};
use super::rings::Rings;
use crate::courier::grpc::Presence;
use crate::node::{Change, NodeEvent};
use crate::plan::{NodeId, Plan, ReplicaId, Secrets};
use crate::runtime::{Failure, Outputs, Stop};
use crate::worker::{ReplicaStats, WorkerError};
use state::{Process, State, end_of};

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

/// What the threads that listen to workers share.
struct Shared {
    plan: Arc<Plan>,
    setting: ProcessSetting,
    sockets: Vec<UnixListener>,
    nodes: Vec<(NodeId, TcpListener)>,
    private: Private,
    outputs: Arc<dyn Outputs>,
    stop: Stop,
    events: mpsc::UnboundedSender<NodeEvent>,
    state: Mutex<State>,
}

/// The first thing that a worker process says.
type FirstWord = Result<Vec<String>, String>;

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

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worker_of(&self, replica: ReplicaId) -> Option<usize> {
        self.plan.workers.iter().position(|worker| worker.replicas.contains(&replica))
    }

    /// Starts the process of worker number `index`. What it says first is told when it has said it.
    fn spawn(self: &Arc<Self>, index: usize) -> Result<tokio::sync::oneshot::Receiver<FirstWord>, WorkerError> {
        let name = || self.plan.workers[index].name.clone();
        let mut child = self.command(index).and_then(|mut command| command.spawn());
        let (stdin, stdout) = match &mut child {
            Ok(child) => (child.stdin.take(), child.stdout.take()),
            Err(_) => (None, None),
        };
        let child = child.map_err(|source| WorkerError::Launch { name: name(), source })?;
        let (mut stdin, stdout) = stdin.zip(stdout).expect("both were asked for");
        let (commands, to_write) = std::sync::mpsc::channel::<Command>();
        // A thread writes, because a process that was stopped does not read and must not hold anyone up.
        std::thread::spawn(move || {
            for command in to_write {
                if send(&mut stdin, &command).is_err() {
                    return;
                }
            }
        });
        let mut state = self.lock();
        let process = Process { commands, child, refusal: None, running: HashSet::new() };
        let replicas = &self.plan.workers[index].replicas;
        let of_worker = |node| replicas.iter().any(|replica| replica.node == node);
        process.tell(Command::Secrets { secrets: self.private.secrets.only(of_worker) });
        process.tell(Command::Credentials(self.private.credentials.of_worker(&self.plan, index)));
        if self.stop.is_requested() {
            process.tell(Command::Stop);
        }
        for (&replica, &presence) in &state.presence {
            process.tell(Command::Presence { replica, presence });
        }
        state.processes.insert(index, process);
        drop(state);
        let (first_word, first_word_rx) = tokio::sync::oneshot::channel();
        let shared = self.clone();
        std::thread::spawn(move || {
            shared.listen(index, stdout, first_word);
            shared.ended(index);
        });
        Ok(first_word_rx)
    }

    fn command(&self, index: usize) -> io::Result<std::process::Command> {
        let (program, arguments) = &self.setting.command;
        let mut command = std::process::Command::new(program);
        command.args(arguments).arg("--plan").arg(self.setting.files().plan()).arg("--index").arg(index.to_string());
        // Signals from a terminal are the launcher's to answer.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).env_clear();
        let mut sockets: Vec<OwnedFd> = vec![self.sockets[index].try_clone()?.into()];
        for wanted in WorkerFiles::listening(&self.plan, index) {
            let found = self.nodes.iter().find(|(node, _)| *node == wanted);
            let (_, listener) = found.expect("every node that listens was bound");
            sockets.push(listener.try_clone()?.into());
        }
        command.env("LISTEN_FDS", sockets.len().to_string());
        let mappings = (3..).zip(sockets).map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
        Ok(command)
    }

    /// Takes what a process says until its end.
    fn listen(&self, index: usize, stdout: impl io::Read, first_word: tokio::sync::oneshot::Sender<FirstWord>) {
        let mut first_word = Some(first_word);
        let mut say = |word| first_word.take().map(|first_word| first_word.send(word));
        let mut sinks = HashMap::new();
        for report in receive(stdout).map_while(Result::ok) {
            match report {
                Report::Loaded { hardened, warnings } => {
                    self.lock().hardened.insert(index, hardened);
                    drop(say(Ok(warnings)));
                }
                Report::NotLoaded { message } => {
                    if let Some(process) = self.lock().processes.get_mut(&index) {
                        process.refusal = Some(message.clone());
                    }
                    drop(say(Err(message)));
                }
                Report::Node { replica, change } => self.changed(replica, change),
                Report::Stats(stats) => drop(self.lock().latest.insert(stats.replica, stats)),
                Report::StatsTold => self.lock().stats_told(Some(index)),
                Report::Blocked { question, holds } => {
                    let mut state = self.lock();
                    let actions = state.rings.on_holds(index, question, holds);
                    state.act(actions);
                }
                Report::StopRequested => self.stop.request(),
                Report::Line { replica, stream, line } => {
                    let sink = sinks.entry(replica).or_insert_with_key(|replica| self.outputs.sink(replica));
                    sink.line(stream, line.as_bytes());
                }
            }
        }
    }

    fn changed(&self, replica: ReplicaId, change: Change) {
        let mut state = self.lock();
        let presence = match &change {
            Change::Started => Some(Presence::Ready),
            Change::Ran => None,
            Change::Ended { .. } | Change::Failed { .. } => Some(Presence::Starting),
        };
        if let Some(presence) = presence {
            self.note_presence(&mut state, replica, presence);
        }
        if matches!(change, Change::Ended { .. } | Change::Failed { .. })
            && let Some(process) = self.worker_of(replica).and_then(|index| state.processes.get_mut(&index))
        {
            process.running.remove(&replica);
        }
        // Told within the lock, so that a process's end is never told before what happened in it.
        let _ = self.events.send(NodeEvent { replica, change });
    }

    fn note_presence(&self, state: &mut State, replica: ReplicaId, presence: Presence) {
        if state.presence.get(&replica) == Some(&Presence::Gone) {
            return;
        }
        state.presence.insert(replica, presence);
        let own = self.worker_of(replica);
        for (index, process) in &state.processes {
            if Some(*index) != own && calls_node(&self.plan, *index, replica.node) {
                process.tell(Command::Presence { replica, presence });
            }
        }
    }

    /// Notes the end of a process, which said its last word.
    fn ended(&self, index: usize) {
        let status = loop {
            let mut state = self.lock();
            if state.ending {
                return;
            }
            let Some(process) = state.processes.get_mut(&index) else { return };
            match process.child.try_wait() {
                Ok(None) => drop(state),
                Ok(Some(status)) => break Some(status),
                Err(_) => break None,
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let mut state = self.lock();
        let Some(process) = state.processes.remove(&index) else { return };
        state.rings.forget(index);
        state.stats_told(Some(index));
        self.plan.workers[index].replicas.iter().for_each(|&replica| state.keep_stats(replica));
        let refused = process.refusal.map(|message| format!("its worker process can't run it: {message}"));
        let summary = refused.unwrap_or_else(|| end_of(status));
        let mut running: Vec<_> = process.running.into_iter().collect();
        running.sort();
        for replica in running {
            self.note_presence(&mut state, replica, Presence::Starting);
            let failure = Failure { summary: summary.clone(), stack: None };
            let _ = self.events.send(NodeEvent { replica, change: Change::Failed { failure, memory_peak: 0 } });
        }
    }
}

/// Whether calls to a node may come from a worker: a replica of it holds a handle, or it listens for the node's clients.
fn calls_node(plan: &Plan, worker: usize, node: NodeId) -> bool {
    if WorkerFiles::listening(plan, worker).contains(&node) {
        return true;
    }
    let edges = plan.workers[worker].replicas.iter().flat_map(|replica| &plan.node(replica.node).edges);
    edges.flat_map(|edge| &edge.handles).flat_map(|handle| &handle.targets).any(|target| target.node == node)
}
