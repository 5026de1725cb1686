//! What a coordinator tells of its run: one JSON object a line, in a file or in the log of its Pod.
//!
//! A run has ended as the last record says. Without that record it has failed, whatever its engine says: an engine knows of
//! processes, and some take one that was lost for one that succeeded.

use lp_base::replica::LineSource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Record {
    /// A line of output, or of what the host says.
    Line {
        /// The replica. What the host says may be about a node, or about none (empty).
        replica: String,
        /// Which of its two streams, or the host.
        stream: LineSource,
        /// The text, without the end of the line.
        line: String,
    },
    /// Lines of output that were lost, because they could not be written.
    Lost {
        /// How many.
        lines: u64,
    },
    /// What the run is doing: of `lp-host ps --format json`. It comes when that has changed.
    State {
        /// The run.
        status: Value,
    },
    /// Every worker has loaded what it runs.
    Up {},
    /// The run has ended: the last record.
    End {
        /// How: what `lp-host attach` shows of a run that was kept.
        end: Value,
    },
}

impl Record {
    /// The record as a line.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("it has no keys that are no strings");
        line.push('\n');
        line
    }
}

/// Makes records of a journal that comes in pieces.
#[derive(Debug, Default)]
pub struct Reader {
    rest: Vec<u8>,
}

impl Reader {
    /// The records that are whole with this piece. A line that is no record is an error with its text: somebody else has written to
    /// the same place.
    pub fn read(&mut self, piece: &[u8]) -> Vec<Result<Record, String>> {
        self.rest.extend_from_slice(piece);
        let Some(end) = self.rest.iter().rposition(|&byte| byte == b'\n') else { return Vec::new() };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        let lines = whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let record = |line: &[u8]| serde_json::from_slice(line).map_err(|_| String::from_utf8_lossy(line).into_owned());
        lines.map(record).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_whole_whatever_the_pieces() {
        let records = [
            Record::Line { replica: "a/0".to_owned(), stream: LineSource::Stdout, line: "hi\n\u{1b}".to_owned() },
            Record::Lost { lines: 7 },
            Record::Up {},
            Record::State { status: serde_json::json!({ "id": "x" }) },
            Record::End { end: serde_json::json!({ "exit_code": 3 }) },
        ];
        let text: String = records.iter().map(Record::to_line).collect::<Vec<_>>().concat();
        for size in 1..text.len() {
            let mut reader = Reader::default();
            let read: Vec<_> = text.as_bytes().chunks(size).flat_map(|piece| reader.read(piece)).collect();
            assert!(read.into_iter().map(Result::unwrap).eq(records.clone()), "pieces of {size}");
        }
    }

    #[test]
    fn a_line_of_somebody_else_is_told_apart_and_a_torn_one_is_waited_for() {
        let mut reader = Reader::default();
        assert_eq!(
            reader.read(b"slurmstepd: error\n{\"type\":\"up\"}\n{\"typ"),
            [Err("slurmstepd: error".to_owned()), Ok(Record::Up {})]
        );
        assert_eq!(reader.read(b"e\":\"up\"}\n"), [Ok(Record::Up {})]);
    }
}
