//! What the nodes of a colocation share.

use serde::{Deserialize, Serialize};

/// What the nodes of a colocation share. Under launch type `threads` all nodes share one process in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ColocationMode {
    /// One process: calls among them never leave it.
    #[default]
    Threads,
    /// The budget of restarts; each replica has a process and a temporary directory of its own.
    Processes,
}
