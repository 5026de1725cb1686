//! Runs a launched program to its end: one loop turns everything that happens into events and acts on each.

mod budget;
mod outcome;
mod rebuilds;
mod state;
mod status;
mod timers;

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use lp_base::plan::{NodeId, Plan, ReplicaId};
use lp_base::replica::{Failure, Stop};
use lp_base::scheduler::{Scheduler, Stopwatch};
pub use outcome::{Outcome, ReplicaReport, ReplicaState, RunReport, Signal};
use rebuilds::Preparing;
pub use rebuilds::{Rebuild, Rebuilt};
use state::{Action, Event, Supervision};
pub use status::{ReplicaStatus, StatusRequest};
use status::{Starts, replica_statuses};
use timers::Timers;
use tokio::sync::mpsc;

use crate::launch::{LaunchOptions, Launched, OutsideCall, Workers, launch};
use crate::node::{Change, NodeEvent};
use crate::worker::{Compiling, Order, ReplicaOrder, WorkerError};

/// How long replicas that only serve have at least to end when they are told to, even if the grace period has passed.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Told what happens while a program runs.
pub trait Observer {
    /// Something that the user should know.
    fn note(&mut self, note: &Note);
    /// A replica took a step in its life.
    fn change(&mut self, replica: ReplicaId, change: &Change);
    /// A component is compiled before the program starts.
    fn compiling(&mut self, compiling: &Compiling);
    /// The program is up: all its workers have loaded what they run. Called after the notes of the launch.
    fn launched(&mut self) {
        // Most say so by notes.
    }
}

/// Something that happened to the program.
#[derive(Debug)]
pub enum Note {
    /// The worker runs otherwise than it could.
    Warning(String),
    /// Clients outside of the program can call a node.
    Listening {
        /// The node.
        node: String,
        /// Where.
        address: String,
    },
    /// A replica failed. Unless it is restarted, the program fails with it.
    Failed {
        /// The replica (`producer/0`).
        replica: String,
        /// What its guest did.
        failure: Failure,
    },
    /// A replica ended, and will be restarted.
    Restarting {
        /// The replica.
        replica: String,
        /// How long that takes.
        after: Duration,
        /// The number of the restart among those that count, from 1.
        attempt: u32,
        /// The most restarts that may count.
        max: u32,
    },
    /// A replica ended once more than its restart policy allows, and the program fails with it.
    GivenUp {
        /// The replica.
        replica: String,
        /// The most restarts within the window.
        max: u32,
        /// The window.
        window: Duration,
    },
    /// A node has other components now: its replicas end and start again as what it is.
    Rebuilt {
        /// The node.
        node: String,
    },
    /// A node was rebuilt and can't be run: it goes on as it was.
    NotRebuilt {
        /// Why.
        error: String,
    },
    /// A replica that failed stays away until its node is rebuilt.
    AwaitsRebuild {
        /// The replica.
        replica: String,
    },
    /// Every `run` has ended, and the program stays up for what is rebuilt.
    Idle,
    /// The program has ended, and starts again when a node is rebuilt.
    Over,
    /// A signal came before the program was up, which ends at once.
    LaunchStopped(Signal),
    /// A signal asked the program to stop; it has the grace period to do so.
    Stopping {
        /// The signal.
        signal: Signal,
        /// The grace period.
        grace: Duration,
    },
    /// The grace period passed, or a second signal cut it short: these replicas are dropped where they are.
    Killing {
        /// The replicas that had not ended.
        replicas: Vec<String>,
    },
}

/// What a supervised program needs beside its plan.
pub struct SuperviseOptions {
    /// What launching needs.
    pub launching: LaunchOptions,
    /// Told of every signal that asks for a stop.
    pub signals: mpsc::UnboundedReceiver<Signal>,
    /// Asks every node to stop, as a node does: a program that stops already goes on with that, while another signal cuts it
    /// short. Looked at once the program is up.
    pub over: Stop,
    /// Asks for the state of the replicas, at any time; answered at once. May be closed from the start.
    pub status_requests: mpsc::Receiver<StatusRequest>,
    /// What to run from then on, whenever nodes of a watched program were rebuilt. Closed for one that is not.
    pub rebuilds: mpsc::Receiver<Rebuild>,
    /// Calls by whoever runs the program, which are made while it is up. May be closed from the start.
    pub calls: mpsc::UnboundedReceiver<OutsideCall>,
}

