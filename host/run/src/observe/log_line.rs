//! A line of a run's output as clients of the control socket get it.

use lp_base::replica::LineSource;
use serde::{Deserialize, Serialize};

/// A line of a replica's output, or of what the host says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The replica (`producer/0`). What the host says may be about a node (`producer`), or about none (empty).
    pub replica: String,
    /// Which of its two streams, or the host.
    #[serde(rename = "stream")]
    pub source: LineSource,
    /// The text, without the end of the line.
    pub line: String,
}
