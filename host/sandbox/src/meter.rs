//! The time that a guest computes, counted in ticks of the epoch thread, and what it may compute at most.
//!
//! A tick that passes while a guest runs, or the host does something for it, is charged to it, whole; one that passes while
//! it waits, or while a replica runs that it called on the same thread, is not. So a guest that runs for a hundredth of a
//! tick at a time is charged one time in a hundred, which is right on the average and needs no clock. A busy guest is
//! stopped once a tick anyway. One step of it can take many ticks. Those are charged as far as the thread was on a
//! processor, which the kernel is asked for at a tick alone.

mod alarm;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use alarm::Alarm;
use lp_base::plan::LimitsPlan;
use lp_base::scheduler::Scheduler;
use lp_base::words::Limit;
use rustix::time::{ClockId, clock_gettime};
use wasmtime::component::GuestTaskId;

use super::EPOCH_TICK;
use super::limits::LimitHit;

thread_local! {
    /// Ticks that passed in turns nested in the current one, which are not its own.
    static NESTED_TICKS: Cell<u64> = const { Cell::new(0) };
    /// The processor time of the thread when a tick was last charged on it.
    static THREAD_TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The ticks since the epoch thread started.
pub type Ticks = Arc<AtomicU64>;

/// When a replica last got a thread, or was last charged.
pub struct Turns {
    ticks: Ticks,
    since: AtomicU64,
    /// Whether the ticks are those of simulated time, none of which passes while a thread waits for a processor.
    simulated: bool,
}

impl Turns {
    /// Turns counted by `ticks`, which are in the time of `scheduler`.
    pub fn new(ticks: Ticks, scheduler: &Scheduler) -> Arc<Self> {
        Arc::new(Self { ticks, since: AtomicU64::new(0), simulated: scheduler.is_simulated() })
    }

    /// Runs `future`, each poll of which is a turn of the replica.
    pub async fn of<R>(&self, future: impl Future<Output = R>) -> R {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let start = self.ticks.load(Ordering::Relaxed);
            self.since.store(start, Ordering::Relaxed);
            let outer = NESTED_TICKS.replace(0);
            let polled = future.as_mut().poll(cx);
            NESTED_TICKS.set(outer + self.ticks.load(Ordering::Relaxed).saturating_sub(start));
            polled
        })
        .await
    }

    fn now(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Whether a tick has passed since the last look.
    fn ticked(&self) -> bool {
        self.now() != self.since.load(Ordering::Relaxed)
    }

    /// The ticks that have passed in this turn since the last look, without those of nested turns and those for which the
    /// thread had no processor.
    fn passed(&self) -> u64 {
        let now = self.ticks.load(Ordering::Relaxed);
        let passed = now.saturating_sub(self.since.swap(now, Ordering::Relaxed));
        let own = passed.saturating_sub(NESTED_TICKS.replace(0));
        if own == 0 || self.simulated { own } else { own.min(thread_ticks()) }
    }
}

/// How many ticks of processor time this thread has had at most since it was last asked. At least one, as the tick that has
/// passed now is charged whole.
fn thread_ticks() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let now = Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32);
    let spent = now.saturating_sub(THREAD_TIME.replace(now));
    u64::try_from(spent.as_nanos().div_ceil(EPOCH_TICK.as_nanos())).unwrap_or(u64::MAX).max(1)
}

/// A call that the replica works on. The one of a store that works on one call at a time has no task.
pub type CallKey = Option<GuestTaskId>;

/// What the calls and the whole life of a replica have taken. It is beside the store, so that a call that begins or ends
/// needs no look into that.
pub struct Meter {
    turns: Arc<Turns>,
    cpu: Option<Duration>,
    call_cpu: Option<Duration>,
    call_time: Option<Duration>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    ticks: u64,
    /// The calls that are worked on: few, so that a list is quicker than a map.
    calls: Vec<CallMeter>,
}

struct CallMeter {
    key: CallKey,
    ticks: u64,
    /// The tick at which it began, which costs less to know than the time.
    start: u64,
}

impl Meter {
    /// A meter of one life of a replica.
    pub fn new(turns: Arc<Turns>, limits: &LimitsPlan) -> Arc<Self> {
        let duration = |limit: Option<u64>| limit.map(Duration::from_millis);
        Arc::new(Self {
            turns,
            cpu: duration(limits.cpu_ms),
            call_cpu: duration(limits.call_cpu_ms),
            call_time: duration(limits.call_time_ms),
            counts: Mutex::default(),
        })
    }

