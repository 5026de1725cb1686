//! The inside of a worker process: a worker that does what its launcher says.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lp_base::plan::{NodeId, NodePlan, Plan, ReplicaId};
use lp_base::replica::{LineSink, Outputs, Stop, Stream};
use lp_base::words::Hardening;
use lp_runtime::CompileCache;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::hardening::Hardened;
use super::protocol::{Command, Report, StatsReport, receive, send};
use crate::node::{Change, NodeEvent};
use crate::worker::{Endpoints, Surroundings, Worker, WorkerError};

/// How often the launcher is told what replicas have done.
const STATS_INTERVAL: Duration = Duration::from_millis(500);

/// How often blocked replicas are looked for. One that is blocked at two looks in a row, by the same call, is told of.
const BLOCKED_INTERVAL: Duration = Duration::from_millis(150);

/// What a worker process is to run, and how.
pub struct WorkerSetting {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Which of its workers this is.
    pub index: usize,
    /// The walls that were raised around the process.
    pub hardened: Hardened,
    /// The sockets that the launcher passed on.
    pub endpoints: Endpoints,
    /// The directory of the run.
    pub run_dir: PathBuf,
    /// Where compiled components are kept, if anywhere.
    pub cache: Option<CompileCache>,
}

/// Runs a worker until `commands` ends.
pub async fn run_worker_process(
    setting: WorkerSetting,
    commands: impl Read + Send + 'static,
    reports: impl Write + Send + 'static,
) {
    let WorkerSetting { mut plan, index, hardened, mut endpoints, run_dir, cache } = setting;
    let reporter = Reporter(Arc::new(Mutex::new(Box::new(reports))));
    let (events_tx, mut events) = mpsc::unbounded_channel();
    let stop = Stop::default();
    let outputs = Arc::new(reporter.clone());
    let mut commands = commands_of(commands);
    let Some(Command::Secrets { secrets }) = commands.recv().await else { return };
    // A worker that was never told them would deny every call.
    let Some(Command::Credentials(credentials)) = commands.recv().await else { return };
    if let Some(workers) = &mut endpoints.workers {
        workers.credentials = credentials;
    }
    if let (Hardening::Require, Some(missing)) = (plan.hardening, hardened.warning()) {
        return reporter.report(&Report::NotLoaded { message: missing });
    }
    let run_dir = Some(run_dir);
    // The launcher has compiled what takes time, and told of it.
    let (compiling, _) = mpsc::unbounded_channel();
    let surroundings =
        Surroundings { secrets, cache, outputs, stop: stop.clone(), events: events_tx, compiling, endpoints, run_dir };
    let mut worker = match load(plan.clone(), index, surroundings).await {
        Ok(worker) => worker,
        Err(error) => {
            return reporter.report(&Report::NotLoaded { message: super::with_causes(&error) });
        }
    };
    let warnings = worker.warnings().iter().cloned().chain(hardened.warning()).collect();
    reporter.report(&Report::Loaded { hardened, warnings });
    let mut ticks = tokio::time::interval(STATS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = tokio::time::interval(BLOCKED_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut blocked = Vec::new();
    let mut stop_seen = false;
    loop {
        tokio::select! {
            biased;
            Some(NodeEvent { replica, change }) = events.recv() => {
                // A `run` that asked for the stop and returned has done so in this order.
                if matches!(change, Change::Ran) && stop.is_requested() && !std::mem::replace(&mut stop_seen, true) {
                    reporter.report(&Report::StopRequested);
                }
                reporter.stats(&worker, replica);
                reporter.report(&Report::Node { replica, change });
            }
            command = commands.recv() => match command {
                Some(Command::TellStats) => {
                    plan.workers[index].replicas.iter().for_each(|&replica| reporter.stats(&worker, replica));
                    reporter.report(&Report::StatsTold);
                }
                Some(Command::TellBlocked { question }) => {
                    reporter.report(&Report::Blocked { question: Some(question), holds: worker.blocked() });
                }
                Some(Command::Rebuild { nodes }) => match rebuild(&mut worker, &plan, nodes) {
                    Ok(rebuilt) => plan = Arc::new(rebuilt),
                    Err(error) => reporter.report(&Report::NotRebuilt { message: super::with_causes(&error) }),
                },
                Some(command) => obey(&mut worker, &stop, command),
                None => return,
            },
            () = stop.requested(), if !stop_seen => {
                stop_seen = true;
                reporter.report(&Report::StopRequested);
            }
            _ = looks.tick() => {
                let before = std::mem::replace(&mut blocked, worker.blocked());
                let holds: Vec<_> = blocked.iter().filter(|hold| before.contains(hold)).copied().collect();
                if !holds.is_empty() {
                    reporter.report(&Report::Blocked { question: None, holds });
                }
            }
            _ = ticks.tick() => {
                plan.workers[index].replicas.iter().for_each(|&replica| reporter.stats(&worker, replica));
            }
        }
    }
}

async fn load(plan: Arc<Plan>, index: usize, surroundings: Surroundings) -> Result<Worker, WorkerError> {
    let runtime = tokio::runtime::Handle::current();
    let loaded = tokio::task::spawn_blocking(move || {
        let _entered = runtime.enter();
        Worker::load(&plan, index, surroundings)
    });
    loaded.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Has the worker run `nodes` in place of those that `plan` has, and returns the plan with them.
fn rebuild(worker: &mut Worker, plan: &Plan, nodes: Vec<(NodeId, NodePlan)>) -> Result<Plan, WorkerError> {
    let rebuilt = nodes.iter().map(|(id, _)| *id).collect();
    let mut plan = plan.clone();
    for (id, node) in nodes {
        plan.nodes[id.0 as usize] = node;
    }
    // The launcher has compiled them, so that they mostly come from the cache.
    tokio::task::block_in_place(|| worker.rebuild(&plan, &rebuilt))?;
    Ok(plan)
}

fn obey(worker: &mut Worker, stop: &Stop, command: Command) {
    match command {
        // They were taken before the worker was there.
        Command::Secrets { .. } | Command::Credentials(_) => {}
        Command::Start { replica } => worker.restart(replica),
        Command::Presence { replica, presence } => worker.set_presence(replica, presence),
        Command::StopReplica { replica } => worker.stop_replica(replica),
        Command::KillReplica { replica } => worker.kill_replica(replica),
        Command::PauseReplica { replica } => worker.pause_replica(replica),
        Command::DropReplica { replica } => worker.drop_replica(replica),
        Command::CloseReplica { replica } => worker.close_replica(replica),
        Command::BreakHold { blocked, calls } => worker.break_hold(blocked, calls),
        // Answered where the way back is known.
        Command::TellStats | Command::TellBlocked { .. } | Command::Rebuild { .. } => {}
        Command::Stop => stop.request(),
        Command::Close => worker.close(),
    }
}

/// The launcher's commands. They end when the launcher does, and with anything that is no command.
fn commands_of(commands: impl Read + Send + 'static) -> mpsc::UnboundedReceiver<Command> {
    let (tx, rx) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for command in receive(commands).map_while(Result::ok) {
            if tx.send(command).is_err() {
                return;
            }
        }
    });
    rx
}

/// The way to the launcher.
#[derive(Clone)]
struct Reporter(Arc<Mutex<Box<dyn Write + Send>>>);

impl Reporter {
    fn report(&self, report: &Report) {
        // A launcher that does not listen any more is gone, which the end of its commands tells.
        let _ = send(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), report);
    }

    fn stats(&self, worker: &Worker, replica: ReplicaId) {
        if let Some(stats) = worker.stats(replica) {
            self.report(&Report::Stats(StatsReport::new(replica, &stats)));
        }
    }
}

impl Outputs for Reporter {
    fn sink(&self, label: &str) -> Arc<dyn LineSink> {
        Arc::new(Lines { reporter: self.clone(), label: label.to_owned() })
    }
}

struct Lines {
    reporter: Reporter,
    label: String,
}

impl LineSink for Lines {
    fn line(&self, stream: Stream, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        self.reporter.report(&Report::Line { replica: self.label.clone(), stream, line });
    }
}
