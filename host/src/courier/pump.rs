//! Drives a replica's event loop from its own task, or from a caller that has just queued a call.
//!
//! Handing a call to another task costs two switches of tasks, often across threads: several times the call itself.
//! So a caller that finds the callee's loop at rest polls it there and then, and mostly has its reply when that
//! returns. The loop belongs to its owner all the same: it is polled with the owner's waker, and whatever is left to
//! do after the caller's poll is done by the owner.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A poll that takes longer than this on average is not worth waiting for: other calls of the caller could run beside.
const SHORT_POLL: Duration = Duration::from_micros(50);

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
    clock: Clock,
}

#[derive(Default)]
struct Body {
    future: Option<Loop>,
    owner: Option<Waker>,
}

/// How long a replica's loop has been on a thread.
#[derive(Default)]
pub struct Clock {
    busy_ns: AtomicU64,
    average_ns: AtomicU64,
}

impl Clock {
    /// The time that the loop has spent being polled, without what it spent polling others: its use of a processor.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy_ns.load(Ordering::Relaxed))
    }

    fn add(&self, spent: Duration) {
        let spent = spent.as_nanos() as u64;
        self.busy_ns.fetch_add(spent, Ordering::Relaxed);
        let average = self.average_ns.load(Ordering::Relaxed);
        self.average_ns.store(average - average / 8 + spent / 8, Ordering::Relaxed);
    }

    fn is_short(&self) -> bool {
        self.average_ns.load(Ordering::Relaxed) < SHORT_POLL.as_nanos() as u64
    }
}

impl Pump {
    /// How long the loop has been on a thread.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs `future` to its end on the task that awaits this, sharing the work with callers.
    ///
    /// It also ends when a poll panicked; whether the future came to its end is for the future to tell.
    pub async fn own(&self, future: impl Future<Output = ()> + Send + 'static) {
        let _installed = Installed(self);
        // The first poll is always the owner's: some loops can't be started inside another loop's poll.
        let mut starting: Option<Loop> = Some(Box::pin(future));
        std::future::poll_fn(|cx| {
            let body = self.try_lock().or_else(|| {
                self.wanted.store(true, Ordering::SeqCst);
                // The caller that had it may have let go before it could see that it is wanted.
                self.try_lock()
            });
            let Some(mut body) = body else {
                if starting.is_some() {
                    // Not known as the owner yet, so nobody can wake this task; the lock is held for an instant only.
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            };
            self.wanted.store(false, Ordering::SeqCst);
            if !body.owner.as_ref().is_some_and(|owner| owner.will_wake(cx.waker())) {
                body.owner = Some(cx.waker().clone());
            }
            if let Some(future) = starting.take() {
                body.future = Some(future);
            }
            self.poll(&mut body, cx)
        })
        .await;
    }

    /// Calls `queue`, then polls the loop on this thread if nobody else is polling it. Returns whether it did; if not,
    /// the caller must wake the loop.
    ///
    /// `Urgency::Blocked` callers have nothing else to do meanwhile; for others, polls must have been short of late.
    pub fn assist(&self, urgency: Urgency, queue: impl FnOnce()) -> bool {
        let depth = NESTING.get();
        let worthwhile = depth < NESTING_MAX && (urgency == Urgency::Blocked || self.clock.is_short());
        let body = worthwhile.then(|| self.try_lock()).flatten();
        queue();
        let Some(mut body) = body else { return false };
        // Without an owner there is no loop yet: it starts on its own task and finds the call then.
        let Some(owner) = body.owner.clone() else {
            return false;
        };
        NESTING.set(depth + 1);
        let ended = self.poll(&mut body, &mut Context::from_waker(&owner)).is_ready();
        NESTING.set(depth);
        drop(body);
        if self.wanted.swap(false, Ordering::SeqCst) || ended {
            owner.wake();
        }
        true
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Body>> {
        match self.body.try_lock() {
            Ok(body) => Some(body),
            Err(TryLockError::Poisoned(body)) => Some(body.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Polls the loop once. A panic in it ends it: the caller who happens to poll must not go down with it.
    fn poll(&self, body: &mut Body, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut future) = body.future.take() else {
            return Poll::Ready(());
        };
        let polled = self.timed(|| catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))));
        match polled {
            Ok(Poll::Pending) => {
                body.future = Some(future);
                Poll::Pending
            }
            Ok(Poll::Ready(())) | Err(_) => Poll::Ready(()),
        }
    }

    fn timed<R>(&self, poll: impl FnOnce() -> R) -> R {
        let outer = NESTED_TIME.replace(Duration::ZERO);
        let start = Instant::now();
        let result = poll();
        let spent = start.elapsed();
        self.clock.add(spent.saturating_sub(NESTED_TIME.get()));
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
    }
}
