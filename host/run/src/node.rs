//! The life of one replica, whatever kind of node it is of: what happens to it, told as events.

mod component;

pub use component::run_component;
use lp_base::plan::ReplicaId;
use lp_base::replica::Failure;
use serde::{Deserialize, Serialize};

/// Something that happened to a replica.
#[derive(Debug)]
pub struct NodeEvent {
    /// The replica.
    pub replica: ReplicaId,
    /// What happened.
    pub change: Change,
}

/// A step in a replica's life.
#[derive(Debug, Serialize, Deserialize)]
pub enum Change {
    /// It is instantiated: its `run` starts and its calls are answered from here on.
    Started,
    /// Its `run` ended well. It goes on serving, if it has couriers.
    Ran,
    /// It ended, since the program did.
    Ended {
        /// The most memory that it had at once, in bytes.
        memory_peak: u64,
    },
    /// It failed and is gone.
    Failed {
        /// What the guest did.
        failure: Failure,
        /// The most memory that it had at once, in bytes.
        memory_peak: u64,
    },
}