    /// Whether anything is limited that takes a look at each tick.
    pub fn counts(&self) -> bool {
        self.cpu.is_some() || self.counts_calls()
    }

    /// Whether calls have to be announced by [`Self::begin`].
    pub fn counts_calls(&self) -> bool {
        self.call_cpu.is_some() || self.call_time.is_some()
    }

    /// Begins to count for a call, where calls are counted.
    pub fn begin(&self, key: CallKey) {
        let start = self.turns.now();
        self.lock().calls.push(CallMeter { key, ticks: 0, start });
    }

    /// Ends what [`Self::begin`] began.
    pub fn end(&self, key: CallKey) {
        let calls = &mut self.lock().calls;
        if let Some(place) = calls.iter().position(|call| call.key == key) {
            calls.swap_remove(place);
        }
    }

    /// Charges the guest, which runs right now, for the ticks that have passed. `working` is the call that it runs for,
    /// and the calls of its own store that led to it.
    pub fn charge(&self, working: impl IntoIterator<Item = CallKey>) -> Result<(), LimitHit> {
        // A guest that never waits never lets its replica's loop see this.
        self.overdue()?;
        let passed = self.turns.passed();
        if passed == 0 {
            return Ok(());
        }
        let mut counts = self.lock();
        counts.ticks += passed;
        check(Limit::Cpu, counts.ticks, self.cpu)?;
        let place = working.into_iter().find_map(|key| counts.calls.iter().position(|call| call.key == key));
        let Some(place) = place else { return Ok(()) };
        counts.calls[place].ticks += passed;
        check(Limit::CallCpu, counts.calls[place].ticks, self.call_cpu)
    }

    /// Charges the replica, at the end of a turn, for the ticks that its guest has not been charged for: those of its last
    /// steps, and of what the host did after them. They are a call's if there is only one.
    pub fn charge_rest(&self) -> Result<(), LimitHit> {
        if !self.turns.ticked() {
            return Ok(());
        }
        let only = match self.lock().calls.as_slice() {
            [call] => Some(call.key),
            _ => None,
        };
        self.charge(only)
    }

    /// Fails if a call has taken too long.
    fn overdue(&self) -> Result<(), LimitHit> {
        match (self.call_time, self.left()) {
            (Some(max), Some(Duration::ZERO)) => Err(LimitHit::duration(Limit::CallTime, max)),
            _ => Ok(()),
        }
    }

