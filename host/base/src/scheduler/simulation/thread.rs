//! Keeps the thread of a simulation from parking for ever: work beside it is waited for, and whoever was woken is looked for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

/// How long work beside a simulation is waited for, in the system's time.
const ASIDE_TIME: Duration = Duration::from_secs(10);

/// The threads on which work goes on beside the simulation, such as reading a file. No time passes meanwhile.
#[derive(Default)]
pub(super) struct Aside {
    threads: Mutex<Threads>,
    ended: Condvar,
}

#[derive(Default)]
struct Threads {
    running: usize,
    /// Those that did not end in time, and are not waited for any more: they may wait for the simulation themselves.
    stuck: usize,
}

impl Aside {
    /// Notes that a thread is started, and names it.
    pub fn begin(&self) -> String {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).running += 1;
        "simulation".to_owned()
    }

    pub fn end(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.running -= 1;
        threads.stuck = threads.stuck.min(threads.running);
        self.ended.notify_one();
    }

    /// Waits until no thread works that may end by itself, and says whether there was any.
    pub fn wait(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.running <= threads.stuck {
            return false;
        }
        let works = |threads: &mut Threads| threads.running > threads.stuck;
        let waited = self.ended.wait_timeout_while(threads, ASIDE_TIME, works);
        let (mut threads, _) = waited.unwrap_or_else(PoisonError::into_inner);
        threads.stuck = threads.running;
        true
    }
}

/// A task that does nothing. Whoever is woken may have nothing to do, and then the thread would park for ever: this task has it
/// look for the next one.
#[derive(Default)]
pub(super) struct Nudge(Mutex<Option<Waker>>);

impl Nudge {
    pub fn register(&self, waker: &Waker) -> Poll<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        Poll::Pending
    }

    pub fn wake(&self) {
        if let Some(waker) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake_by_ref();
        }
    }
}

/// The waker of the future that a simulation runs: knows whether that can run.
#[derive(Default)]
pub(super) struct Root {
    awake: AtomicBool,
    thread: Mutex<Option<Waker>>,
}

impl Root {
    /// Notes that the future is polled, on a thread that `waker` wakes.
    pub fn sleep(&self, waker: &Waker) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        self.awake.store(false, Ordering::SeqCst);
    }

    pub fn is_awake(&self) -> bool {
        self.awake.load(Ordering::SeqCst)
    }
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.awake.store(true, Ordering::SeqCst);
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.wake_by_ref();
        }
    }
}
