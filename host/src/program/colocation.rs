//! Nodes that belong together: in one process, or in processes that share a fate.

use serde::{Deserialize, Serialize};

use super::Restart;

/// Nodes that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colocation {
    /// The name, in kebab-case, unique among the colocations of the program.
    pub name: String,
    /// The names of the nodes; each is in one colocation at most.
    pub nodes: Vec<String>,
    /// What the nodes share.
    pub mode: ColocationMode,
    /// Whether the first `run` of its nodes that returns ends the others.
    pub return_on_first_completed: bool,
    /// The restarts that the nodes have together, instead of each node its own. Only for [`ColocationMode::Processes`].
    pub restart: Option<Restart>,
}

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
