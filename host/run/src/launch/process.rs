//! The inside of a worker process: a worker that does what its launcher says.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lp_base::plan::{ComponentFiles, Plan, ReplicaId};
use lp_base::replica::{LineSink, LineSource, OutputRoom, Outputs, Stop};
use lp_base::scheduler::Scheduler;
use lp_base::words::Hardening;
use lp_courier::{Blocked, Standing, StandingWatch};
use lp_runtime::CompileCache;
use tokio::sync::mpsc;

use super::WorkerFiles;
use super::hardening::Hardened;
use super::protocol::{Command, Report, StatsReport, receive, send};
use crate::node::{Change, NodeEvent};
use crate::worker::{Endpoints, Order, Worker, WorkerError, WorkerOptions};

/// How often the launcher is told what replicas have done.
const STATS_INTERVAL: Duration = Duration::from_millis(500);

/// How often blocked replicas are looked for. One that is blocked at two looks in a row, by the same call, is told of.
const BLOCKED_INTERVAL: Duration = Duration::from_millis(150);

/// After how many looks the launcher is told once more of what stands still.
const LOOKS_PER_REPORT: u32 = 8;

/// What a worker process is to run, and how.
pub struct WorkerProcessOptions {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Where its components are.
    pub components: ComponentFiles,
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
    /// Where the time, the random numbers and the tasks of the worker come from.
    pub scheduler: Scheduler,
}

/// Runs a worker until `commands` ends.
pub async fn run_worker_process(
    setting: WorkerProcessOptions,
    commands: impl Read + Send + 'static,
    reports: impl Write + Send + 'static,
) {
    let WorkerProcessOptions { plan, components, index, hardened, mut endpoints, run_dir, cache, scheduler } = setting;
    let reporter = Reporter { writer: Arc::new(Mutex::new(Box::new(reports))), room: OutputRoom::default() };
    let (events_tx, events) = mpsc::unbounded_channel();
    let stop = Stop::default();
    let outputs = Arc::new(reporter.clone());
    let mut commands = commands_of(commands, &scheduler);
    let Some(Command::Secrets { secrets }) = commands.recv().await else { return };
    // A worker that was never told them would deny every call.
    let Some(Command::Credentials(credentials)) = commands.recv().await else { return };
    if let Some(workers) = &mut endpoints.workers {
        workers.credentials = credentials;
    }
    if let (Hardening::Require, Some(missing)) = (plan.hardening, hardened.warning()) {
        return reporter.report(&Report::NotLoaded { message: missing });
    }
    // The launcher has compiled what takes time, and told of it.
    let (compiling, _) = mpsc::unbounded_channel();
    let options = WorkerOptions {
        components,
        secrets,
        cache,
        outputs,
        stop: stop.clone(),
        events: events_tx,
        compiling,
        endpoints,
        run_dir: Some(run_dir.clone()),
        scheduler,
    };
    let worker = match load(plan.clone(), index, options).await {
        Ok(worker) => worker,
        Err(error) => {
            return reporter.report(&Report::NotLoaded { message: super::with_causes(&error) });
        }
    };
    let warnings = worker.warnings().iter().cloned().chain(hardened.warning()).collect();
    reporter.report(&Report::Loaded { hardened, warnings });
    let replicas = plan.workers[index].replicas.clone();
    let (watch, still) = (StandingWatch::default(), Vec::new());
    let (blocked, unreachable) = (Vec::new(), BTreeSet::new());
    let obeying = Obeying {
        worker,
        replicas,
        stop,
        reporter,
        stop_told: false,
        blocked,
        watch,
        still,
        run_dir,
        unreachable,
        looks: 0,
    };
    obeying.run(events, commands).await;
}

/// A worker that does what the launcher says and reports what happens.
struct Obeying {
    worker: Worker,
    replicas: Vec<ReplicaId>,
    stop: Stop,
    reporter: Reporter,
    /// Whether the launcher knows that the program was asked to stop.
    stop_told: bool,
    /// The holds at the last look.
    blocked: Vec<Blocked>,
    watch: StandingWatch,
    /// The replicas that stood still at the last look.
    still: Vec<Standing>,
    /// The directory of the run on this machine.
    run_dir: PathBuf,
    /// The workers of which the launcher was told that they can't be reached.
    unreachable: BTreeSet<usize>,
    looks: u32,
}

