//! Where the output of replicas goes, line by line.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A longer line is cut into pieces of this size, so that a guest that never ends a line can't fill the memory.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Which of a guest's two streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineSource {
    /// The guest's stdout.
    Stdout,
    /// The guest's stderr, and what it logs through `wasi:logging`.
    Stderr,
    /// What the host has to say of the guest, which no guest can write.
    Host,
}

/// Where the lines of a replica's output go. Called on the threads that run guests, one line at a time per stream.
pub trait LineSink: Send + Sync {
    /// Takes one line without its end, without waiting for anything: the run waits for whoever takes long here.
    fn line(&self, stream: LineSource, line: &[u8]);

    /// Whether guests may write more now. `None` if they always may.
    fn room(&self) -> Option<&OutputRoom> {
        None
    }
}

/// Whether guests may write more output now, or wait until what they wrote has been taken. Clones are of the same output.
#[derive(Clone, Debug)]
pub struct OutputRoom(Arc<watch::Sender<bool>>);

impl Default for OutputRoom {
    /// There is room.
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }
}

impl OutputRoom {
    /// Whether there is room.
    pub fn is_there(&self) -> bool {
        *self.0.borrow()
    }

    /// Says whether there is room.
    pub fn set(&self, is_there: bool) {
        self.0.send_if_modified(|there| std::mem::replace(there, is_there) != is_there);
    }

    /// Waits until there is room, or until there is none.
    pub async fn until(&self, is_there: bool) {
        // The sender is held by this very value, so the wait can't fail.
        let _ = self.0.subscribe().wait_for(|there| *there == is_there).await;
    }
}

/// Makes the sinks of replicas.
pub trait Outputs: Send + Sync {
    /// The sink for the output of the replica called `label` (`producer/0`).
    fn sink(&self, label: &str) -> Arc<dyn LineSink>;

    /// Whether guests may write more now, the same for all sinks. `None` if they always may.
    fn room(&self) -> Option<OutputRoom> {
        None
    }
}

/// A closure that takes each line with the label of its replica.
impl<F> Outputs for F
where
    F: Fn(&str, LineSource, &[u8]) + Clone + Send + Sync + 'static,
{
    fn sink(&self, label: &str) -> Arc<dyn LineSink> {
        Arc::new(LabelledLines { label: label.to_owned(), take: self.clone() })
    }
}

struct LabelledLines<F> {
    label: String,
    take: F,
}

impl<F: Fn(&str, LineSource, &[u8]) + Send + Sync> LineSink for LabelledLines<F> {
    fn line(&self, stream: LineSource, line: &[u8]) {
        (self.take)(&self.label, stream, line);
    }
}
