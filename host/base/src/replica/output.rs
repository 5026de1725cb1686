//! Where the output of replicas goes, line by line.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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

/// A closure that takes each line with the label of its replica.
impl<F> Outputs for F
where
    F: Fn(&str, Stream, &[u8]) + Clone + Send + Sync + 'static,
{
    fn sink(&self, label: &str) -> Arc<dyn LineSink> {
        Arc::new(LabelledLines { label: label.to_owned(), take: self.clone() })
    }
}

struct LabelledLines<F> {
    label: String,
    take: F,
}

impl<F: Fn(&str, Stream, &[u8]) + Send + Sync> LineSink for LabelledLines<F> {
    fn line(&self, stream: Stream, line: &[u8]) {
        (self.take)(&self.label, stream, line);
    }
}
