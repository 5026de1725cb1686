//! The workers of a fleet from their start to their end, and what comes from them meanwhile.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use lp_base::calls::ReplicaIndex;
use lp_base::plan::{Plan, ReplicaId};
use lp_base::replica::{Failure, LineSource, Outputs, Stop};
use lp_base::scheduler::Scheduler;
use lp_courier::Presence;
use lp_trust::Identity;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::Private;
use super::reports::{Forged, Reports, Sinks};
use super::routes::Routes;
use super::start::{Start, Started};
use super::state::{Running, State};
use crate::launch::protocol::{Command, Report};
use crate::node::{Change, NodeEvent};
use crate::worker::{Order, WorkerCredentials, WorkerError};

/// How often a worker that closed its reports is asked whether it has ended.
const END_INTERVAL: Duration = Duration::from_millis(1);

/// Everything that the tasks of a fleet share.
pub(super) struct Shared {
    pub plan: Arc<Plan>,
    pub routes: Routes,
    pub start: Box<dyn Start>,
    pub private: Private,
    pub outputs: Arc<dyn Outputs>,
    pub events: mpsc::UnboundedSender<NodeEvent>,
    pub stop: Stop,
    pub state: Mutex<State>,
    pub scheduler: Scheduler,
}

/// The first thing that a worker says: its warnings, or why it can't run its replicas.
pub(super) type FirstWord = Result<Vec<String>, String>;

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts worker number `index`, with its tasks among `tasks`. Its first word arrives when it has said it.
    pub fn start(
        self: &Arc<Self>,
        index: usize,
        tasks: &mut JoinSet<()>,
    ) -> Result<oneshot::Receiver<FirstWord>, WorkerError> {
        let name = || self.plan.workers[index].name.clone();
        let started = self.start.start(index).map_err(|source| WorkerError::Launch { name: name(), source })?;
        let Started { commands: sink, reports, life, located } = started;
        let (commands, to_write) = mpsc::unbounded_channel();
        // A task writes, because a worker that was stopped does not read and must not hold anyone up.
        self.scheduler.spawn_in(tasks, write(sink, to_write));
        let worker = Running { commands, life, refusal: None, replicas: HashSet::new() };
        let replicas = &self.plan.workers[index].replicas;
        let nodes: HashSet<_> = replicas.iter().map(|replica| replica.node).collect();
        let secrets = self.private.secrets.as_ref().map(|secrets| secrets.only(|node| nodes.contains(&node)));
        secrets.into_iter().for_each(|secrets| worker.tell(Command::Secrets { secrets }));
        worker.tell(Command::Credentials(self.credentials(index)?));
        if self.stop.is_requested() {
            worker.order(Order::Stop);
        }
        let mut state = self.lock();
        if state.output_held {
            worker.tell(Command::HoldOutput { held: true });
        }
        for (&replica, &presence) in &state.presence {
            worker.order(Order::Presence { replica, presence });
        }
        for (&other, address) in &state.locations {
            if self.routes.callers_of_worker(other).contains(&index) {
                worker.order(Order::Located { worker: other, address: Some(address.clone()) });
            }
        }
        state.running.insert(index, worker);
        drop(state);
        let (first_word, first_word_rx) = oneshot::channel();
        let shared = self.clone();
        self.scheduler.spawn_in(tasks, async move {
            // Where it is becomes known while it loads. What comes after its end is of no use.
            tokio::select! {
                biased;
                () = shared.listen(index, reports, first_word) => {}
                never = shared.locate(index, located) => match never {},
            }
            shared.ended(index).await;
        });
        Ok(first_word_rx)
    }

    /// By what a worker knows the others, and they know it.
    fn credentials(&self, index: usize) -> Result<WorkerCredentials, WorkerError> {
        let mut credentials = self.private.credentials.of_worker(&self.plan, index);
        if let Some(authority) = &self.private.authority {
            credentials.tls = Some(authority.issue(Identity::Worker(index), self.scheduler.wall())?);
        }
        Ok(credentials)
    }

    /// Tells the callers of a worker where it is, once that is known.
    async fn locate(&self, index: usize, located: Option<BoxFuture<'static, Option<String>>>) -> Infallible {
        if let Some(located) = located
            && let Some(address) = located.await
        {
            self.set_location(&mut self.lock(), index, Some(address));
        }
        pending().await
    }

    /// Notes where a worker is. Its callers close connections to where it was.
    fn set_location(&self, state: &mut State, index: usize, address: Option<String>) {
        let before = match address.clone() {
            Some(address) => state.locations.insert(index, address),
            None => state.locations.remove(&index),
        };
        if before.is_none() && address.is_none() {
            return;
        }
        for caller in self.routes.callers_of_worker(index).iter().filter_map(|caller| state.running.get(caller)) {
            caller.order(Order::Located { worker: index, address: address.clone() });
        }
    }

    /// Takes what a worker reports until its end. One that says what it can't know is ended.
    async fn listen(&self, index: usize, reports: impl AsyncRead + Unpin, first_word: oneshot::Sender<FirstWord>) {
        let mut first_word = Some(first_word);
        let mut reports = Reports::new(reports, &self.plan, index);
        let sinks = Sinks::new(&*self.outputs, &self.plan, index);
        let forged = loop {
            match reports.next().await {
                Ok(Some(report)) => match self.take(index, report, &sinks, &mut first_word) {
                    Ok(()) => {}
                    Err(forged) => break forged,
                },
                Ok(None) => return,
                Err(forged) => break forged,
            }
        };
        if let Some(worker) = self.lock().running.get_mut(&index) {
            worker.refusal = Some(format!("its worker process was ended: {forged}"));
            worker.life.kill();
        }
    }

    fn take(
        &self,
        index: usize,
        report: Report,
        sinks: &Sinks,
        first_word: &mut Option<oneshot::Sender<FirstWord>>,
    ) -> Result<(), Forged> {
        let mut say = |word| drop(first_word.take().map(|first_word| first_word.send(word)));
        match report {
            Report::Loaded { hardened, warnings } => {
                self.lock().hardened.insert(index, hardened);
                say(Ok(warnings));
            }
            Report::NotLoaded { message } => {
                if let Some(worker) = self.lock().running.get_mut(&index) {
                    worker.refusal = Some(format!("its worker process can't run it: {message}"));
                }
                say(Err(message));
            }
            Report::Node { replica, change } => self.changed(replica, change),
            Report::Stats(stats) => drop(self.lock().latest.insert(stats.replica, stats)),
            Report::StatsTold => self.lock().stats_told(Some(index)),
            Report::Blocked { question, holds } => {
                let mut state = self.lock();
                let actions = state.rings.on_holds(index, question, holds);
                state.act(actions);
            }
            Report::Standing { question, standing, crowds } => {
                let mut state = self.lock();
                let actions = match question {
                    None => state.standstills.on_told(index, standing, crowds),
                    Some(question) => state.standstills.on_answer(index, question, standing, crowds),
                };
                let label = |replica: ReplicaIndex| {
                    self.plan.replicas().nth(replica.0 as usize).map_or_else(String::new, |id| self.plan.label(id))
                };
                state.act_on_standstills(actions, label);
            }
            Report::NotRebuilt { message } => {
                self.say(index, &format!("error: it goes on as it was: {message}"));
            }
            Report::Unreachable { worker, why } => {
                let (own, other) = (&self.plan.workers[index].name, &self.plan.workers[worker].name);
                let place = self.lock().locations.get(&worker).map_or_else(String::new, |place| format!(" at {place}"));
                self.warn(index, &format!("`{own}` can't reach `{other}`{place}: {why}"));
            }
            Report::Stranger { stranger, from } => {
                let advice = "it was refused; more of its kind won't be reported";
                self.warn(index, &format!("somebody at {from} knocked who {stranger}: {advice}"));
            }
            Report::StopRequested => self.stop.request(),
            Report::Line { replica, stream, line } => sinks.line(&replica, stream, &line)?,
        }
        Ok(())
    }

    fn warn(&self, index: usize, warning: &str) {
        self.say(index, &format!("warning: {warning}"));
    }

    /// Says something to the user in the name of a worker.
    fn say(&self, index: usize, line: &str) {
        self.outputs.sink(&self.plan.workers[index].name).line(LineSource::Host, line.as_bytes());
    }

    fn changed(&self, replica: ReplicaId, change: Change) {
        {
            let mut state = self.lock();
            match &change {
                Change::Started => self.note_presence(&mut state, replica, Presence::Ready),
                Change::Ran => {}
                Change::Ended { .. } | Change::Failed { .. } => {
                    self.note_presence(&mut state, replica, Presence::Starting);
                    let worker = self.routes.worker_of(replica).and_then(|index| state.running.get_mut(&index));
                    worker.map(|worker| worker.replicas.remove(&replica));
                }
            }
        }
        self.report(NodeEvent { replica, change });
    }

    /// Passes an event on to the supervisor, unless that has ended.
    pub fn report(&self, event: NodeEvent) {
        let _ = self.events.send(event);
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
        for worker in self.routes.callers_of(replica).filter_map(|index| state.running.get(&index)) {
            worker.order(Order::Presence { replica, presence });
        }
    }

    /// Notes the end of a worker, which said its last word.
    async fn ended(&self, index: usize) {
        let how = loop {
            {
                let mut state = self.lock();
                let Some(worker) = state.running.get_mut(&index) else { return };
                if let Some(how) = worker.life.ended() {
                    break how;
                }
            }
            self.scheduler.sleep(END_INTERVAL).await;
        };
        self.lost(index, &how).into_iter().for_each(|event| self.report(event));
    }

    /// Forgets a worker that ended `how`, and gives the failures of the replicas that ran in it.
    fn lost(&self, index: usize, how: &str) -> Vec<NodeEvent> {
        let mut state = self.lock();
        let Some(worker) = state.running.remove(&index) else { return Vec::new() };
        state.rings.forget(index);
        state.standstills.forget(index);
        state.stats_told(Some(index));
        self.set_location(&mut state, index, None);
        self.plan.workers[index].replicas.iter().for_each(|&replica| state.keep_stats(replica));
        let summary = worker.refusal.unwrap_or_else(|| how.to_owned());
        let mut replicas: Vec<_> = worker.replicas.into_iter().collect();
        replicas.sort();
        let failed = replicas.into_iter().map(|replica| {
            self.note_presence(&mut state, replica, Presence::Starting);
            let failure = Failure { summary: summary.clone(), stack: None };
            NodeEvent { replica, change: Change::Failed { failure, memory_peak: 0 } }
        });
        failed.collect()
    }
}

/// Writes commands until their end, or that of the worker.
async fn write(mut sink: impl AsyncWrite + Unpin, mut commands: mpsc::UnboundedReceiver<Command>) {
    while let Some(command) = commands.recv().await {
        let Ok(mut line) = serde_json::to_vec(&command) else { continue };
        line.push(b'\n');
        if sink.write_all(&line).await.is_err() || sink.flush().await.is_err() {
            return;
        }
    }
}
