//! The processes of workers from their start to their end, and what the threads do that listen to them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use lp_base::plan::{NodeId, Plan, ReplicaId};
use lp_base::replica::{Failure, Outputs, Stop, Stream};
use lp_courier::grpc::Presence;
use tokio::sync::mpsc;

use super::state::{Process, State, end_of};
use super::{Private, ProcessSetting};
use crate::launch::WorkerFiles;
use crate::launch::protocol::{Command, Report, receive, send};
use crate::node::{Change, NodeEvent};
use crate::worker::WorkerError;

/// What the threads that listen to workers share.
pub(super) struct Shared {
    pub plan: Arc<Plan>,
    pub setting: ProcessSetting,
    pub sockets: Vec<UnixListener>,
    pub nodes: Vec<(NodeId, TcpListener)>,
    pub private: Private,
    pub outputs: Arc<dyn Outputs>,
    pub stop: Stop,
    pub events: mpsc::UnboundedSender<NodeEvent>,
    pub state: Mutex<State>,
}

/// The first thing that a worker process says.
pub(super) type FirstWord = Result<Vec<String>, String>;

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn worker_of(&self, replica: ReplicaId) -> Option<usize> {
        self.plan.workers.iter().position(|worker| worker.replicas.contains(&replica))
    }

    /// Starts the process of worker number `index`. What it says first is told when it has said it.
    pub fn spawn(self: &Arc<Self>, index: usize) -> Result<tokio::sync::oneshot::Receiver<FirstWord>, WorkerError> {
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
                Report::NotRebuilt { message } => {
                    let sink = self.outputs.sink(&self.plan.workers[index].name);
                    sink.line(Stream::Host, format!("error: it goes on as it was: {message}").as_bytes());
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

    pub fn note_presence(&self, state: &mut State, replica: ReplicaId, presence: Presence) {
        if state.presence.get(&replica) == Some(&Presence::Gone) {
            return;
        }
        self.set_presence(state, replica, presence);
    }

    /// The same, also of a replica that comes back though it was gone for good.
    pub fn set_presence(&self, state: &mut State, replica: ReplicaId, presence: Presence) {
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
    plan.workers[worker].replicas.iter().any(|replica| plan.node(replica.node).callees.contains(&node))
}
