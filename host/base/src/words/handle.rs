//! How the calls of a handle are made.

use serde::{Deserialize, Serialize};

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
