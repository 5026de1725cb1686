//! The memory that chunks take, and those who wait for some of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts the bytes of the chunks that exist. A clone counts the same.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Counter>);

#[derive(Debug, Default)]
struct Counter {
    bytes: AtomicUsize,
    /// Somebody waits for it to fall.
    is_wanted: AtomicBool,
    fallen: Notify,
}

impl Gauge {
    /// The bytes of all chunks that were made with this gauge and still exist.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::SeqCst)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, bytes: usize) {
        self.0.bytes.fetch_sub(bytes, Ordering::SeqCst);
        if self.0.is_wanted.load(Ordering::SeqCst) && self.0.is_wanted.swap(false, Ordering::SeqCst) {
            self.0.fallen.notify_one();
        }
    }

    /// Whether there are more bytes than `most`. If so, [`Self::fallen`] returns once there are fewer than now.
    pub(crate) fn exceeds(&self, most: usize) -> bool {
        if self.bytes() <= most {
            return false;
        }
        self.0.is_wanted.store(true, Ordering::SeqCst);
        // Some may have gone before it was known that somebody waits.
        self.bytes() > most
    }

    /// Returns when there are fewer bytes than when somebody last found too many.
    pub(crate) async fn fallen(&self) {
        self.0.fallen.notified().await;
    }
}
