//! Drives a replica's event loop from its own task, or from a caller that has just queued a call.
//!
//! Handing a call to another task costs two switches of tasks, often across threads: several times the call itself.
//! So a caller that finds the callee's loop at rest polls it there and then, and mostly has its reply when that
//! returns. The loop belongs to its owner all the same: it is polled with the owner's waker, and whatever is left to
//! do after the caller's poll is done by the owner.

mod apart;

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};

use apart::{Apart, Expected};
use futures::task::AtomicWaker;
use lp_base::scheduler::Scheduler;

/// A poll that takes longer than this on average is not worth waiting for: other calls of the caller could run beside.
const SHORT_POLL: Duration = Duration::from_micros(50);

/// What a large block adds to that: handing its call to another thread means copying the block once more, and both
/// sides go through it in the poll.
const BLOCK_BYTES_PER_NS: usize = 8;

/// Whether a caller has something else to do while it waits for its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// The caller waits for this call alone.
    Blocked,
    /// The caller may have other calls and other work under way.
    Concurrent,
}

/// How deep callers may poll callees that poll callees: each level takes host stack of the first caller's fiber.
const NESTING_MAX: u32 = 8;

type Loop = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    static NESTING: Cell<u32> = const { Cell::new(0) };
    /// Time spent in polls nested in the current one, which is not its own.
    static NESTED_TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A replica's event loop and everything needed to poll it from either side.
#[derive(Default)]
pub struct Pump {
    body: Mutex<Body>,
    /// The owner found the loop taken: whoever has it must wake the owner when it lets go.
    wanted: AtomicBool,
    /// The loop has come to where it takes calls. Until then it may be starting the guest, which only its owner may do:
    /// wasmtime can't start an instance from within another one's event loop.
    taking_calls: AtomicBool,
    bell: Arc<Bell>,
    busy: BusyTime,
    expected: Expected,
    scheduler: Scheduler,
}

/// What the loop's futures wake.
///
/// Most wakes come while the loop is polled and are heard by that very poll, so that waking the owner for them would
/// cost a switch of tasks, often across threads, for nothing.
#[derive(Default)]
struct Bell {
    state: AtomicU8,
    owner: AtomicWaker,
}

impl Bell {
    /// Nobody polls the loop: a ring wakes the owner.
    const IDLE: u8 = 0;
    /// Somebody polls the loop: a ring is noted.
    const POLLED: u8 = 1;
    /// It has rung since the loop last looked.
    const RUNG: u8 = 2;
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state != Self::IDLE).then_some(Self::RUNG));
        if noted.is_err() {
            self.owner.wake();
        }
    }
}

#[derive(Default)]
struct Body {
    future: Option<Loop>,
    /// The waker that rings the bell, kept so that it is always the same one.
    waker: Option<Waker>,
}

/// What a poll of the loop left behind.
#[derive(Clone, Copy)]
enum Polled {
    /// Nothing to do until something rings.
    Waiting,
    /// Something rang meanwhile that the loop has not seen.
    Again,
    /// The loop is over.
    Ended,
}

/// How long a replica's loop has been on a thread.
#[derive(Default)]
struct BusyTime {
    total_ns: AtomicU64,
    average_ns: AtomicU64,
}

impl BusyTime {
    fn add(&self, spent: Duration) {
        let spent = spent.as_nanos() as u64;
        self.total_ns.fetch_add(spent, Ordering::Relaxed);
        let average = self.average_ns.load(Ordering::Relaxed);
        self.average_ns.store(average - average / 8 + spent / 8, Ordering::Relaxed);
    }

    fn is_short(&self, block_bytes: usize) -> bool {
        let short = SHORT_POLL.as_nanos() as usize + block_bytes / BLOCK_BYTES_PER_NS;
        self.average_ns.load(Ordering::Relaxed) < short as u64
    }
}

impl Pump {
    /// A pump without a loop, which measures time by `scheduler`.
    pub fn new(scheduler: Scheduler) -> Self {
        Self { scheduler, ..Self::default() }
    }

