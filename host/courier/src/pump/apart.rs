//! Long polls, on threads apart from those that poll everything else.
//!
//! A runtime looks at timers and sockets between polls, so polls that take a tick of the epoch thread, or a step of a
//! guest that nothing can interrupt, would make all of them late once every thread is in one. A loop whose poll took
//! long is expected to go on like that: for as many polls as that one took milliseconds, its owner's thread hands the
//! runtime's work to another thread before it polls.

use std::num::NonZero;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use lp_base::scheduler::Scheduler;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Handing the runtime's work to another thread takes some hundredths of this.
const LONG_POLL: Duration = Duration::from_millis(1);

/// The most polls that are expected to be long because one was: enough for whatever holds a thread, and soon over.
const EXPECTED_MAX: u32 = 1000;

/// Beside one for each core, threads for polls that can't be interrupted, so that those that can go on.
const SPARE_THREADS: usize = 4;

/// The long polls that a process makes at once. Others wait, in turn.
static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    Arc::new(Semaphore::new(cores + SPARE_THREADS))
});

/// How many polls of a loop are expected to be long.
#[derive(Default)]
pub struct Expected(AtomicU32);

impl Expected {
    /// Takes note of a poll.
    pub fn note(&self, spent: Duration) {
        let expected = self.0.load(Ordering::Relaxed);
        if spent >= LONG_POLL {
            let millis = u32::try_from(spent.as_millis()).unwrap_or(u32::MAX);
            self.0.store(expected.max(millis).min(EXPECTED_MAX), Ordering::Relaxed);
        } else if expected > 0 {
            self.0.store(expected - 1, Ordering::Relaxed);
        }
    }

    /// Expects the poll after the current one, which is noted before, to be long.
    pub fn expect_next(&self) {
        self.0.fetch_max(2, Ordering::Relaxed);
    }

    /// Whether the next poll is.
    pub fn is_long(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// The place of one loop among those with long polls.
#[derive(Default)]
pub struct Apart(Option<BoxFuture<'static, Result<OwnedSemaphorePermit, AcquireError>>>);

impl Apart {
    /// Waits for room, then gives what `poll` gives, whose time is no thread's of the runtime.
    pub fn poll<R>(&mut self, cx: &mut Context<'_>, scheduler: &Scheduler, poll: impl FnOnce() -> R) -> Poll<R> {
        let room = self.0.get_or_insert_with(|| Box::pin(ROOM.clone().acquire_owned()));
        let permit = ready!(Pin::new(room).poll(cx));
        self.0 = None;
        let polled = match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => scheduler.block_in_place(poll),
            // There is no other thread to hand anything to.
            _ => poll(),
        };
        drop(permit);
        Poll::Ready(polled)
    }

    /// Gives up the place: room that is given to it would be nobody's.
    pub fn leave(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{EXPECTED_MAX, Expected, LONG_POLL};

    fn expected_after(spent: &[Duration]) -> u32 {
        let expected = Expected::default();
        spent.iter().for_each(|&spent| expected.note(spent));
        let polls = (0..).take_while(|_| {
            let long = expected.is_long();
            expected.note(Duration::ZERO);
            long
        });
        polls.count() as u32
    }

    #[test]
    fn as_many_polls_are_expected_to_be_long_as_one_took_milliseconds() {
        let short = LONG_POLL - Duration::from_nanos(1);
        assert_eq!(expected_after(&[short; 10]), 0);
        assert_eq!(expected_after(&[LONG_POLL]), 1);
        assert_eq!(expected_after(&[Duration::from_millis(10)]), 10);
        assert_eq!(expected_after(&[Duration::from_millis(10), short, LONG_POLL]), 9);
        assert_eq!(expected_after(&[Duration::from_secs(20)]), EXPECTED_MAX);
    }

    #[test]
    fn the_next_poll_alone_is_expected_to_be_long() {
        let expected = Expected::default();
        expected.expect_next();
        expected.note(Duration::ZERO);
        assert!(expected.is_long());
        expected.note(Duration::ZERO);
        assert!(!expected.is_long());
    }
}
