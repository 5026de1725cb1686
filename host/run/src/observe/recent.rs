//! The last lines of a run's output, kept in memory for those who ask for them while it runs.

use std::collections::VecDeque;
use std::sync::Arc;

use lp_base::replica::{LineSink, LineSource, OutputRoom, Outputs};
use tokio::sync::watch;

use super::end::RunEnd;
use super::lines::LineOutputs;
use super::log_line::LogLine;

/// How much output is kept.
pub const RECENT_BYTES_MAX: usize = 4 << 20;

/// What a line costs beside its text: its entry, the two strings and their allocations.
const LINE_OVERHEAD_BYTES: usize = 128;

/// How many lines are looked at under the lock that those who print wait for.
const BATCH_LINES_MAX: usize = 1024;

/// What a line takes.
fn bytes(line: &LogLine) -> usize {
    line.replica.len() + line.line.len() + LINE_OVERHEAD_BYTES
}

/// The last lines of a run. Clones are of the same run.
#[derive(Clone, Debug)]
pub struct RecentLines(Arc<watch::Sender<Ring>>);

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    /// The number of the first line that is kept, counted from the start of the run.
    first: u64,
    /// How the run has ended, once no more lines will come.
    end: Option<Arc<RunEnd>>,
}

impl Ring {
    fn next(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    fn push(&mut self, line: LogLine) {
        self.bytes += bytes(&line);
        self.lines.push_back(Arc::new(line));
        while self.bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= bytes(&oldest);
            self.first += 1;
        }
    }
}

impl Default for RecentLines {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Ring::default())))
    }
}

impl RecentLines {
    /// Takes one more line.
    pub fn push(&self, line: LogLine) {
        self.0.send_modify(|ring| ring.push(line));
    }

    /// Says that no more lines will come, and how the run has ended.
    pub fn end(&self, end: RunEnd) {
        self.0.send_modify(|ring| ring.end = Some(Arc::new(end)));
    }

    /// How the run has ended, once it has.
    pub fn run_end(&self) -> Option<Arc<RunEnd>> {
        self.0.borrow().end.clone()
    }

    /// Waits until no more lines will come.
    pub async fn ended(&self) {
        // The sender is held by this very value, so the wait can't fail.
        let _ = self.0.subscribe().wait_for(|ring| ring.end.is_some()).await;
    }

    /// Reads the lines from the oldest that is kept on.
    pub fn reader(&self) -> LineReader {
        let ring = self.0.subscribe();
        let next = ring.borrow().first;
        LineReader { ring, next }
    }

    /// The same, and counts those before them that are not kept as skipped.
    pub fn reader_from_start(&self) -> LineReader {
        LineReader { ring: self.0.subscribe(), next: 0 }
    }

    /// The lines that are kept, and how many came before them.
    pub fn all(&self) -> (u64, Vec<Arc<LogLine>>) {
        let ring = self.0.borrow();
        (ring.first, ring.lines.iter().cloned().collect())
    }
}

/// A place in the lines of a run.
pub struct LineReader {
    ring: watch::Receiver<Ring>,
    next: u64,
}

/// Some lines, as many as are read at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// How many lines were dropped, since they got too old, before these could be read.
    pub skipped: u64,
    /// The lines that were asked for.
    pub lines: Vec<Arc<LogLine>>,
    /// Whether there are no more for now.
    pub is_last: bool,
}

impl LineReader {
    /// The next lines, of which only those are returned that are `wanted`. May be called again at once.
    pub fn read(&mut self, wanted: impl Fn(&LogLine) -> bool) -> Batch {
        let ring = self.ring.borrow();
        let skipped = ring.first.saturating_sub(self.next);
        let start = usize::try_from(self.next.max(ring.first) - ring.first).expect("the lines are in memory");
        let lines = ring.lines.range(start..).take(BATCH_LINES_MAX);
        self.next = ring.first + start as u64 + lines.len() as u64;
        let is_last = self.next == ring.next();
        Batch { skipped, lines: lines.filter(|line| wanted(line)).cloned().collect(), is_last }
    }