/// Launches `plan` and runs it until it has finished, failed or been stopped. A program that is watched starts again when
/// a node is rebuilt after that, until a signal ends it.
pub async fn supervise(
    plan: Arc<Plan>,
    setting: SuperviseOptions,
    observer: &mut dyn Observer,
) -> Result<RunReport, WorkerError> {
    let mut run = Run { plan, setting, observer };
    loop {
        let report = run.supervise().await?;
        if !run.plan.watched || matches!(report.outcome, Outcome::Signalled(_)) {
            return Ok(report);
        }
        run.observer.note(&Note::Over);
        if let Some(signal) = run.wait_for_rebuild().await {
            return Ok(RunReport { outcome: Outcome::Signalled(signal), ..report });
        }
    }
}

/// A program and what its launches share.
struct Run<'a> {
    plan: Arc<Plan>,
    setting: SuperviseOptions,
    observer: &'a mut dyn Observer,
}

/// A program that is up.
struct Live {
    workers: Workers,
    supervision: Supervision,
    stop: Stop,
    timers: Timers<Event>,
    /// When the time is over that the last action gave the whole program.
    deadline: Option<Instant>,
    /// When the grace period ends, once the program is stopping.
    grace_end: Option<Instant>,
    /// What will replace the plan, once it is known that it can.
    preparing: Option<Preparing>,
    /// What replaces the plan when the nodes that were rebuilt have ended.
    next: Option<(Rebuilt, BTreeSet<NodeId>)>,
}

impl Live {
    /// Asks every node to stop, where that has not been done, and gives the end of the grace period.
    fn begin_grace(&mut self, grace: Duration, scheduler: &Scheduler) -> Instant {
        self.stop.request();
        *self.grace_end.get_or_insert_with(|| scheduler.now() + grace)
    }
}

