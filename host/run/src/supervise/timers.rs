//! The events that are due at a later time.

use tokio::time::{Instant, sleep_until};

/// Values of `T`, each due at a time of its own. There are as many as replicas wait for a restart: few.
pub(super) struct Timers<T> {
    due: Vec<(Instant, T)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { due: Vec::new() }
    }
}

impl<T> Timers<T> {
    pub(super) fn set(&mut self, at: Instant, value: T) {
        self.due.push((at, value));
    }

    /// Waits for the first value that is due; for ever, if there is none. A wait that is dropped loses nothing.
    pub(super) async fn next(&mut self) -> T {
        let first = self.due.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(index, (at, _))| (index, *at));
        let Some((index, at)) = first else { return std::future::pending().await };
        sleep_until(at).await;
        self.due.swap_remove(index).1
    }
}