    /// Waits until there are lines to read; false if there will be none.
    pub async fn more(&mut self) -> bool {
        let next = self.next;
        let ring = self.ring.wait_for(|ring| ring.next() > next || ring.end.is_some()).await;
        ring.is_ok_and(|ring| ring.next() > next)
    }
}

/// Outputs that are recorded on their way.
pub struct Recorded<O> {
    /// Where the output goes.
    pub outputs: O,
    /// Where its last lines are kept.
    pub recent: RecentLines,
}

impl<O: Outputs> Outputs for Recorded<O> {
    fn sink(&self, label: &str) -> Arc<dyn LineSink> {
        let (sink, recent) = (self.outputs.sink(label), self.recent.clone());
        Arc::new(RecordedReplica { replica: label.to_owned(), sink, recent })
    }

    fn room(&self) -> Option<OutputRoom> {
        self.outputs.room()
    }
}

impl Recorded<LineOutputs> {
    /// Records what the host says, which may have several lines, about the replica or node `about`, if it is about one.
    pub fn host_message(&self, about: &str, text: &str) {
        for line in text.lines() {
            let (replica, line) = (about.to_owned(), line.to_owned());
            self.outputs.host_line(about, &line);
            self.recent.push(LogLine { replica, source: LineSource::Host, line });
        }
    }
}

struct RecordedReplica {
    replica: String,
    sink: Arc<dyn LineSink>,
    recent: RecentLines,
}

impl LineSink for RecordedReplica {
    fn line(&self, stream: LineSource, line: &[u8]) {
        let text = String::from_utf8_lossy(line).into_owned();
        self.recent.push(LogLine { replica: self.replica.clone(), source: stream, line: text });
        self.sink.line(stream, line);
    }

    fn room(&self) -> Option<&OutputRoom> {
        self.sink.room()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine { replica: "a/0".to_owned(), source: LineSource::Stdout, line: text.to_owned() }
    }

    fn texts(batch: &Batch) -> Vec<&str> {
        batch.lines.iter().map(|line| line.line.as_str()).collect()
    }

    #[test]
    fn a_reader_gets_what_is_wanted_once() {
        let recent = RecentLines::default();
        let mut reader = recent.reader();
        assert!(reader.read(|_| true).is_last);
        ["one", "two", "three"].into_iter().for_each(|text| recent.push(line(text)));
        let batch = reader.read(|line| line.line != "two");
        assert_eq!((texts(&batch), batch.skipped, batch.is_last), (vec!["one", "three"], 0, true));
        assert!(reader.read(|_| true).lines.is_empty());
    }

    #[test]
    fn what_is_too_old_is_dropped_and_a_late_reader_is_told_how_much() {
        let recent = RecentLines::default();
        let mut late = recent.reader();
        let text = "x".repeat(RECENT_BYTES_MAX / 4);
        (0..10).for_each(|_| recent.push(line(&text)));
        let batch = late.read(|_| true);
        assert_eq!((batch.lines.len(), batch.skipped), (3, 7));
        assert_eq!(recent.reader().read(|_| true).skipped, 0);
        assert_eq!(recent.reader_from_start().read(|_| true).skipped, 7);
        assert_eq!((recent.all().0, recent.all().1.len()), (7, 3));
    }

    #[tokio::test]
    async fn a_reader_waits_for_lines_and_for_the_end() {
        let recent = RecentLines::default();
        let mut reader = recent.reader();
        recent.push(line("one"));
        assert!(reader.more().await);
        reader.read(|_| true);
        let end = RunEnd {
            program: "test".to_owned(),
            exit_code: 3,
            ended_unix_s: 0,
            table: String::new(),
            report: serde_json::Value::Null,
        };
        recent.end(end.clone());
        assert!(!reader.more().await);
        assert_eq!(recent.run_end().as_deref(), Some(&end));
    }
}
