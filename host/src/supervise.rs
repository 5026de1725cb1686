//! Runs a launched program to its end: one loop turns everything that happens into events and acts on each.

mod budget;
mod outcome;
mod state;
mod status;
mod timers;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub use outcome::{Outcome, ReplicaReport, ReplicaState, RunReport, Signal};
use state::{Action, Event, Supervision};
pub use status::{ReplicaStatus, StatusRequest};
use status::{Starts, replica_statuses};
use timers::Timers;

use crate::launch::{LaunchSetting, Launched, Workers, launch};
use crate::node::NodeEvent;
use crate::plan::Plan;
use crate::runtime::{Failure, Stop};
use crate::worker::WorkerError;

/// How long replicas that were told to end have before they are dropped, when the grace period does not apply.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Told what happens while a program runs.
pub trait Observer {
    /// Something that the user should know.
    fn note(&mut self, note: &Note);
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
        address: SocketAddr,
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
pub struct Setting {
    /// What launching needs.
    pub launching: LaunchSetting,
    /// Told of every SIGINT and SIGTERM.
    pub signals: mpsc::UnboundedReceiver<Signal>,
    /// Asks for the state of the replicas, at any time; answered at once. May be closed from the start.
    pub status_requests: mpsc::Receiver<StatusRequest>,
}

/// Launches `plan` and runs it until it has finished, failed or been stopped.
pub async fn supervise(
    plan: Arc<Plan>,
    setting: Setting,
    observer: &mut dyn Observer,
) -> Result<RunReport, WorkerError> {
    let Setting { launching, mut signals, mut status_requests } = setting;
    let stop = Stop::default();
    let (events_tx, mut events) = mpsc::unbounded_channel();
    let started = Instant::now();
    let mut supervision = Supervision::new(&plan, fastrand::f64);
    let mut starts = Starts::default();
    let launching = launch(plan.clone(), launching, stop.clone(), events_tx);
    let answer = |request: StatusRequest| request.answer(replica_statuses(&plan, &supervision, &starts, None));
    let Launched { mut workers, listening } =
        match launched(launching, &mut signals, &mut status_requests, answer).await {
            Ok(launched) => launched?,
            Err(signal) => {
                observer.note(&Note::LaunchStopped(signal));
                supervision.cancel(signal);
                return Ok(report(&plan, supervision, None, started.elapsed()));
            }
        };
    for (node, address) in listening {
        observer.note(&Note::Listening { node: plan.node(node).name.clone(), address });
    }
    workers.warnings().iter().for_each(|warning| observer.note(&Note::Warning(warning.clone())));
    let grace = Duration::from_millis(plan.grace_ms);
    let mut timers = Timers::default();
    let mut stop_seen = false;
    let mut deadline: Option<Instant> = None;
    let mut asking = FuturesUnordered::new();
    while !supervision.is_over() {
        let event = tokio::select! {
            // Replicas first: what happened before a stop is told before it.
            biased;
            Some(NodeEvent { replica, change }) = events.recv() => {
                starts.on(replica, &change);
                Event::Node { replica, change }
            }
            Some(signal) = signals.recv() => Event::Signal(signal),
            () = stop.requested(), if !stop_seen => {
                stop_seen = true;
                Event::StopRequested
            }
            Some(request) = status_requests.recv() => {
                asking.push(workers.refresh_stats().map(|()| request));
                continue;
            }
            Some(request) = asking.next() => {
                request.answer(replica_statuses(&plan, &supervision, &starts, Some(&workers)));
                continue;
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                deadline = None;
                Event::Deadline
            }
            event = timers.next() => event,
        };
        for action in supervision.on(event, started.elapsed()) {
            match action {
                Action::Note(note) => observer.note(&note),
                Action::RequestStop => {
                    stop.request();
                    deadline = Some(Instant::now() + grace);
                }
                Action::Close => {
                    workers.close();
                    deadline = Some(Instant::now() + CLOSE_TIME);
                }
                Action::Restart { replica, after } => timers.set(Instant::now() + after, Event::RestartDue(replica)),
                Action::Start(replica) => workers.restart(replica),
                Action::StopReplica(replica) => workers.stop_replica(replica),
                Action::CloseReplica(replica) => workers.close_replica(replica),
                Action::KillReplica(replica) => workers.kill_replica(replica),
                Action::GraceGroup(group) => timers.set(Instant::now() + grace, Event::GroupDeadline(group)),
            }
        }
    }
    workers.kill().await;
    Ok(report(&plan, supervision, Some(&workers), started.elapsed()))
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
        restarts: replica.restarts,
        memory_peak: replica.memory_peak,
        stats: workers.and_then(|workers| workers.stats(id)),
    });
    RunReport { outcome, elapsed, replicas: replicas.collect() }
}
