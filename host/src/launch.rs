//! Starts a plan's workers, one file per launch type, and speaks to all of them as one.

mod threads;

use std::sync::Arc;

use crate::plan::{LaunchType, Plan, ReplicaId};
use crate::worker::{ReplicaStats, Surroundings, Worker, WorkerError};
use threads::launch_threads;

/// The workers of a plan that was launched, by its launch type.
pub enum Workers {
    /// The only worker, in this process.
    Threads(Worker),
}

impl Workers {
    /// Starts the workers of `plan` as its launch type asks.
    pub async fn launch(plan: Arc<Plan>, surroundings: Surroundings) -> Result<Self, WorkerError> {
        match plan.launch_type {
            LaunchType::Threads => launch_threads(plan, surroundings).await.map(Self::Threads),
            LaunchType::Processes => Err(WorkerError::LaunchType(plan.launch_type)),
        }
    }

    /// What a user should know of how the workers run.
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Threads(worker) => worker.warnings(),
        }
    }

    /// Starts a replica again, after it has ended.
    pub fn restart(&mut self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.restart(replica),
        }
    }

    /// Asks one replica to stop, while the program goes on.
    pub fn stop_replica(&mut self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.stop_replica(replica),
        }
    }

    /// Refuses the calls of a replica from here on: it ends at once if it only serves, else when its `run` does.
    pub fn close_replica(&mut self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.close_replica(replica),
        }
    }

    /// Drops one replica wherever its guest is, and tells nobody.
    pub fn kill_replica(&mut self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.kill_replica(replica),
        }
    }

    /// Tells every replica that no more calls will come: those that only serve end at once, others when `run` does.
    pub fn close(&mut self) {
        match self {
            Self::Threads(worker) => worker.close(),
        }
    }

    /// Drops the replicas that are still there, wherever their guests are.
    pub async fn kill(&mut self) {
        match self {
            Self::Threads(worker) => worker.kill().await,
        }
    }

    /// What a replica has done so far, over all its lives.
    pub fn stats(&self, replica: ReplicaId) -> Option<ReplicaStats> {
        match self {
            Self::Threads(worker) => worker.stats(replica),
        }
    }
}
