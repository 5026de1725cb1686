//! A guest's stdout and stderr, cut into lines.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A longer line is cut into pieces of this size, so that a guest that never ends a line can't fill the memory.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Which of a guest's two streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// The guest's stdout.
    Stdout,
    /// The guest's stderr, and what it logs through `wasi:logging`.
    Stderr,
    /// What the host has to say of the guest, which no guest can write.
    Host,
}

/// Where the lines of a replica's output go. Called on the threads that run guests, one line at a time per stream.
pub trait LineSink: Send + Sync {
    /// Takes one line without its end.
    fn line(&self, stream: Stream, line: &[u8]);
}

/// Makes the sinks of replicas.
pub trait Outputs: Send + Sync {
    /// The sink for the output of the replica called `label` (`producer/0`).
    fn sink(&self, label: &str) -> Arc<dyn LineSink>;
}

/// One stream of one replica. Clones write to the same line.
#[derive(Clone)]
pub(super) struct LineWriter {
    stream: Stream,
    sink: Arc<dyn LineSink>,
    partial: Arc<Mutex<Vec<u8>>>,
}

impl LineWriter {
    pub(super) fn new(stream: Stream, sink: Arc<dyn LineSink>) -> Self {
        Self { stream, sink, partial: Arc::default() }
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
            self.sink.line(self.stream, partial);
            partial.clear();
            bytes = rest;
        }
        partial.extend_from_slice(bytes);
    }

    /// Passes on a last line that has no end.
    pub(super) fn finish(&self) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        if !partial.is_empty() {
            self.sink.line(self.stream, &partial);
            partial.clear();
        }
    }
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
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write_all(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl OutputStream for LineWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write_all(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE_BYTES_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineWriter {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{LINE_BYTES_MAX, LineSink, LineWriter, Stream};

    #[derive(Default)]
    struct Lines(Mutex<Vec<Vec<u8>>>);

    impl LineSink for Lines {
        fn line(&self, _: Stream, line: &[u8]) {
            self.0.lock().expect("no test panics with it").push(line.to_vec());
        }
    }

    fn check_lines(writes: &[&[u8]], expected: &[&[u8]]) {
        let lines = Arc::new(Lines::default());
        let writer = LineWriter::new(Stream::Stdout, lines.clone());
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
}
