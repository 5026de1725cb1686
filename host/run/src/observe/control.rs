//! The control socket of a run: what can be asked of a program while it runs, as lines of JSON over a Unix socket.

mod client;
mod server;

pub use client::{Client, ClientError};
use lp_courier::Credential;
use lp_trust::WorkerTls;
use serde::{Deserialize, Serialize};
pub use server::{Control, serve};

use super::end::RunEnd;
use super::log_line::LogLine;
use crate::supervise::ReplicaStatus;

/// A question to a run: `{"request":"logs","node":"producer/1","follow":true}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// What the run is doing. Answered with [`Reply::Status`].
    Status {},
    /// To end, as on SIGTERM. Answered with [`Reply::Stopping`], before it has ended.
    Stop {
        /// Whether to skip the grace period.
        now: bool,
    },
    /// To call a node. Answered with [`Reply::Credential`].
    Credential {
        /// The name of the node.
        node: String,
    },
    /// The last lines of output. Answered with any number of [`Reply::Line`] and [`Reply::Skipped`], then
    /// [`Reply::End`].
    Logs {
        /// The node (`producer`) or replica (`producer/1`) whose lines to send; all if there is none.
        node: Option<String>,
        /// Whether to go on until the run ends.
        follow: bool,
    },
    /// All output that is kept, and what comes until the run ends. Answered with any number of [`Reply::Line`] and
    /// [`Reply::Skipped`], the first of which counts what is not kept any more, then [`Reply::Ended`].
    Attach {},
}

/// An answer of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// What the run is doing.
    Status(RunStatus),
    /// The run was asked to stop.
    Stopping,
    /// What to show to the node that is to be called.
    Credential {
        /// Good for that node alone, as long as the run lives.
        credential: Credential,
        /// Who whoever launched the run is to the workers of other hosts, if there are any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<WorkerTls>,
    },
    /// A line of output.
    Line(LogLine),
    /// Lines that were dropped before they could be sent.
    Skipped {
        /// How many.
        lines: u64,
    },
    /// There are no more lines.
    End,
    /// There are no more lines, and this is how the run has ended.
    Ended(Box<RunEnd>),
    /// The request can't be answered.
    Error {
        /// Why.
        message: String,
    },
}

/// A run at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStatus {
    /// What the run is called.
    pub id: String,
    /// The name of the program.
    pub program: String,
    /// How its replicas came to run.
    pub launch_type: String,
    /// The process that supervises it.
    pub pid: u32,
    /// When it was launched, in seconds since 1970.
    pub started_unix_s: u64,
    /// How long ago that was, in milliseconds.
    pub uptime_ms: u64,
    /// Its replicas, in the order of the plan.
    pub replicas: Vec<ReplicaStatus>,
}
