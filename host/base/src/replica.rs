//! Replicas of any kind of node: their specification, the request to stop, how they end or fail, and where their output
//! goes.

mod output;
mod stop;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use output::{LINE_BYTES_MAX, LineSink, LineSource, OutputRoom, Outputs};
use serde::{Deserialize, Serialize};
pub use stop::Stop;

use crate::calls::ReplicaIndex;
use crate::plan::{NodePlan, NodeSecrets};
use crate::scheduler::Scheduler;

/// Facts and the stop request that all replicas of a program share.
pub struct ProgramInfo {
    /// The program's name.
    pub name: String,
    /// The launch type as guests are told it.
    pub launch_type: String,
    /// The program's stop request.
    pub stop: Stop,
    /// Whether a replica that has failed may come back, since its node may be rebuilt.
    pub watched: bool,
}

/// Everything that makes one replica different from another.
pub struct ReplicaSpec {
    /// The program.
    pub program: Arc<ProgramInfo>,
    /// The node.
    pub node: Arc<NodePlan>,
    /// What the guest is given that its plan does not say.
    pub secrets: Arc<NodeSecrets>,
    /// The replica's place among those of its node, from 0.
    pub index: u32,
    /// The replica's number in the program.
    pub number: ReplicaIndex,
    /// What the replica is called in logs and tables, such as `producer/0`.
    pub label: String,
    /// Asks this replica alone to stop, while the program goes on.
    pub stop: Stop,
    /// Where its output goes.
    pub sink: Arc<dyn LineSink>,
    /// Where its time, its random numbers and its tasks come from.
    pub scheduler: Scheduler,
    /// How large its memories are, in bytes: kept up to date for whoever wants to know.
    pub memory_bytes: Arc<AtomicU64>,
}

impl ReplicaSpec {
    /// Whether the replica has been asked to stop, alone or with the program.
    pub fn stop_requested(&self) -> bool {
        self.program.stop.is_requested() || self.stop.is_requested()
    }

    /// Waits until the replica has been asked to stop, alone or with the program.
    pub async fn stopping(&self) {
        tokio::select! {
            biased;
            () = self.program.stop.requested() => {}
            () = self.stop.requested() => {}
        }
    }
}

/// How a life of a replica ended.
#[derive(Debug)]
pub struct Ended {
    /// Why, where the guest failed; `None` where it was told to end, or ended itself with an exit status of 0.
    pub failure: Option<Failure>,
    /// Whether `run` ended by an exit with status 0, which no call can follow.
    pub exited: bool,
    /// The most memory that the replica had at once, in bytes.
    pub memory_peak: u64,
}

/// What is said of a replica that a fault of a test has crashed.
pub const CRASHED: &str = "a fault of the test crashed it";

/// How a replica failed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    /// What happened, in one line.
    pub summary: String,
    /// The guest's stack, innermost first, where it has one.
    pub stack: Option<String>,
}
