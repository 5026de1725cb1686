//! A client of other nodes, and how its calls are made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
}

/// Which of a node's replicas a call of a plain import goes to, among those that are ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// They take turns.
    #[default]
    RoundRobin,
    /// The one with the fewest unanswered calls of this caller.
    LeastPending,
}

/// Which calls are made again when their callee was lost and may or may not have worked on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// None: a call is made at most once.
    #[default]
    Never,
    /// Every call, since making it twice is the same as making it once.
    Idempotent,
}

/// What a call to a replica does that has as many calls waiting as it accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// Waits for room, and fails as overloaded when the timeout of the handle passes before.
    #[default]
    Wait,
    /// Fails as overloaded at once.
    Fail,
}
