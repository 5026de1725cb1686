//! What came of a test.

use std::time::Duration;

use crate::timeline::Timeline;

/// What came of a test.
#[derive(Debug, Clone)]
pub struct Report {
    /// The name of the test.
    pub name: String,
    /// What was not as expected, in the order in which it was found. A test without any has passed.
    pub problems: Vec<String>,
    /// What each replica last printed, if the test failed.
    pub output: Vec<ReplicaOutput>,
    /// The calls that it made, in their order, with what came of each.
    pub answers: Vec<Answer>,
    /// How long it took, from its launch to its end.
    pub elapsed: Duration,
    /// How many seeds it was run with; 0 if nobody asked for more than one.
    pub seeds: u64,
    /// How a search came to this run, if it failed.
    pub found: Option<Found>,
    /// All that happened, in a deterministic run.
    pub timeline: Option<Timeline>,
}

/// A failed run that a search has found, and the smaller one that it was shrunk to, which the report is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// How many faults and changes of order the run of the seed had.
    pub happenings: usize,
    /// How many are left.
    pub left: usize,
    /// The command that runs the seed.
    pub command: String,
    /// The command that runs the smaller one.
    pub shrunk_command: String,
}

/// A call of a test, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its place among the calls of the file; `None` if it is none of these.
    pub place: Option<usize>,
    /// What came.
    pub came: Came,
    /// Whether that was as expected.
    pub is_expected: bool,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Came {
    /// A result.
    Result {
        /// As text.
        wave: String,
        /// As a value.
        json: serde_json::Value,
    },
    /// A function without a result returned.
    Nothing,
    /// A call error.
    Error {
        /// Its case, such as `unavailable`.
        case: &'static str,
        /// What it says beside that.
        message: Option<String>,
    },
}

/// The last lines of a replica.
#[derive(Debug, Clone)]
pub struct ReplicaOutput {
    /// The replica: `consumer/0`.
    pub replica: String,
    /// The lines, the oldest first.
    pub lines: Vec<String>,
    /// How many came before them.
    pub left_out: usize,
}

impl Report {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}
