//! Runs a launched program to its end: one loop turns everything that happens into events and acts on each.

mod outcome;
mod state;
mod status;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub use outcome::{Outcome, ReplicaReport, ReplicaState, RunReport, Signal};
use state::{Action, Event, Supervision};
pub use status::{ReplicaStatus, StatusRequest};
use status::{Starts, replica_statuses};

use crate::launch::launch_threads;
use crate::node::NodeEvent;
use crate::plan::{LaunchType, Plan};
use crate::runtime::{CompileCache, Failure, Outputs, Stop};
use crate::worker::{Surroundings, Worker, WorkerError};

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
    /// A replica failed, and the program with it.
    Failed {
        /// The replica (`producer/0`).
        replica: String,
        /// What its guest did.
        failure: Failure,
    },
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
    /// Where compiled components are kept, if anywhere.
    pub cache: Option<CompileCache>,
    /// Where the output of replicas goes.
    pub outputs: Arc<dyn Outputs>,
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
    let Setting { cache, outputs, mut signals, mut status_requests } = setting;
    let stop = Stop::default();
    let (events_tx, mut events) = mpsc::unbounded_channel();
    let surroundings = Surroundings { cache, outputs, stop: stop.clone(), events: events_tx };
    let started = std::time::Instant::now();
    let mut supervision = Supervision::new(&plan);
    let mut starts = Starts::default();
    let mut launching = pin!(async {
        match plan.launch_type {
            LaunchType::Threads => launch_threads(plan.clone(), surroundings).await,
        }
    });
    let mut worker = loop {
        tokio::select! {
            worker = &mut launching => break worker?,
            Some(request) = status_requests.recv() => request.answer(replica_statuses(&plan, &supervision, &starts, None)),
        }
    };
    worker.warnings().iter().for_each(|warning| observer.note(&Note::Warning(warning.clone())));
    let mut stop_seen = false;
    let mut deadline: Option<Instant> = None;
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
                request.answer(replica_statuses(&plan, &supervision, &starts, Some(&worker)));
                continue;
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                deadline = None;
                Event::Deadline
            }
        };
        for action in supervision.on(event) {
            match action {
                Action::Note(note) => observer.note(&note),
                Action::RequestStop => {
                    stop.request();
                    deadline = Some(Instant::now() + Duration::from_millis(plan.grace_ms));
                }
                Action::Close => {
                    worker.close();
                    deadline = Some(Instant::now() + CLOSE_TIME);
                }
            }
        }
    }
    worker.kill().await;
    Ok(report(&plan, supervision, &worker, started.elapsed()))
}

fn report(plan: &Plan, supervision: Supervision, worker: &Worker, elapsed: Duration) -> RunReport {
    let (outcome, replicas) = supervision.into_parts();
    let replicas = replicas.into_iter().map(|(replica, (state, memory_peak))| ReplicaReport {
        node: plan.nodes[replica.node.0 as usize].name.clone(),
        index: replica.index,
        state,
        memory_peak,
        stats: worker.stats(replica),
    });
    RunReport { outcome, elapsed, replicas: replicas.collect() }
}