impl Run<'_> {
    /// From the launch to the end.
    async fn supervise(&mut self) -> Result<RunReport, WorkerError> {
        let stop = Stop::default();
        let (events_tx, mut events) = mpsc::unbounded_channel();
        let scheduler = self.setting.launching.scheduler.clone();
        let mut random = scheduler.random("backoff");
        let mut supervision = Supervision::new(&self.plan, move || random.f64());
        let (started, mut starts) = (scheduler.stopwatch(), Starts::default());
        let (compiling_tx, mut compiling) = mpsc::unbounded_channel();
        let launching =
            launch(self.plan.clone(), self.setting.launching.clone(), stop.clone(), events_tx, compiling_tx);
        let launching = observed(launching, &mut compiling, self.observer);
        let answer = |request: StatusRequest| request.answer(replica_statuses(&self.plan, &supervision, &starts, None));
        let SuperviseOptions { signals, status_requests, .. } = &mut self.setting;
        let Launched { workers, listening } = match launched(launching, signals, status_requests, answer).await {
            Ok(launched) => launched?,
            Err(signal) => {
                self.observer.note(&Note::LaunchStopped(signal));
                supervision.cancel(signal);
                return Ok(report(&self.plan, supervision, None, started.elapsed()));
            }
        };
        self.note_launched(&workers, listening);
        let timers = Timers::new(scheduler.clone());
        let (deadline, grace_end, preparing, next) = (None, None, None, None);
        let mut live = Live { workers, supervision, stop, timers, deadline, grace_end, preparing, next };
        self.go_on(&mut live, (&mut events, &mut compiling), &mut starts, &started).await;
        let signal = self.end_workers(&mut live, &starts).await;
        self.take_rebuilt(&mut live);
        Ok(self.cut_short(report(&self.plan, live.supervision, Some(&live.workers), started.elapsed()), signal))
    }

    /// From the launch until all replicas have ended.
    async fn go_on(
        &mut self,
        live: &mut Live,
        (events, compiling): (&mut mpsc::UnboundedReceiver<NodeEvent>, &mut mpsc::UnboundedReceiver<Compiling>),
        starts: &mut Starts,
        started: &Stopwatch,
    ) {
        let scheduler = self.setting.launching.scheduler.clone();
        let (mut stop_seen, mut over_seen) = (false, false);
        let (mut asking, mut calling) = (FuturesUnordered::new(), FuturesUnordered::new());
        while !live.supervision.is_over() {
            let event = tokio::select! {
                // Replicas first: what happened before a stop is told before it.
                biased;
                Some(NodeEvent { replica, change }) = events.recv() => {
                    starts.on(replica, &change, &scheduler);
                    self.observer.change(replica, &change);
                    Event::Node { replica, change }
                }
                Some(signal) = self.setting.signals.recv() => Event::Signal(signal),
                () = live.stop.requested(), if !stop_seen => {
                    stop_seen = true;
                    Event::StopRequested
                }
                () = self.setting.over.requested(), if !over_seen => {
                    over_seen = true;
                    Event::StopRequested
                }
                Some(request) = self.setting.status_requests.recv() => {
                    asking.push(live.workers.refresh_stats().map(|()| request));
                    continue;
                }
                Some(call) = self.setting.calls.recv() => {
                    calling.push(live.workers.call(call));
                    continue;
                }
                Some(()) = calling.next() => continue,
                Some(request) = asking.next() => {
                    request.answer(replica_statuses(&self.plan, &live.supervision, starts, Some(&live.workers)));
                    continue;
                }
                Some(compiling) = compiling.recv() => {
                    self.observer.compiling(&compiling);
                    continue;
                }
                Some(rebuild) = self.setting.rebuilds.recv(), if live.takes_rebuilds() => {
                    live.preparing = Some(self.prepare(live, rebuild));
                    continue;
                }
                prepared = rebuilds::prepared(&mut live.preparing), if live.supervision.takes_rebuilds() => {
                    let Some(event) = self.prepared(live, prepared) else { continue };
                    event
                }
                () = scheduler.sleep_until(live.deadline.unwrap_or_else(|| scheduler.now())), if live.deadline.is_some() => {
                    live.deadline = None;
                    Event::Deadline
                }
                event = live.timers.next() => event,
            };
            for action in live.supervision.on(event, started.elapsed()) {
                self.act(live, action);
            }
        }
    }

    /// The report of a run that a signal found as it ended. Whoever watches wants no next launch then.
    fn cut_short(&self, report: RunReport, signal: Option<Signal>) -> RunReport {
        match signal.filter(|_| self.plan.watched) {
            Some(signal) => RunReport { outcome: Outcome::Signalled(signal), ..report },
            None => report,
        }
    }

    /// Ends the workers. What is left of the program's time is for clients that take their answers slowly; another signal cuts
    /// it short, and is returned.
    async fn end_workers(&mut self, live: &mut Live, starts: &Starts) -> Option<Signal> {
        let Live { workers, supervision, deadline, .. } = live;
        let SuperviseOptions { launching, signals, status_requests, .. } = &mut self.setting;
        let (plan, scheduler) = (&self.plan, &launching.scheduler);
        let mut cut_short = None;
        let patience = async {
            let mut end = pin!(scheduler.sleep_until(deadline.unwrap_or_else(|| scheduler.now())));
            loop {
                tokio::select! {
                    biased;
                    Some(signal) = signals.recv() => {
                        cut_short = Some(signal);
                        return;
                    }
                    Some(request) = status_requests.recv() => {
                        request.answer(replica_statuses(plan, supervision, starts, None));
                    }
                    () = &mut end => return,
                }
            }
        };
        workers.end(patience).await;
        cut_short
    }

    fn note_launched(&mut self, workers: &Workers, listening: Vec<(NodeId, String)>) {
        for (node, address) in listening {
            self.observer.note(&Note::Listening { node: self.plan.node(node).name.clone(), address });
        }
        workers.warnings().iter().for_each(|warning| self.observer.note(&Note::Warning(warning.clone())));
        self.observer.launched();
    }

    fn act(&mut self, live: &mut Live, action: Action) {
        let grace = Duration::from_millis(self.plan.grace_ms);
        let Live { workers, timers, .. } = live;
        match action {
            // A program that is about to end, since one of its nodes wants that, says so itself.
            Action::Note(Note::Idle) if live.stop.is_requested() => {}
            Action::Note(note) => self.observer.note(&note),
            Action::RequestStop => live.deadline = Some(live.begin_grace(grace, &self.setting.launching.scheduler)),
            Action::Close => {
                let scheduler = &self.setting.launching.scheduler;
                let grace_end = live.begin_grace(grace, scheduler);
                order(&mut live.workers, Order::Close);
                live.deadline = Some(grace_end.max(scheduler.now() + CLOSE_TIME));
            }
            Action::CloseSoon => {
                order(workers, Order::Close);
                live.deadline = Some(self.setting.launching.scheduler.now() + CLOSE_TIME);
            }
            Action::Restart { replica, after } => timers.set(after, Event::RestartDue(replica)),
            Action::Start(replica) => order(workers, ReplicaOrder::Start.to(replica)),
            Action::StopReplica(replica) => order(workers, ReplicaOrder::Stop.to(replica)),
            Action::PauseReplica(replica) => order(workers, ReplicaOrder::Pause.to(replica)),
            Action::CloseReplica(replica) => order(workers, ReplicaOrder::Close.to(replica)),
            Action::KillReplica(replica) => order(workers, ReplicaOrder::Kill.to(replica)),
            Action::DropReplica(replica) => order(workers, ReplicaOrder::Drop.to(replica)),
            Action::GraceColocation(colocation) => timers.set(grace, Event::ColocationDeadline(colocation)),
            Action::GraceRebuild(number) => timers.set(grace, Event::RebuildDeadline(number)),
            Action::Replace => self.replace(live),
        }
    }
}

