//! A plan run from its launch to its end, for programs that have no command line around them.

use std::sync::Arc;

use lp_base::plan::{ComponentFiles, Plan, ReplicaId, Secrets};
use lp_base::replica::{LineSource, Outputs, Stop};
use lp_base::scheduler::Scheduler;
use lp_runtime::CompileCache;
use tokio::sync::mpsc;

use crate::launch::{Credentials, LaunchOptions, NoRandomness, ProcessOptions};
use crate::node::Change;
use crate::supervise::{Note, Observer, RunReport, Signal, SuperviseOptions, supervise};
use crate::worker::{Compiling, WorkerError};

/// What a run needs beside its plan. The default has no components, shows no output, caches nothing and ends by itself.
pub struct RunOptions {
    /// Where the components of the plan are.
    pub components: ComponentFiles,
    /// Where the output of replicas goes: a closure takes each line with the label of its replica (`producer/0`).
    pub outputs: Arc<dyn Outputs>,
    /// Called with what a user should know, such as that a replica failed and restarts.
    pub notes: Box<dyn FnMut(&Note) + Send>,
    /// The inherited variables and secrets of nodes.
    pub secrets: Secrets,
    /// Where compiled components are kept, if anywhere. Without it they are compiled in every run.
    pub cache: Option<CompileCache>,
    /// How worker processes are started; needed for launch type `processes` alone.
    pub processes: Option<ProcessOptions>,
    /// Where the time, the random numbers and the tasks of the run come from. Runs of launch type `threads` can be
    /// [simulated](lp_base::scheduler::simulate).
    pub scheduler: Scheduler,
    /// Signals that ask the program to stop. It may be closed from the start, or never send any.
    pub signals: mpsc::UnboundedReceiver<Signal>,
}

/// Why a plan can't be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The edges can't be protected.
    #[error(transparent)]
    Credentials(#[from] NoRandomness),
    /// A worker can't be launched.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            components: ComponentFiles::default(),
            outputs: Arc::new(|_: &str, _: LineSource, _: &[u8]| {}),
            notes: Box::new(|_| {}),
            secrets: Secrets::default(),
            cache: None,
            processes: None,
            scheduler: Scheduler::default(),
            signals: mpsc::unbounded_channel().1,
        }
    }
}

/// Launches `plan` and runs it until it has finished, failed or been stopped, on the tokio runtime that this is called on,
/// which must have several threads unless it is that of a simulation.
///
/// Dropping the future drops every replica, wherever its guest is, and kills worker processes.
///
/// # Errors
/// If the plan can't be launched. A program that was launched and failed is no error: its report says so.
pub async fn run(plan: Plan, options: RunOptions) -> Result<RunReport, RunError> {
    let RunOptions { components, outputs, notes, secrets, cache, processes, scheduler, signals } = options;
    let credentials = Arc::new(Credentials::random(&plan, &scheduler)?);
    let launching =
        LaunchOptions { components, secrets, cache, outputs, credentials, processes, remote: None, scheduler };
    let (status_requests, rebuilds) = (mpsc::channel(1).1, mpsc::channel(1).1);
    let calls = mpsc::unbounded_channel().1;
    let setting = SuperviseOptions { launching, signals, over: Stop::default(), status_requests, rebuilds, calls };
    Ok(supervise(Arc::new(plan), setting, &mut Notes(notes)).await?)
}

struct Notes(Box<dyn FnMut(&Note) + Send>);

impl Observer for Notes {
    fn note(&mut self, note: &Note) {
        (self.0)(note);
    }

    fn change(&mut self, _: ReplicaId, _: &Change) {}

    fn compiling(&mut self, _: &Compiling) {}
}
