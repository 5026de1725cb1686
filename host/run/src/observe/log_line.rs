//! A line of a run's output as clients of the control socket get it, and where it comes from.

use lp_base::replica::Stream;
use serde::{Deserialize, Serialize};

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineSource {
    /// The stdout of a guest.
    Stdout,
    /// The stderr of a guest.
    Stderr,
    /// The host, which says what became of a replica or of the program.
    Host,
}

impl From<Stream> for LineSource {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Stdout => Self::Stdout,
            Stream::Stderr => Self::Stderr,
            Stream::Host => Self::Host,
        }
    }
}

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
