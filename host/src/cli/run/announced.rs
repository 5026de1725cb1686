//! A run made known to `ps`, `logs` and `stop`: its directory, its control socket, and the guardian of both.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use lp_base::plan::Plan;
use lp_base::scheduler::Scheduler;
use lp_run::launch::{Credentials, RunDir};
use lp_run::observe::{CONTROL_SOCKET, Control, RecentLines, RunEnd, keep, serve};
use lp_run::supervise::{Signal, StatusRequest};
use lp_trust::WorkerTls;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cli::guard::Guardian;
use crate::cli::runs;

/// A run that others can find. Dropping it removes its directory.
pub(super) struct Announced {
    recent: RecentLines,
    server: JoinHandle<()>,
    /// What is kept of the run when it has ended, if anything is.
    kept: Option<RunEnd>,
    // Removed before its guardian is told to go.
    dir: RunDir,
    _guardian: Guardian,
}

impl Announced {
    /// Makes a run of `plan` known. Must be called on a tokio runtime.
    pub(super) fn new(
        plan: &Arc<Plan>,
        recent: RecentLines,
        signals: mpsc::UnboundedSender<Signal>,
        status_requests: mpsc::Sender<StatusRequest>,
        credentials: (Arc<Credentials>, Arc<OnceLock<WorkerTls>>),
        scheduler: &Scheduler,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let dir = runs::registry()?.add(&plan.program, scheduler)?;
        let listener = UnixListener::bind(dir.socket(CONTROL_SOCKET))?;
        let guardian = Guardian::start(dir.id())?;
        let (id, plan) = (dir.id().clone(), plan.clone());
        let control = Control::new(id, plan, recent.clone(), signals, status_requests, credentials, scheduler.clone());
        Ok(Self { recent, server: tokio::spawn(serve(listener, control)), kept: None, dir, _guardian: guardian })
    }

    /// The directory of the run.
    pub(super) fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Lets those who follow the output have the rest of it, and the end. Both stay in the directory for those who attach
    /// later, if the run is kept.
    pub(super) async fn finish(&mut self, end: RunEnd, is_kept: bool) {
        self.kept = is_kept.then(|| end.clone());
        self.recent.end(end);
        // A panic of the server has been reported where it happened.
        let _ = (&mut self.server).await;
    }

    /// Ends what others can find of the run, but for what is kept.
    pub(super) fn end(self) {
        let Self { recent, kept, dir, _guardian, .. } = self;
        match kept {
            // A disk that is full keeps nothing, and there is nobody left to tell.
            Some(end) => drop(keep(dir, &end, &recent)),
            None => drop(dir),
        }
    }
}
