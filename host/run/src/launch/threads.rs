//! Launch type `threads`: the plan's only worker, in this process.

use std::sync::Arc;

use lp_base::plan::Plan;

use crate::worker::{Worker, WorkerError, WorkerOptions};

/// Starts the plan's worker.
pub(super) async fn launch_threads(plan: Arc<Plan>, options: WorkerOptions) -> Result<Worker, WorkerError> {
    // Compilation takes seconds of processor time, which a runtime's own thread must not spend at once.
    let loading = plan.clone();
    let scheduler = options.scheduler.clone();
    let mut worker = scheduler.blocking(move || Worker::load(&loading, 0, options)).await?;
    // Started here, so that a launch that is given up starts nothing when its components are compiled after all.
    worker.start_replicas();
    Ok(worker)
}
