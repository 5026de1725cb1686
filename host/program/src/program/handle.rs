//! A client of other nodes, and how its calls are made.

use std::collections::BTreeSet;
use std::time::Duration;

use lp_base::words::{Pick, ReplayAccess, Retry, WhenFull};

/// A client of one node or of a group of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle {
    /// The name, in kebab-case, unique in the node that holds the handle.
    pub name: String,
    /// The names of the nodes it reaches: one, or a group.
    pub nodes: Vec<String>,
    /// How long a call may take, from being made to its result; without one it may take forever.
    pub timeout: Option<Duration>,
    /// Whether a call waits for a node that is not up yet, instead of failing as unavailable.
    pub wait_for_ready: bool,
    /// Which replica a call of a plain import goes to.
    pub pick: Pick,
    /// Which calls may be made twice.
    pub retry: Retry,
    /// What a call to a replica does that has as many calls waiting as it accepts.
    pub when_full: WhenFull,
    /// What it lets its node do with a replay node.
    pub access: BTreeSet<ReplayAccess>,
}
