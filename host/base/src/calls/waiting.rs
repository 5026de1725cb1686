//! What calls that a replica works on wait for.

use serde::{Deserialize, Serialize};

use super::ReplicaIndex;

/// Calls that wait for the same replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitGroup {
    /// How many calls.
    pub calls: u32,
    /// The replicas that each of them has made calls to which are not answered.
    pub callees: Vec<ReplicaIndex>,
}

/// Tells what the calls wait for that a replica works on.
pub trait Waiting: Send + Sync {
    /// Those that wait for anybody.
    fn groups(&self) -> Vec<WaitGroup>;
}
