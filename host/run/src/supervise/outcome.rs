//! How a program ended, as a whole and replica by replica.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::worker::ReplicaStats;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every `run` returned, or a node asked for the stop.
    Finished,
    /// A node failed.
    Failed,
    /// A signal asked for the stop.
    Signalled(Signal),
}

/// A signal that stops a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP, as a terminal sends it that is closed.
    Hangup,
}

impl Signal {
    /// The signal's number: a process that it ends has exit code 128 and this.
    pub fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
            Self::Hangup => 1,
        }
    }
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        })
    }
}

/// A whole run.
#[derive(Debug)]
pub struct RunReport {
    /// How the program ended.
    pub outcome: Outcome,
    /// How long it took, from launch to end.
    pub elapsed: Duration,
    /// Every replica, in the order of the plan.
    pub replicas: Vec<ReplicaReport>,
}

/// One replica of a run.
#[derive(Debug)]
pub struct ReplicaReport {
    /// The node's name.
    pub node: String,
    /// The replica's place among those of its node.
    pub index: u32,
    /// How it ended.
    pub state: ReplicaState,
    /// The host on which it ran last, if that is not this one.
    pub host: Option<String>,
    /// Why it failed last, if it did.
    pub reason: Option<String>,
    /// How often it was restarted.
    pub restarts: u32,
    /// The most memory that it had at once in any of its lives, in bytes.
    pub memory_peak: u64,
    /// What it did in all of them.
    pub stats: Option<ReplicaStats>,
}

/// Where a replica is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicaState {
    /// Not instantiated yet.
    Starting,
    /// Instantiated; its `run`, if it has one, goes on.
    Running,
    /// Its `run` returned; it goes on serving.
    #[serde(rename = "finished")]
    Ran,
    /// It ended, or its `run` returned, and it waits for its restart.
    Restarting,
    /// It ended with the program.
    Ended,
    /// It failed.
    Failed,
    /// It was dropped before it ended.
    Killed,
}

impl ReplicaState {
    /// The state as users read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Ran => "finished",
            Self::Restarting => "restarting",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Killed => "killed",
        }
    }
}
