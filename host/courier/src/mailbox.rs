//! The bounded queue of calls in front of one replica, and its callers' way in.

mod call;
mod interfered;
mod making;
mod queue;
mod work;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

pub use call::{Answering, Call};
use futures::task::AtomicWaker;
use hdrhistogram::Histogram;
use lp_base::calls::ReplicaIndex;
use lp_base::scheduler::Scheduler;
use queue::Queue;
pub use queue::Room;
use tokio::sync::{Notify, watch};
use work::Work;

use super::{CallError, Callers, Exchange, Message, Pump};

/// What a replica has served.
#[derive(Clone, Debug)]
pub struct Served {
    /// Calls answered with a response.
    pub calls: u64,
    /// Calls answered with an error.
    pub errors: u64,
    /// The time from being queued to the answer, in nanoseconds.
    pub latency_ns: Histogram<u32>,
}

/// The queue of one replica.
pub struct Mailbox {
    label: String,
    replica: ReplicaIndex,
    callers: Callers,
    exchange: Arc<Exchange>,
    scheduler: Scheduler,
    state: Mutex<State>,
    arrived: AtomicWaker,
    /// Whether there were calls in the queue when it was last touched.
    queued: AtomicBool,
    /// Told when a call leaves a queue that someone waits to get into.
    room: Notify,
    ready: watch::Sender<bool>,
    pending: AtomicUsize,
    pump: Pump,
}

struct State {
    queue: Queue,
    work: Work,
    /// Callers that wait for room in the queue.
    outside: usize,
    phase: Phase,
    served: Served,
}

#[derive(Clone, Debug)]
enum Phase {
    Starting,
    Ready,
    /// The replica ends when it has taken this many calls, and may start again.
    Draining(usize),
    /// The replica is gone and may start again.
    Suspended,
    Closed(CallError),
}

impl Mailbox {
    /// The mailbox of a replica that has not started; calls wait in it until it has.
    ///
    /// `label` names the replica in messages (`producer/0`). Of the program's replicas, `callers` may call it; others are
    /// denied. Calls beyond `room` wait for some. Deadlines go by the time of `scheduler`.
    pub fn new(
        label: String,
        replica: ReplicaIndex,
        callers: Callers,
        room: Room,
        exchange: Arc<Exchange>,
        scheduler: Scheduler,
    ) -> Self {
        let latency_ns = Histogram::new(2).expect("two significant digits are in the allowed range");
        Self {
            label,
            replica,
            callers,
            exchange,
            scheduler: scheduler.clone(),
            state: Mutex::new(State {
                queue: Queue::new(room),
                work: Work::default(),
                outside: 0,
                phase: Phase::Starting,
                served: Served { calls: 0, errors: 0, latency_ns },
            }),
            arrived: AtomicWaker::new(),
            queued: AtomicBool::new(false),
            room: Notify::new(),
            ready: watch::Sender::new(false),
            pending: AtomicUsize::new(0),
            pump: Pump::new(scheduler),
        }
    }

    /// The name of the replica: `producer/0`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The replica behind this mailbox.
    pub fn replica(&self) -> ReplicaIndex {
        self.replica
    }

    /// The replica's event loop.
    pub fn pump(&self) -> &Pump {
        &self.pump
    }

    /// Who waits for whom in this process.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Where the time of calls comes from.
    pub(super) fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// What the replica has served so far.
    pub fn served(&self) -> Served {
        self.lock().served.clone()
    }

    /// The next call to work on, or `None` once the mailbox is closed or drained. Called by the replica's loop alone.
    #[inline]
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Call>> {
        if self.queued.load(Ordering::Relaxed)
            && let Some(next) = self.take()
        {
            return Poll::Ready(next);
        }
        self.arrived.register(cx.waker());
        // A call may have come before the registration.
        self.take().map_or(Poll::Pending, Poll::Ready)
    }

