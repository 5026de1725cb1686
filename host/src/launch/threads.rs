//! Launch type `threads`: the plan's only worker, in this process.

use std::sync::Arc;

use crate::plan::Plan;
use crate::worker::{Surroundings, Worker, WorkerError};

/// Starts the plan's worker on the tokio runtime that this is called on.
pub(super) async fn launch_threads(plan: Arc<Plan>, surroundings: Surroundings) -> Result<Worker, WorkerError> {
    // Compilation takes seconds of processor time, which a runtime's own thread must not spend at once.
    let runtime = tokio::runtime::Handle::current();
    let started = tokio::task::spawn_blocking(move || {
        let _entered = runtime.enter();
        Worker::start(&plan, 0, surroundings)
    });
    match started.await {
        Ok(worker) => worker,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
