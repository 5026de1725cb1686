//! What a replay node keeps, and what its callers may do with it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a replay node is made with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Its tables. At least one.
    pub tables: Vec<ReplayTable>,
    /// What becomes of an insert when the node has as much memory as it may have.
    pub at_limit: AtLimit,
    /// Where its tables are written to, and loaded from when it starts.
    pub checkpoint: Option<ReplayCheckpoint>,
}

/// A table of a replay node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayTable {
    /// Its name.
    pub name: String,
    /// Which item is sampled.
    pub sampler: Selector,
    /// Which item makes room.
    pub remover: Selector,
    /// The most items.
    pub max_size: u32,
    /// How often an item is sampled before it is removed; as often as it happens if there is no number.
    pub max_times_sampled: Option<u32>,
    /// When items may be inserted and sampled.
    pub rate_limiter: RateLimiter,
    /// What the columns of its items look like, for clients.
    pub signature: Option<Vec<SignatureColumn>>,
}

/// How an item is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selector {
    /// Each with the same probability.
    Uniform,
    /// In proportion to `priority ^ exponent`.
    Prioritized(Real),
    /// The oldest.
    Fifo,
    /// The newest.
    Lifo,
    /// The one with the lowest priority.
    MinHeap,
    /// The one with the highest priority.
    MaxHeap,
}

/// When items may be inserted and sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateLimiter {
    /// Samples wait until there are so many items.
    MinSize(u32),
    /// Keeps the ratio of samples to inserts.
    Ratio {
        /// Samples wait until there are so many items.
        min_size: u32,
        /// The samples that are meant for each insert.
        samples_per_insert: Real,
        /// Samples wait while `inserts * samples_per_insert - samples` would fall below this.
        min_diff: Real,
        /// Inserts wait while it would rise above this.
        max_diff: Real,
    },
    /// Inserts wait while so many items have not been sampled.
    Queue(u32),
}

/// A column of the items of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureColumn {
    /// Its name.
    pub name: String,
    /// The number of the type in TensorFlow.
    pub dtype: u32,
    /// The sizes of its dimensions; `None` is any.
    pub shape: Vec<Option<u32>>,
}

/// What becomes of an insert into a replay node that has as much memory as it may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AtLimit {
    /// It waits until there is room.
    #[default]
    Block,
    /// Items of its table make room, as the remover picks them.
    Evict,
}

/// Where a replay node writes its tables to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayCheckpoint {
    /// The folder. With several replicas, each has a folder in it.
    pub dir: PathBuf,
    /// How often it writes by itself, in milliseconds; only when it is asked to if there is no number.
    pub every_ms: Option<u64>,
    /// How many checkpoints are kept.
    pub keep: u32,
    /// The folder to load from when `dir` has none that is whole.
    pub fallback: Option<PathBuf>,
    /// Whose configuration holds where a checkpoint and the program differ.
    pub configuration: Configuration,
}

/// Whose configuration holds where a checkpoint and the program differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Configuration {
    /// The program's.
    #[default]
    Program,
    /// The checkpoint's, as Reverb has it.
    Stored,
}

/// What a node may do with a replay node that it holds a handle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayAccess {
    /// Sample, and ask what the tables have.
    Read,
    /// Insert, change priorities, and delete.
    Write,
    /// Reset tables, change their limiters, and have checkpoints written.
    Admin,
}

impl ReplayAccess {
    /// Every access, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// What a handle gives whose program says nothing of it.
    pub const DEFAULT: [Self; 2] = [Self::Read, Self::Write];

    /// The interface that it is for, without its version.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Read => "lp:replay/reader",
            Self::Write => "lp:replay/writer",
            Self::Admin => "lp:replay/admin",
        }
    }

    /// What program.toml calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// What it lets a node do, as in `it lets the node …`.
    pub fn what(self) -> &'static str {
        match self {
            Self::Read => "sample",
            Self::Write => "insert",
            Self::Admin => "change tables as a whole",
        }
    }

    /// The access that a call of this interface, with or without a version, needs; `None` if it is none of a replay node.
    pub fn of_interface(name: &str) -> Option<Self> {
        let name = name.split('@').next().unwrap_or_default();
        Self::ALL.into_iter().find(|access| access.interface() == name)
    }
}

/// A number of a program file that need not be whole. Two are equal if their bits are.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Real(pub f64);

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Real {}
