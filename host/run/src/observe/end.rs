//! How a run has ended, for those who attach to it: while it ends, or later.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::table::{report_json, report_table};
use crate::supervise::RunReport;

/// The end of a run, as its launcher shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// The name of the program.
    pub program: String,
    /// With what `lp-host run` exits, or would have in a terminal.
    pub exit_code: u8,
    /// When it ended, in seconds since 1970.
    pub ended_unix_s: u64,
    /// The table of its replicas, for people.
    pub table: String,
    /// The same for programs.
    pub report: Value,
}

impl RunEnd {
    /// The end of a run of `program` by that report.
    pub fn new(program: &str, exit_code: u8, now: SystemTime, report: &RunReport) -> Self {
        Self {
            program: program.to_owned(),
            exit_code,
            ended_unix_s: now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
            table: report_table(report),
            report: report_json(report),
        }
    }
}