    /// The time that the loop has spent being polled, without what it spent polling others: its use of a processor.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy.total_ns.load(Ordering::Relaxed))
    }

    /// Runs `future` to its end on the task that awaits this, sharing the work with callers. A loop that has ended may
    /// be followed by another one.
    ///
    /// It also ends when a poll panicked; whether the future came to its end is for the future to tell.
    pub async fn own(&self, future: impl Future<Output = ()> + Send + 'static) {
        let _installed = Installed(self);
        let mut starting: Option<Loop> = Some(Box::pin(future));
        let mut apart = Apart::default();
        std::future::poll_fn(|cx| {
            self.bell.owner.register(cx.waker());
            if self.expected.is_long() {
                return ready!(apart.poll(cx, &self.scheduler, || self.poll_owned(&mut starting)));
            }
            apart.leave();
            self.poll_owned(&mut starting)
        })
        .await;
    }

    /// Polls the loop for its owner, which begins with `starting`.
    fn poll_owned(&self, starting: &mut Option<Loop>) -> Poll<()> {
        let body = self.try_lock().or_else(|| {
            self.wanted.store(true, Ordering::SeqCst);
            // The caller that had it may have let go before it could see that it is wanted.
            self.try_lock()
        });
        let Some(mut body) = body else { return Poll::Pending };
        self.wanted.store(false, Ordering::SeqCst);
        if let Some(future) = starting.take() {
            body.future = Some(future);
            body.waker = Some(self.bell.clone().into());
        }
        let polled = self.poll(&mut body, self.scheduler.now());
        if let Polled::Again = polled {
            self.bell.owner.wake();
        }
        if let Polled::Ended = polled { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Calls `queue`, then polls the loop on this thread if nobody else is polling it. Returns whether it did; if not,
    /// the caller must wake the loop.
    ///
    /// `Urgency::Blocked` callers have nothing else to do meanwhile; for others, polls must have been short of late,
    /// measured by the `block_bytes` that the call leaves in its caller's memory. A loop whose next poll is expected to be
    /// long is left to its owner, who has that apart. `now` is the present, which every caller has just looked up.
    pub fn assist(&self, urgency: Urgency, block_bytes: usize, now: Instant, queue: impl FnOnce()) -> bool {
        let depth = NESTING.get();
        let short = || urgency == Urgency::Blocked || self.busy.is_short(block_bytes);
        let worthwhile = depth < NESTING_MAX && !self.expected.is_long() && short();
        let body = worthwhile.then(|| self.try_lock()).flatten();
        queue();
        let Some(mut body) = body else { return false };
        // A replica that has not started finds the call when it does. An owner that found the lock taken meanwhile has to
        // be told.
        let started = body.future.is_some() && self.taking_calls.load(Ordering::Relaxed);
        let polled = if started {
            NESTING.set(depth + 1);
            let polled = self.poll(&mut body, now);
            NESTING.set(depth);
            polled
        } else {
            Polled::Waiting
        };
        drop(body);
        if self.wanted.swap(false, Ordering::SeqCst) || !matches!(polled, Polled::Waiting) {
            self.bell.owner.wake();
        }
        started
    }

    /// Notes that the loop is about to look at everything that may have woken it. Called by the loop itself, and for the
    /// first time when it is ready for callers to poll it.
    #[inline]
    pub fn look(&self) {
        self.taking_calls.store(true, Ordering::Relaxed);
        // Only the poller moves the state away from `RUNG`, and the loop is part of the poll.
        let _ = self.bell.state.compare_exchange(Bell::RUNG, Bell::POLLED, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Goes on with the loop in a poll that is expected to be long. Awaited by the loop itself, before what may take any time.
    pub async fn go_on_apart(&self) {
        if self.scheduler.is_simulated() {
            return;
        }
        let mut parted = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut parted, true) {
                return Poll::Ready(());
            }
            self.expected.expect_next();
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Body>> {
        match self.body.try_lock() {
            Ok(body) => Some(body),
            Err(TryLockError::Poisoned(body)) => Some(body.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Polls the loop once. A panic in it ends it: the caller who happens to poll must not go down with it.
    fn poll(&self, body: &mut Body, now: Instant) -> Polled {
        let (Some(future), Some(waker)) = (&mut body.future, &body.waker) else { return Polled::Ended };
        self.bell.state.store(Bell::POLLED, Ordering::Release);
        let mut cx = Context::from_waker(waker);
        let polled = self.timed(now, || catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))));
        let rung = self.bell.state.swap(Bell::IDLE, Ordering::AcqRel) == Bell::RUNG;
        match polled {
            Ok(Poll::Pending) if rung => Polled::Again,
            Ok(Poll::Pending) => Polled::Waiting,
            Ok(Poll::Ready(())) | Err(_) => {
                body.future = None;
                Polled::Ended
            }
        }
    }

    fn timed<R>(&self, start: Instant, poll: impl FnOnce() -> R) -> R {
        let outer = NESTED_TIME.replace(Duration::ZERO);
        let result = poll();
        let spent = self.scheduler.now().saturating_duration_since(start);
        self.busy.add(spent.saturating_sub(NESTED_TIME.get()));
        // A simulation has no other thread, and its time is no measure of what holds this one.
        if !self.scheduler.is_simulated() {
            self.expected.note(spent);
        }
        NESTED_TIME.set(outer + spent);
        result
    }
}

/// Drops the loop together with its owner, so that a dropped owner leaves no store behind.
struct Installed<'a>(&'a Pump);

impl Drop for Installed<'_> {
    fn drop(&mut self) {
        let mut body = self.0.body.lock().unwrap_or_else(PoisonError::into_inner);
        body.future = None;
        // The next loop starts its guest anew.
        self.0.taking_calls.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Pump, Urgency};

    #[tokio::test]
    async fn a_caller_leaves_a_loop_with_long_polls_to_its_owner() {
        let pump = Arc::new(Pump::default());
        let (started, looping) = (pump.clone(), pump.clone());
        let owner = tokio::spawn(async move {
            started
                .own(async move {
                    looping.look();
                    std::future::pending().await
                })
                .await;
        });
        tokio::task::yield_now().await;
        assert!(pump.assist(Urgency::Blocked, 0, pump.scheduler.now(), || ()), "its polls are short");
        pump.expected.note(Duration::from_millis(2));
        let mut queued = false;
        assert!(!pump.assist(Urgency::Blocked, 0, pump.scheduler.now(), || queued = true));
        assert!(queued);
        owner.abort();
    }
}
