//! The time that a guest computes, counted in ticks of the epoch thread, and what it may compute at most.
//!
//! A tick that passes while a guest runs is charged to it, whole; one that passes while it waits, or while a replica runs
//! that it called on the same thread, is not. So a guest that runs for a hundredth of a tick at a time is charged one
//! time in a hundred, which is right on the average and needs no clock. A busy guest is stopped once a tick anyway.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasmtime::component::GuestTaskId;

use super::engine::EPOCH_TICK;
use super::limits::LimitHit;
use crate::plan::LimitsPlan;
use crate::program::Limit;

thread_local! {
    /// Ticks that passed in turns nested in the current one, which are not its own.
    static NESTED_TICKS: Cell<u64> = const { Cell::new(0) };
}

/// The ticks since the epoch thread started.
pub(super) type Ticks = Arc<AtomicU64>;

/// When a replica last got a thread, or was last charged.
pub(super) struct Turns {
    ticks: Ticks,
    since: AtomicU64,
}

impl Turns {
    pub(super) fn new(ticks: Ticks) -> Arc<Self> {
        Arc::new(Self { ticks, since: AtomicU64::new(0) })
    }

    /// Runs `future`, each poll of which is a turn of the replica.
    pub(super) async fn of<R>(&self, future: impl Future<Output = R>) -> R {
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

    /// Whether a tick has passed in this turn since the last look that no nested turn took.
    fn ticked(&self) -> bool {
        let now = self.ticks.load(Ordering::Relaxed);
        let passed = now.saturating_sub(self.since.swap(now, Ordering::Relaxed));
        passed > NESTED_TICKS.replace(0)
    }
}

/// A call that the replica works on. The one of a store that works on one call at a time has no task.
pub(super) type CallKey = Option<GuestTaskId>;

/// What the calls and the whole life of a replica have taken.
pub(super) struct Meter {
    turns: Arc<Turns>,
    ticks: u64,
    calls: HashMap<CallKey, CallMeter>,
    cpu: Option<Duration>,
    call_cpu: Option<Duration>,
    call_time: Option<Duration>,
}

struct CallMeter {
    ticks: u64,
    start: Instant,
}

impl Meter {
    pub(super) fn new(turns: Arc<Turns>, limits: &LimitsPlan) -> Self {
        let duration = |limit: Option<u64>| limit.map(Duration::from_millis);
        Self {
            turns,
            ticks: 0,
            calls: HashMap::new(),
            cpu: duration(limits.cpu_ms),
            call_cpu: duration(limits.call_cpu_ms),
            call_time: duration(limits.call_time_ms),
        }
    }

    /// Whether anything is limited that takes a look at each tick.
    pub(super) fn counts(&self) -> bool {
        self.cpu.is_some() || self.counts_calls()
    }

    /// Whether calls have to be announced by [`Self::begin`].
    pub(super) fn counts_calls(&self) -> bool {
        self.call_cpu.is_some() || self.call_time.is_some()
    }

    /// How long a call may take.
    pub(super) fn call_time(&self) -> Option<Duration> {
        self.call_time
    }

    pub(super) fn begin(&mut self, call: CallKey) {
        self.calls.insert(call, CallMeter { ticks: 0, start: Instant::now() });
    }

    pub(super) fn end(&mut self, call: CallKey) {
        self.calls.remove(&call);
    }

    /// Charges the guest, which runs right now, for a tick if one has passed. `working` is the call that it runs for,
    /// and the calls of its own store that led to it.
    pub(super) fn charge(&mut self, working: impl IntoIterator<Item = CallKey>) -> Result<(), LimitHit> {
        // A guest that never waits never lets the timers of its calls be seen.
        if let Some(max) = self.call_time
            && self.calls.values().any(|call| call.start.elapsed() > max)
        {
            return Err(LimitHit::duration(Limit::CallTime, max));
        }
        if !self.turns.ticked() {
            return Ok(());
        }
        self.ticks += 1;
        check(Limit::Cpu, self.ticks, self.cpu)?;
        let Some(call) = working.into_iter().find(|call| self.calls.contains_key(call)) else { return Ok(()) };
        let Some(call) = self.calls.get_mut(&call) else { return Ok(()) };
        call.ticks += 1;
        check(Limit::CallCpu, call.ticks, self.call_cpu)
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

    use super::{Meter, Ticks, Turns};
    use crate::plan::LimitsPlan;

    fn meter(limits: LimitsPlan) -> (Ticks, Arc<Turns>, Meter) {
        let ticks = Ticks::new(AtomicU64::new(100));
        let turns = Turns::new(ticks.clone());
        (ticks, turns.clone(), Meter::new(turns, &limits))
    }

    #[tokio::test]
    async fn only_ticks_within_a_turn_count() {
        let (ticks, turns, mut meter) = meter(LimitsPlan { cpu_ms: Some(10), ..LimitsPlan::default() });
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

    #[tokio::test]
    async fn ticks_of_a_nested_turn_are_not_its_callers() {
        let (ticks, outer, mut meter) = meter(LimitsPlan { cpu_ms: Some(10), ..LimitsPlan::default() });
        let inner = Turns::new(ticks.clone());
        outer
            .of(async {
                inner
                    .of(async {
                        ticks.fetch_add(5, Ordering::Relaxed);
                        assert!(inner.ticked());
                    })
                    .await;
                assert!(meter.charge([]).is_ok());
                assert_eq!(meter.ticks, 0);
            })
            .await;
    }

    #[tokio::test]
    async fn a_call_is_charged_while_it_is_worked_on() {
        let (ticks, turns, mut meter) = meter(LimitsPlan { call_cpu_ms: Some(10), ..LimitsPlan::default() });
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
}
