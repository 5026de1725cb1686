//! The events that are due at a later time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lp_base::scheduler::Scheduler;

/// Values of `T`, each due at a time of its own.
pub(super) struct Timers<T> {
    /// By when they are due and, of those due at once, by the order in which they were set.
    due: BTreeMap<(Instant, u64), T>,
    set: u64,
    scheduler: Scheduler,
}

impl<T> Timers<T> {
    pub(super) fn new(scheduler: Scheduler) -> Self {
        Self { due: BTreeMap::new(), set: 0, scheduler }
    }

    /// Has `value` due `after` so long.
    pub(super) fn set(&mut self, after: Duration, value: T) {
        self.due.insert((self.scheduler.now() + after, self.set), value);
        self.set += 1;
    }

    /// Waits for the first value that is due; for ever, if there is none. A wait that is dropped loses nothing.
    pub(super) async fn next(&mut self) -> T {
        let Some((&(at, _), _)) = self.due.first_key_value() else { return std::future::pending().await };
        self.scheduler.sleep_until(at).await;
        self.due.pop_first().expect("nothing else takes values out").1
    }
}
