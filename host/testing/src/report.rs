//! What came of a test.

use std::time::Duration;

/// What came of a test.
#[derive(Debug, Clone)]
pub struct Report {
    /// The name of the test.
    pub name: String,
    /// What was not as expected, in the order in which it was found. A test without any has passed.
    pub problems: Vec<String>,
    /// What each replica last printed, if the test failed.
    pub output: Vec<ReplicaOutput>,
    /// How many calls of its script were made.
    pub calls: usize,
    /// How long it took, from its launch to its end.
    pub elapsed: Duration,
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
