//! How much a replica may write: so much a second, and so much in all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lp_base::plan::LimitsPlan;
use lp_base::scheduler::{Scheduler, Sleep};
use lp_base::words::Limit;

use crate::limits::{Breach, LimitHit};

/// What a replica writes through both streams and as logs. A second's worth may be written at once.
pub struct OutputBudget {
    rate: u64,
    total: Option<u64>,
    breach: Breach,
    scheduler: Scheduler,
    state: Mutex<State>,
}

struct State {
    /// Bytes that may be written now. Below zero it is what was written ahead of its time.
    available: f64,
    refilled: Instant,
    written: u64,
}

impl OutputBudget {
    pub fn new(limits: &LimitsPlan, breach: Breach, scheduler: Scheduler) -> Self {
        let rate = limits.output_bytes_per_second;
        let state = State { available: rate as f64, refilled: scheduler.now(), written: 0 };
        Self { rate, total: limits.output_bytes, breach, scheduler, state: Mutex::new(state) }
    }

    pub(super) fn now(&self) -> Instant {
        self.scheduler.now()
    }

    /// Sleeps from `now` on until something may be written again.
    pub(super) fn refill(&self, now: Instant) -> Sleep {
        self.scheduler.sleep(self.wait(now))
    }

    /// How many bytes may be written at `now`.
    pub(super) fn available(&self, now: Instant) -> usize {
        self.refilled(now).available.max(0.0) as usize
    }

    /// How long from `now` on until something may be written again.
    fn wait(&self, now: Instant) -> Duration {
        // A little at a time would be a switch of tasks for each byte.
        let enough = (self.rate as f64 / 100.0).max(1.0);
        let missing = enough - self.refilled(now).available;
        if missing <= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(missing / self.rate as f64) }
    }

    /// Counts `bytes` that are written. Beyond the total, the replica fails even if the guest does not mind.
    pub(super) fn spend(&self, bytes: usize, now: Instant) -> Result<(), LimitHit> {
        let mut state = self.refilled(now);
        state.available -= bytes as f64;
        state.written = state.written.saturating_add(bytes as u64);
        match self.total {
            Some(total) if state.written > total => {
                let hit = LimitHit::new(Limit::Output, total);
                self.breach.note(hit.clone());
                Err(hit)
            }
            _ => Ok(()),
        }
    }

    fn refilled(&self, now: Instant) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(state.refilled).as_secs_f64();
        state.available = (state.available + passed * self.rate as f64).min(self.rate as f64);
        state.refilled = state.refilled.max(now);
        state
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use lp_base::plan::LimitsPlan;
    use lp_base::scheduler::Scheduler;

    use super::{Breach, OutputBudget};

    #[test]
    fn a_seconds_worth_may_be_written_at_once_and_more_takes_its_time() {
        let limits = LimitsPlan { output_bytes_per_second: 1000, output_bytes: Some(2500), ..LimitsPlan::default() };
        let (budget, start) = (OutputBudget::new(&limits, Breach::default(), Scheduler::default()), Instant::now());
        assert_eq!(budget.available(start), 1000);
        budget.spend(1500, start).expect("it is within the total");
        assert_eq!(budget.available(start), 0);
        assert_eq!(budget.wait(start), Duration::from_millis(510));
        assert_eq!(budget.wait(start + Duration::from_millis(600)), Duration::ZERO);
        assert_eq!(budget.available(start + Duration::from_secs(60)), 1000);
        budget.spend(1000, start).expect("it is at the total");
        let hit = budget.spend(1, start).expect_err("it is one past the total");
        assert_eq!(hit.to_string(), "it reached its limit `limits.output` = 2500B");
    }
}
