//! Nodes that belong together: in one process, or in processes that share a fate.

use lp_base::words::{ColocationMode, Restart};

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
