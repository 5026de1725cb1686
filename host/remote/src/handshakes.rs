//! Connections that have not said who they are: how many there may be, and for how long.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lp_base::scheduler::Scheduler;
use tokio::sync::oneshot;

/// The most at once. A newcomer throws out the one that has been at it for longest, so that those who say nothing keep nobody out.
const UNFINISHED_MAX: usize = 128;

/// How long one may take.
const TIME_MAX: Duration = Duration::from_secs(5);

/// The handshakes of a listener that are under way.
#[derive(Clone, Default)]
pub struct Handshakes {
    unfinished: Arc<Mutex<VecDeque<oneshot::Sender<()>>>>,
}

impl Handshakes {
    /// What `handshake` comes to; `None` if it took too long or was thrown out.
    pub async fn finish<T>(&self, handshake: impl Future<Output = T>, scheduler: &Scheduler) -> Option<T> {
        let (seat, mut thrown_out) = oneshot::channel();
        {
            let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
            unfinished.retain(|other| !other.is_closed());
            if unfinished.len() >= UNFINISHED_MAX {
                unfinished.pop_front();
            }
            unfinished.push_back(seat);
        }
        tokio::select! {
            biased;
            finished = scheduler.timeout(TIME_MAX, handshake) => finished.ok(),
            _ = &mut thrown_out => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::StreamExt;
    use futures::stream::FuturesUnordered;

    use super::*;

    #[tokio::test]
    async fn newcomers_throw_out_the_oldest() {
        let (handshakes, scheduler) = (Handshakes::default(), Scheduler::default());
        let silent = |_| handshakes.finish(pending::<()>(), &scheduler);
        let mut all: FuturesUnordered<_> = (0..UNFINISHED_MAX + 10).map(silent).collect();
        for _ in 0..10 {
            assert_eq!(all.next().await, Some(None));
        }
        assert_eq!(handshakes.finish(std::future::ready(7), &scheduler).await, Some(7));
        assert_eq!(handshakes.unfinished.lock().unwrap().len(), UNFINISHED_MAX);
    }
}
