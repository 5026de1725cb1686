//! What a node asks of Slurm.

use lp_base::words::{DurationText, SizeText};
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// What a node asks of Slurm, with `--launch-type slurm`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { cpus = 4, memory = \"8GiB\" }")]
#[schemars(title = "slurm")]
pub(in crate::program) struct SlurmFile {
    /// How many processors each replica has: `slurm = { cpus = 4 }`. The default is 1; what is colocated adds up.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = 65535))]
    pub cpus: Option<Spanned<i64>>,

    /// How much memory the process of each replica may have: `slurm = { memory = "8GiB" }`. At least `limits.memory`. The
    /// default is that and 128MiB for the host.
    #[serde(default)]
    #[schemars(with = "SizeText")]
    pub memory: Option<Spanned<SizeText>>,

    /// How many GPUs each replica has: `slurm = { gpus = 1 }`.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 0, max = 1024))]
    pub gpus: Option<Spanned<i64>>,

    /// The features that its machines must have, as `sbatch --constraint` takes them: `slurm = { constraint = "a100|h100" }`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub constraint: Option<Spanned<String>>,

    /// The partition: `slurm = { partition = "gpu" }`. Nodes that need different ones become a heterogeneous job, whose parts
    /// start on different machines. A node that says nothing goes where the first one that does goes.
    #[serde(default)]
    #[schemars(with = "String")]
    pub partition: Option<Spanned<String>>,

    /// The account that is charged: `slurm = { account = "physics" }`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub account: Option<Spanned<String>>,

    /// After how long the job ends: `slurm = { time = "2h" }`. The nodes are asked to stop before that, with time for `grace`.
    /// The longest one of all nodes holds. Units: ms, s, m, h.
    #[serde(default)]
    #[schemars(with = "DurationText")]
    pub time: Option<Spanned<DurationText>>,

    /// Further options of sbatch, each as it is written there: `slurm = { sbatch = ["--qos=high", "--requeue"] }`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub sbatch: Vec<Spanned<String>>,
}