impl Obeying {
    /// Until the commands end, and clients have taken the answers that are on their way to them. For how long they may, the
    /// launcher says by killing the process.
    async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<NodeEvent>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) {
        let intervals = [STATS_INTERVAL, BLOCKED_INTERVAL].map(|period| self.worker.scheduler().interval(period));
        let [mut ticks, mut looks] = intervals;
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.report_event(event),
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return self.worker.end(pending()).await,
                },
                () = stop.requested(), if !self.stop_told => self.report_stop(),
                _ = looks.tick() => {
                    self.report_blocked();
                    self.report_standing();
                    self.report_network();
                }
                _ = ticks.tick() => self.report_stats(),
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            // They were taken before the worker was there.
            Command::Secrets { .. } | Command::Credentials(_) => {}
            Command::TellStats => {
                self.report_stats();
                self.reporter.report(&Report::StatsTold);
            }
            Command::TellStanding { question } => {
                let (standing, crowds) = self.worker.standing();
                self.reporter.report(&Report::Standing { question: Some(question), standing, crowds });
            }
            Command::HoldOutput { held } => self.reporter.room.set(!held),
            Command::TellBlocked { question } => {
                self.reporter.report(&Report::Blocked { question: Some(question), holds: self.worker.blocked() });
            }
            Command::Order { order } => {
                let order = self.here(order);
                let obeyed = match order.compiles() {
                    true => {
                        let scheduler = self.worker.scheduler().clone();
                        scheduler.block_in_place(|| self.worker.obey(order))
                    }
                    false => self.worker.obey(order),
                };
                if let Err(error) = obeyed {
                    self.reporter.report(&Report::NotRebuilt { message: super::with_causes(&error) });
                }
            }
        }
    }

    /// The order with the components where this machine has them: in the folder of the run, where the launcher or the agent of
    /// this host has put them. A launcher knows no path of another machine, and has none to choose.
    fn here(&self, order: Order) -> Order {
        let Order::Rebuild { nodes, .. } = order else { return order };
        let dir = WorkerFiles::of(&self.run_dir).components();
        let digests = nodes.iter().filter_map(|(_, node)| node.sha256());
        let components = digests.map(|sha256| (sha256, WorkerFiles::component_in(&dir, sha256))).collect();
        Order::Rebuild { nodes, components }
    }

    fn report_event(&mut self, NodeEvent { replica, change }: NodeEvent) {
        // A `run` that asked for the stop and returned has done so in this order.
        if matches!(change, Change::Ran) && self.stop.is_requested() && !self.stop_told {
            self.report_stop();
        }
        self.reporter.stats(&self.worker, replica);
        self.reporter.report(&Report::Node { replica, change: change.cut() });
    }

    fn report_stop(&mut self) {
        self.stop_told = true;
        self.reporter.report(&Report::StopRequested);
    }

    /// Reports the holds that were there at the last look too.
    fn report_blocked(&mut self) {
        let before = std::mem::replace(&mut self.blocked, self.worker.blocked());
        let holds: Vec<_> = self.blocked.iter().filter(|hold| before.contains(hold)).copied().collect();
        if !holds.is_empty() {
            self.reporter.report(&Report::Blocked { question: None, holds });
        }
    }

    /// Reports the replicas that have stood still for a while: at once if they are others than at the last look, and now and
    /// then as long as there are any, since the launcher forgets those of which it expects that they move.
    fn report_standing(&mut self) {
        let (standing, crowds) = self.worker.standing();
        let still = self.watch.look(standing);
        self.looks = self.looks.wrapping_add(1);
        let is_due = still != self.still || self.looks.is_multiple_of(LOOKS_PER_REPORT);
        let is_empty = still.is_empty() && self.still.is_empty();
        if is_due && !is_empty {
            self.reporter.report(&Report::Standing { question: None, standing: still.clone(), crowds });
        }
        self.still = still;
    }

    /// Reports what the other end of a connection does not: workers that can't be reached, and strangers.
    fn report_network(&mut self) {
        let unreachable: BTreeMap<_, _> = self.worker.unreachable().collect();
        for (&worker, trouble) in unreachable.iter().filter(|(worker, _)| !self.unreachable.contains(worker)) {
            self.reporter.report(&Report::Unreachable { worker, why: trouble.why.clone() });
        }
        self.unreachable = unreachable.into_keys().collect();
        for (stranger, from) in self.worker.strangers() {
            self.reporter.report(&Report::Stranger { stranger, from });
        }
    }

    fn report_stats(&self) {
        self.replicas.iter().for_each(|&replica| self.reporter.stats(&self.worker, replica));
    }
}

async fn load(plan: Arc<Plan>, index: usize, options: WorkerOptions) -> Result<Worker, WorkerError> {
    let scheduler = options.scheduler.clone();
    scheduler.blocking(move || Worker::load(&plan, index, options)).await
}

/// The launcher's commands. They end when the launcher does, and with anything that is no command.
fn commands_of(commands: impl Read + Send + 'static, scheduler: &Scheduler) -> mpsc::UnboundedReceiver<Command> {
    let (tx, rx) = mpsc::unbounded_channel();
    let reading = scheduler.thread("commands", move || {
        for command in receive(commands).map_while(Result::ok) {
            if tx.send(command).is_err() {
                return;
            }
        }
    });
    reading.expect("a process that has just started has threads left");
    rx
}

/// The way to the launcher.
#[derive(Clone)]
struct Reporter {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    /// Whether the launcher has room for more lines.
    room: OutputRoom,
}

impl Reporter {
    fn report(&self, report: &Report) {
        // A launcher that does not listen any more is gone, which the end of its commands tells.
        let _ = send(&mut *self.writer.lock().unwrap_or_else(PoisonError::into_inner), report);
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

    fn room(&self) -> Option<OutputRoom> {
        Some(self.room.clone())
    }
}

struct Lines {
    reporter: Reporter,
    label: String,
}

impl LineSink for Lines {
    fn line(&self, stream: LineSource, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        self.reporter.report(&Report::Line { replica: self.label.clone(), stream, line });
    }

    fn room(&self) -> Option<&OutputRoom> {
        Some(&self.reporter.room)
    }
}
