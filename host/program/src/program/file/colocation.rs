//! How a program file writes a colocation.

use lp_base::words::ColocationMode;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::restart::RestartFile;

/// Nodes that belong together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as [colocate.learners]")]
#[schemars(title = "colocation")]
pub(in crate::program) struct ColocationFile {
    /// The nodes: `nodes = ["learner", "replay"]`. A node is in one colocation at most.
    #[serde(default)]
    #[schemars(with = "Vec<String>", extend("minItems" = 1))]
    pub nodes: Vec<Spanned<String>>,

    /// What the nodes share: with `mode = "threads"`, which is the default, one process; with `mode = "processes"`, the
    /// budget of restarts, while each replica has a process and a temporary directory, its `/tmp`, to itself.
    #[serde(default)]
    pub mode: ColocationMode,

    /// Whether the first `run` of the nodes that returns ends the others: `return-on-first-completed = true`.
    #[serde(default)]
    pub return_on_first_completed: bool,

    /// When a replica of the nodes that has ended is started again, with one budget for all of them:
    /// `restart = { policy = "on-failure", max = 3 }`. Only with `mode = "processes"`.
    #[serde(default)]
    #[schemars(with = "RestartFile")]
    pub restart: Option<Spanned<RestartFile>>,
}
