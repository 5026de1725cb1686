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

    /// Whether anything may be written at `now`.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.refilled(now).available >= 1.0
    }

    /// Takes so many bytes, or as many as there are, which may then be written.
    pub(super) fn take(&self, bytes: usize, now: Instant) -> usize {
        let mut state = self.refilled(now);
        let taken = bytes.min(state.available.max(0.0) as usize);
        state.available -= taken as f64;
        taken
    }

    /// Takes so many bytes, whether or not they are there.
    pub(super) fn overdraw(&self, bytes: usize, now: Instant) {
        self.refilled(now).available -= bytes as f64;
    }

    /// Gives bytes back that were taken and not written.
    pub(super) fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.lock().available += bytes as f64;
        }
    }

    /// The failure of a guest that writes faster than it may.
    pub(super) fn rate_hit(&self) -> LimitHit {
        LimitHit::new(Limit::OutputRate, self.rate)
    }

    /// How long from `now` on until something may be written again.
    fn wait(&self, now: Instant) -> Duration {
        // A little at a time would be a switch of tasks for each byte.
        let enough = (self.rate as f64 / 100.0).max(1.0);
        let missing = enough - self.refilled(now).available;
        if missing <= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(missing / self.rate as f64) }
    }

    /// Counts `bytes` that are written. Beyond the total, the replica fails even if the guest does not mind.
    pub(super) fn count(&self, bytes: usize) -> Result<(), LimitHit> {
        let mut state = self.lock();
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
        let mut state = self.lock();
        let passed = now.saturating_duration_since(state.refilled).as_secs_f64();
        state.available = (state.available + passed * self.rate as f64).min(self.rate as f64);
        state.refilled = state.refilled.max(now);
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(budget.take(1500, start), 1000);
        assert!(!budget.has_room(start));
        budget.overdraw(500, start);
        assert_eq!(budget.take(1, start), 0);
        assert_eq!(budget.wait(start), Duration::from_millis(510));
        assert_eq!(budget.wait(start + Duration::from_millis(600)), Duration::ZERO);
        assert_eq!(budget.take(2000, start + Duration::from_secs(60)), 1000);
        budget.give_back(400);
        assert_eq!(budget.take(2000, start), 400);
        budget.count(2500).expect("it is at the total");
        let hit = budget.count(1).expect_err("it is one past the total");
        assert_eq!(hit.to_string(), "it reached its limit `limits.output` = 2500B");
    }
}
