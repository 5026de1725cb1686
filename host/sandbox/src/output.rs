//! A guest's stdout and stderr, cut into lines.

mod budget;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

pub use budget::OutputBudget;
use bytes::Bytes;
use lp_base::replica::{LINE_BYTES_MAX, LineSink, LineSource};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::limits::LimitHit;

/// A longer prefix of log lines is cut, since it is written once for each of them.
const PREFIX_BYTES_MAX: usize = 1024;

/// The most bytes of a character in UTF-8.
const CHAR_BYTES_MAX: usize = 4;

/// One stream of one replica. Clones write to the same line.
pub struct LineWriter {
    stream: LineSource,
    sink: Arc<dyn LineSink>,
    partial: Arc<Mutex<Vec<u8>>>,
    budget: Arc<OutputBudget>,
    /// Bytes of the budget that the guest was permitted to write next through this one, and has not.
    permitted: usize,
    /// The wait of this one to write more.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.budget.give_back(self.permitted);
    }
}

impl Clone for LineWriter {
    fn clone(&self) -> Self {
        Self {
            stream: self.stream,
            sink: self.sink.clone(),
            partial: self.partial.clone(),
            budget: self.budget.clone(),
            permitted: 0,
            waiting: None,
        }
    }
}

impl LineWriter {
    /// A writer of lines of `stream` to `sink`, as fast as `budget` allows.
    pub fn new(stream: LineSource, sink: Arc<dyn LineSink>, budget: Arc<OutputBudget>) -> Self {
        Self { stream, sink, partial: Arc::default(), budget, permitted: 0, waiting: None }
    }

    /// Writes whole lines that are not part of what the guest writes to the stream, each once there is room for it.
    pub async fn log(&self, prefix: &str, lines: &str) -> Result<(), LimitHit> {
        let prefix = &prefix[..prefix.floor_char_boundary(PREFIX_BYTES_MAX)];
        for line in lines.lines() {
            self.room().await;
            let line = format!("{prefix}{line}");
            self.budget.overdraw(line.len(), self.budget.now());
            self.budget.count(line.len())?;
            let mut rest = line.as_str();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.floor_char_boundary(LINE_BYTES_MAX));
                self.sink.line(self.stream, piece.as_bytes());
                rest = after;
            }
        }
        Ok(())
    }

    /// Whether what is written can be shown, or has to wait.
    fn is_shown(&self) -> bool {
        self.sink.room().is_none_or(|room| room.is_there())
    }

    /// Takes so many bytes of the budget, or as many as may be written now.
    fn take(&self, bytes: usize) -> usize {
        if self.is_shown() { self.budget.take(bytes, self.budget.now()) } else { 0 }
    }

    /// Waits until something may be written.
    async fn room(&self) {
        if let Some(room) = self.sink.room() {
            room.until(true).await;
        }
        let now = self.budget.now();
        if !self.budget.has_room(now) {
            self.budget.refill(now).await;
        }
    }

    fn write_all(&self, mut bytes: &[u8]) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.extend(&mut partial, &bytes[..end]);
            self.sink.line(self.stream, &partial);
            partial.clear();
            bytes = &bytes[end + 1..];
        }
        self.extend(&mut partial, bytes);
    }

    fn extend(&self, partial: &mut Vec<u8>, mut bytes: &[u8]) {
        while partial.len() + bytes.len() > LINE_BYTES_MAX {
            let (piece, rest) = bytes.split_at(LINE_BYTES_MAX - partial.len());
            partial.extend_from_slice(piece);
            let whole = whole_chars(partial);
            self.sink.line(self.stream, &partial[..whole]);
            partial.drain(..whole);
            bytes = rest;
        }
        partial.extend_from_slice(bytes);
    }

    /// Passes on a last line that has no end.
    pub fn finish(&self) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        if !partial.is_empty() {
            self.sink.line(self.stream, &partial);
            partial.clear();
        }
    }
}