    /// How long the oldest call may still take, if there is any and the time is limited.
    fn left(&self) -> Option<Duration> {
        let max = u64::try_from(self.call_time?.as_millis().div_ceil(EPOCH_TICK.as_millis())).unwrap_or(u64::MAX);
        let start = self.lock().calls.iter().map(|call| call.start).min()?;
        // The tick that came right after the start has taken no time.
        let ticks = max.saturating_add(1).saturating_sub(self.turns.now().saturating_sub(start));
        Some(EPOCH_TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX)))
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(limit: Limit, ticks: u64, max: Option<Duration>) -> Result<(), LimitHit> {
    match max {
        Some(max) if EPOCH_TICK.as_millis() * u128::from(ticks) > max.as_millis() => {
            Err(LimitHit::duration(limit, max))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use lp_base::plan::LimitsPlan;
    use lp_base::scheduler::Scheduler;
    use rustix::time::{ClockId, clock_gettime};

    use super::{EPOCH_TICK, Meter, Ticks, Turns, thread_ticks};

    fn meter(limits: LimitsPlan) -> (Ticks, Arc<Turns>, Arc<Meter>) {
        let ticks = Ticks::new(AtomicU64::new(100));
        let turns = Turns::new(ticks.clone(), &Scheduler::default());
        (ticks, turns.clone(), Meter::new(turns, &limits))
    }

    #[tokio::test]
    async fn only_ticks_within_a_turn_count() {
        let (ticks, turns, meter) = meter(LimitsPlan { cpu_ms: Some(10), ..LimitsPlan::default() });
        turns
            .of(async {
                // What passed before the turn is nobody's.
                assert!(meter.charge([]).is_ok());
                ticks.fetch_add(1, Ordering::Relaxed);
                assert!(meter.charge([]).is_ok(), "one tick is within the limit");
                assert!(meter.charge([]).is_ok(), "the tick has been charged");
                ticks.fetch_add(1, Ordering::Relaxed);
                let hit = meter.charge([]).expect_err("two ticks are too many");
                assert_eq!(hit.to_string(), "it reached its limit `limits.cpu` = 10ms");
            })
            .await;
    }

    /// Keeps the thread on a processor for that long.
    fn compute(time: Duration) {
        let now = || {
            let now = clock_gettime(ClockId::ThreadCPUTime);
            Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
        };
        let start = now();
        while now() - start < time {}
    }

    #[tokio::test]
    async fn a_step_of_many_ticks_is_charged_for_the_time_on_a_processor() {
        let (ticks, turns, meter) = meter(LimitsPlan { cpu_ms: Some(1000), ..LimitsPlan::default() });
        turns
            .of(async {
                thread_ticks();
                compute(3 * EPOCH_TICK);
                ticks.fetch_add(3, Ordering::Relaxed);
                assert!(meter.charge([]).is_ok());
                assert_eq!(meter.lock().ticks, 3);
                // The thread waited for a processor meanwhile.
                ticks.fetch_add(100, Ordering::Relaxed);
                assert!(meter.charge([]).is_ok());
                assert_eq!(meter.lock().ticks, 4);
            })
            .await;
    }

    #[tokio::test]
    async fn a_turn_is_charged_for_what_comes_after_the_guests_last_look() {
        let (ticks, turns, meter) = meter(LimitsPlan { call_cpu_ms: Some(10), ..LimitsPlan::default() });
        turns
            .of(async {
                assert!(meter.charge_rest().is_ok());
                meter.begin(None);
                ticks.fetch_add(1, Ordering::Relaxed);
                assert!(meter.charge_rest().is_ok(), "one tick is within the limit");
                assert!(meter.charge_rest().is_ok(), "the tick has been charged");
                ticks.fetch_add(1, Ordering::Relaxed);
                assert!(meter.charge_rest().is_err());
            })
            .await;
    }

    #[tokio::test]
    async fn ticks_of_a_nested_turn_are_not_its_callers() {
        let (ticks, outer, meter) = meter(LimitsPlan { cpu_ms: Some(10), ..LimitsPlan::default() });
        let inner = Turns::new(ticks.clone(), &Scheduler::default());
        outer
            .of(async {
                inner
                    .of(async {
                        ticks.fetch_add(5, Ordering::Relaxed);
                        assert!(inner.passed() > 0);
                    })
                    .await;
                assert!(meter.charge([]).is_ok());
                assert_eq!(meter.lock().ticks, 0);
            })
            .await;
    }

    #[tokio::test]
    async fn a_call_is_charged_while_it_is_worked_on() {
        let (ticks, turns, meter) = meter(LimitsPlan { call_cpu_ms: Some(10), ..LimitsPlan::default() });
        turns
            .of(async {
                for _ in 0..3 {
                    meter.begin(None);
                    ticks.fetch_add(1, Ordering::Relaxed);
                    assert!(meter.charge([None]).is_ok());
                    meter.end(None);
                    ticks.fetch_add(1, Ordering::Relaxed);
                    assert!(meter.charge([None]).is_ok(), "no call is worked on");
                }
                meter.begin(None);
                ticks.fetch_add(1, Ordering::Relaxed);
                assert!(meter.charge([None]).is_ok());
                ticks.fetch_add(1, Ordering::Relaxed);
                assert!(meter.charge([None]).is_err());
            })
            .await;
    }

    #[test]
    fn a_call_is_overdue_when_it_has_taken_longer_and_not_before() {
        let (ticks, _, meter) = meter(LimitsPlan { call_time_ms: Some(15), ..LimitsPlan::default() });
        assert_eq!(meter.left(), None);
        meter.begin(None);
        assert_eq!(meter.left(), Some(Duration::from_millis(30)));
        ticks.fetch_add(2, Ordering::Relaxed);
        assert!(meter.overdue().is_ok(), "it may have begun right before the first of these ticks");
        ticks.fetch_add(1, Ordering::Relaxed);
        assert!(meter.overdue().is_err());
        meter.end(None);
        assert!(meter.overdue().is_ok());
    }
}