/// Gives an order that can't fail: all but those that load components.
fn order(workers: &mut Workers, order: Order) {
    let obeyed = workers.order(order);
    debug_assert!(obeyed.is_ok(), "only a rebuild loads components");
}

/// A launch, with what it compiles told to `observer`.
async fn observed<L>(
    launching: impl Future<Output = L>,
    compiling: &mut mpsc::UnboundedReceiver<Compiling>,
    observer: &mut dyn Observer,
) -> L {
    let mut launching = pin!(launching);
    loop {
        tokio::select! {
            biased;
            Some(compiling) = compiling.recv() => observer.compiling(&compiling),
            launched = &mut launching => return launched,
        }
    }
}

/// The launched workers, or the signal that came before they were.
async fn launched<L>(
    launching: impl Future<Output = L>,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    status_requests: &mut mpsc::Receiver<StatusRequest>,
    answer: impl Fn(StatusRequest),
) -> Result<L, Signal> {
    let mut launching = pin!(launching);
    loop {
        tokio::select! {
            biased;
            launched = &mut launching => return Ok(launched),
            Some(signal) = signals.recv() => return Err(signal),
            Some(request) = status_requests.recv() => answer(request),
        }
    }
}

fn report(plan: &Plan, supervision: Supervision, workers: Option<&Workers>, elapsed: Duration) -> RunReport {
    let (outcome, replicas) = supervision.into_parts();
    let replicas = replicas.into_iter().map(|(id, replica)| ReplicaReport {
        node: plan.node(id.node).name.clone(),
        index: id.index,
        state: replica.state,
        reason: replica.reason,
        host: workers.and_then(|workers| workers.host(id)),
        restarts: replica.restarts,
        memory_peak: replica.memory_peak,
        stats: workers.and_then(|workers| workers.stats(id)),
    });
    RunReport { outcome, elapsed, replicas: replicas.collect() }
}