/// How many bytes there are without a character of UTF-8 that is cut at their end.
fn whole_chars(bytes: &[u8]) -> usize {
    let is_start = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    let Some(last) = bytes.iter().rev().take(CHAR_BYTES_MAX).position(is_start) else { return bytes.len() };
    let start = bytes.len() - 1 - last;
    let char_bytes = match bytes[start] {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    if start + char_bytes > bytes.len() { start } else { bytes.len() }
}

impl IsTerminal for LineWriter {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LineWriter {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for LineWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            let taken = self.take(bytes.len());
            if taken > 0 || bytes.is_empty() {
                self.budget.count(taken).map_err(io::Error::other)?;
                self.write_all(&bytes[..taken]);
                return Poll::Ready(Ok(taken));
            }
            let writer = self.clone();
            self.waiting = Some(Box::pin(async move { writer.room().await }));
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl OutputStream for LineWriter {
    /// A guest that writes more than it was permitted has the rest of the budget for that, and fails beyond it: it can't be
    /// made to wait here.
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let permitted = std::mem::take(&mut self.permitted);
        self.budget.give_back(permitted.saturating_sub(bytes.len()));
        let more = bytes.len().saturating_sub(permitted);
        if more > 0 && !self.is_shown() {
            let error = wasmtime::format_err!("it writes without asking by `check-write`, while nothing can be shown");
            return Err(StreamError::Trap(error));
        }
        let taken = self.take(more);
        if taken < more {
            self.budget.give_back(taken);
            return Err(StreamError::Trap(self.budget.rate_hit().into()));
        }
        self.budget.count(bytes.len()).map_err(|hit| StreamError::Trap(hit.into()))?;
        self.write_all(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.budget.give_back(self.permitted);
        self.permitted = self.take(LINE_BYTES_MAX);
        Ok(self.permitted)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineWriter {
    async fn ready(&mut self) {
        if self.permitted == 0 {
            self.room().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use lp_base::plan::LimitsPlan;
    use lp_base::replica::OutputRoom;
    use lp_base::scheduler::Scheduler;
    use wasmtime_wasi::p2::{OutputStream, StreamError};

    use super::{LINE_BYTES_MAX, LineSink, LineSource, LineWriter, OutputBudget};
    use crate::limits::Breach;

    #[derive(Default)]
    struct Lines(Mutex<Vec<Vec<u8>>>);

    impl LineSink for Lines {
        fn line(&self, _: LineSource, line: &[u8]) {
            self.0.lock().expect("no test panics with it").push(line.to_vec());
        }
    }

    fn check_lines(writes: &[&[u8]], expected: &[&[u8]]) {
        let lines = Arc::new(Lines::default());
        let budget = Arc::new(OutputBudget::new(&LimitsPlan::default(), Breach::default(), Scheduler::default()));
        let writer = LineWriter::new(LineSource::Stdout, lines.clone(), budget);
        writes.iter().for_each(|bytes| writer.write_all(bytes));
        writer.finish();
        assert_eq!(*lines.0.lock().expect("no test panics with it"), expected);
    }

    #[test]
    fn output_is_cut_at_line_ends_and_at_the_longest_line() {
        check_lines(&[b"one\ntw", b"o\n\nthree"], &[b"one", b"two", b"", b"three"]);
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        check_lines(&[&long], &[&long[1..], b"x"]);
        check_lines(&[&long[1..], b"\n"], &[&long[1..]]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        for char in ["é", "│", "🦀"] {
            for before in 0..char.len() {
                let first = "x".repeat(LINE_BYTES_MAX - before);
                let text = format!("{first}{char}y");
                let rest = format!("{char}y");
                let whole = if before == 0 { LINE_BYTES_MAX } else { first.len() };
                check_lines(&[text.as_bytes()], &[&text.as_bytes()[..whole], rest.as_bytes()]);
                // However the guest writes it.
                let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
                check_lines(&bytes, &[&text.as_bytes()[..whole], rest.as_bytes()]);
            }
            let fits = format!("{}{char}", "x".repeat(LINE_BYTES_MAX - char.len()));
            check_lines(&[fits.as_bytes(), b"y"], &[fits.as_bytes(), b"y"]);
        }
        // What is no text is cut at the length.
        let bytes = [0x80; LINE_BYTES_MAX + 1];
        check_lines(&[&bytes], &[&bytes[1..], &[0x80]]);
    }

    #[tokio::test]
    async fn a_long_line_of_a_log_is_cut_between_characters() {
        let lines = Arc::new(Lines::default());
        let budget = Arc::new(OutputBudget::new(&LimitsPlan::default(), Breach::default(), Scheduler::default()));
        let writer = LineWriter::new(LineSource::Stderr, lines.clone(), budget);
        writer.log("x", &"🦀".repeat(LINE_BYTES_MAX / 4)).await.expect("it is within the limits");
        let lines = lines.0.lock().expect("no test panics with it");
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [LINE_BYTES_MAX - 3, 4]);
        assert!(lines.iter().all(|line| std::str::from_utf8(line).is_ok()));
    }

    const RATE: usize = 4 << 20;

    fn writer() -> LineWriter {
        writer_to(Arc::new(Lines::default()))
    }

    fn writer_to(sink: Arc<dyn LineSink>) -> LineWriter {
        let limits = LimitsPlan { output_bytes_per_second: RATE as u64, ..LimitsPlan::default() };
        let budget = Arc::new(OutputBudget::new(&limits, Breach::default(), Scheduler::default()));
        LineWriter::new(LineSource::Stdout, sink, budget)
    }

    /// Writes without asking until that is refused, and gives the bytes that were written.
    fn flood(writer: &mut LineWriter, bytes: usize) -> usize {
        let line = Bytes::from(vec![b'x'; bytes]);
        let mut written = 0;
        let error = loop {
            match writer.write(line.clone()) {
                Ok(()) => written += bytes,
                Err(error) => break error,
            }
        };
        let StreamError::Trap(error) = error else { panic!("the guest goes on: {error}") };
        assert_eq!(error.to_string(), "it reached its limit `limits.output-rate` = 4MiB");
        written
    }

    #[test]
    fn writes_that_were_not_permitted_end_at_the_rate() {
        let written = flood(&mut writer(), RATE / 8);
        // Time passes in which more may be written, but not a second of it.
        assert!((RATE..2 * RATE).contains(&written), "{written} bytes were written");
    }

    #[test]
    fn permits_of_many_handles_are_one_budget() {
        let stdout = writer();
        let mut handles = vec![stdout.clone(); 10 * RATE / LINE_BYTES_MAX];
        let permitted: usize = handles.iter_mut().map(|handle| handle.check_write().expect("it is open")).sum();
        assert!((RATE..2 * RATE).contains(&permitted), "{permitted} bytes are permitted");
        for handle in &mut handles {
            let bytes = Bytes::from(vec![b'x'; handle.permitted]);
            handle.write(bytes).expect("it is permitted");
        }
    }

    #[test]
    fn a_permit_that_is_not_used_is_given_back() {
        let mut stdout = writer();
        for _ in 0..10 * RATE / LINE_BYTES_MAX {
            // Asked again, written in part, or dropped.
            assert_eq!(stdout.check_write().expect("it is open"), LINE_BYTES_MAX);
            assert_eq!(stdout.check_write().expect("it is open"), LINE_BYTES_MAX);
            stdout.write(Bytes::from_static(b"x")).expect("it is permitted");
            assert_eq!(stdout.clone().check_write().expect("it is open"), LINE_BYTES_MAX);
        }
    }

    /// Shows nothing while there is no room.
    struct Stalling(OutputRoom);

    impl LineSink for Stalling {
        fn line(&self, _: LineSource, _: &[u8]) {}

        fn room(&self) -> Option<&OutputRoom> {
            Some(&self.0)
        }
    }

    #[test]
    fn while_nothing_can_be_shown_only_what_was_permitted_before_is_written() {
        let room = OutputRoom::default();
        let mut stdout = writer_to(Arc::new(Stalling(room.clone())));
        assert_eq!(stdout.check_write().expect("it is open"), LINE_BYTES_MAX);
        room.set(false);
        stdout.write(Bytes::from(vec![b'x'; LINE_BYTES_MAX])).expect("it was permitted");
        assert_eq!(stdout.check_write().expect("it is open"), 0);
        let error = stdout.write(Bytes::from_static(b"x")).expect_err("nobody permitted it");
        let StreamError::Trap(error) = error else { panic!("the guest goes on: {error}") };
        assert_eq!(error.to_string(), "it writes without asking by `check-write`, while nothing can be shown");
        room.set(true);
        assert_eq!(stdout.check_write().expect("it is open"), LINE_BYTES_MAX);
    }
}