    fn take(&self) -> Option<Option<Call>> {
        let mut state = self.lock();
        if let Phase::Draining(left) = &mut state.phase {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return Some(None),
            }
        }
        // A loop that is being dropped takes nothing from the one that comes after it.
        if matches!(state.phase, Phase::Suspended) {
            return None;
        }
        while let Some(call) = state.queue.pop() {
            if state.outside > 0 {
                self.room.notify_one();
            }
            self.queued.store(state.queue.len() > 0, Ordering::Relaxed);
            // Nobody waits for it any more, and it has not started.
            if !call.reply.is_closed() {
                state.work.take();
                return Some(Some(call));
            }
        }
        matches!(state.phase, Phase::Closed(_) | Phase::Draining(_)).then_some(None)
    }

    /// Answers a call and counts it.
    pub fn answer(&self, call: Answering, result: Result<Message, CallError>) {
        {
            let state = &mut *self.lock();
            state.work.answer();
            let served = &mut state.served;
            match &result {
                Ok(_) => served.calls += 1,
                Err(_) => served.errors += 1,
            }
            let elapsed = self.scheduler.now().saturating_duration_since(call.queued_at).as_nanos();
            // A histogram of 64-bit values has room for half a millennium of nanoseconds.
            let _ = served.latency_ns.record(u64::try_from(elapsed).unwrap_or(u64::MAX));
        }
        call.send(result);
    }

    /// Notes that the replica has started: calls that do not wait for that are accepted from here on.
    pub fn open(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Starting | Phase::Suspended) {
            state.phase = Phase::Ready;
            self.ready.send_replace(true);
        }
    }

    /// Has the replica's loop end when it has taken the calls that wait now. Later ones wait for the next loop.
    pub fn drain(&self) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Closed(_)) {
            state.phase = Phase::Draining(state.queue.len());
            self.ready.send_replace(false);
        }
    }

    /// Has the replica's loop end without taking another call. Those that wait are for its next life.
    pub fn pause(&self) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Closed(_)) {
            state.phase = Phase::Draining(0);
            self.ready.send_replace(false);
            drop(state);
            self.arrived.wake();
        }
    }

    /// Notes that a replica that was gone for good comes back after all.
    pub fn reopen(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Closed(_)) {
            state.phase = Phase::Suspended;
        }
    }

    /// Notes that the replica is gone and may start again: calls wait for that, unless their callers do not want to.
    pub fn suspend(&self) {
        let refused = {
            let mut state = self.lock();
            if matches!(state.phase, Phase::Closed(_)) {
                return;
            }
            state.phase = Phase::Suspended;
            state.work.clear();
            self.ready.send_replace(false);
            state.queue.take_unless(|call| call.wait_for_ready)
        };
        self.refuse(refused, &CallError::Unavailable);
        // Those who wait for room may be among those who do not want to wait for the replica.
        self.room.notify_waiters();
    }

    /// Whether the replica has started and takes calls.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Whether the replica takes calls, as it changes.
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// The calls that were made to the replica and not answered.
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Refuses the waiting calls and all later ones as unavailable, and ends [`Self::poll_next`]. Calls that the replica works
    /// on and does not answer any more end with `error`.
    pub fn close(&self, error: CallError) {
        let waiting = {
            let mut state = self.lock();
            if matches!(state.phase, Phase::Closed(_)) {
                return;
            }
            state.phase = Phase::Closed(error);
            // What it works on may still be answered, and nothing waits for that any more.
            state.work.clear();
            self.ready.send_replace(false);
            state.queue.take_unless(|_| false)
        };
        self.room.notify_one();
        self.refuse(waiting, &CallError::Unavailable);
        self.arrived.wake();
    }

    fn refuse(&self, calls: VecDeque<Call>, error: &CallError) {
        self.lock().served.errors += calls.len() as u64;
        for call in calls {
            call.split().3.send(Err(error.clone()));
        }
    }

    /// The error of a call that comes when the mailbox is closed.
    fn refusal(&self) -> CallError {
        match &self.lock().phase {
            Phase::Closed(error) => error.clone(),
            _ => CallError::Unavailable,
        }
    }

    /// The error of a call whose replica went away while it worked on it. The replica could not count it any more.
    fn lost(&self) -> CallError {
        self.lock().served.errors += 1;
        match self.refusal() {
            CallError::Cancelled => CallError::Cancelled,
            _ => self.failed(),
        }
    }

    /// What a caller is told of a replica that failed while it worked on the call.
    pub fn failed(&self) -> CallError {
        CallError::Failed(format!("`{}` failed while it worked on the call", self.label))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
