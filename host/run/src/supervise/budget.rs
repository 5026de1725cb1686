//! How many restarts are left, and how long the next one has to wait.

use std::collections::VecDeque;
use std::time::Duration;

use lp_base::plan::RestartPlan;

/// The least part of the backoff that is waited for. The rest is chance, so that replicas that fail together don't
/// come back together.
const BACKOFF_LEAST: f64 = 0.5;

/// The restarts of one replica, or of a colocation that shares them.
pub(super) struct RestartBudget {
    restart: RestartPlan,
    /// When each restart that still counts was due, the oldest first.
    counted: VecDeque<Duration>,
}

/// A restart that the budget has room for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The number of the restart among those that count, from 1.
    pub(super) number: u32,
    /// How long to wait for it.
    pub(super) after: Duration,
}

impl RestartBudget {
    pub(super) fn new(restart: RestartPlan) -> Self {
        Self { restart, counted: VecDeque::new() }
    }

    pub(super) fn restart(&self) -> &RestartPlan {
        &self.restart
    }

    /// Takes a restart out of the budget, or `None` if there is none left. Times are counted from the launch; `jitter`
    /// is from 0 to 1.
    pub(super) fn spend(&mut self, now: Duration, jitter: f64) -> Option<Attempt> {
        let window = Duration::from_millis(self.restart.window_ms);
        while self.counted.front().is_some_and(|due| due.saturating_add(window) <= now) {
            self.counted.pop_front();
        }
        let before = u32::try_from(self.counted.len()).unwrap_or(u32::MAX);
        if before >= self.restart.max {
            return None;
        }
        let longest = Duration::from_millis(self.restart.backoff_max_ms);
        let doubled = Duration::from_millis(self.restart.backoff_ms).saturating_mul(2u32.saturating_pow(before));
        let after = doubled.min(longest).mul_f64(BACKOFF_LEAST + (1.0 - BACKOFF_LEAST) * jitter);
        // Only time in which the replica could have failed makes up for a restart. Were waiting to count, a backoff longer
        // than the window would never come to an end.
        self.counted.iter_mut().for_each(|due| *due = due.saturating_add(after));
        self.counted.push_back(now.saturating_add(after));
        Some(Attempt { number: before + 1, after })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lp_base::plan::RestartPlan;
    use lp_base::words::RestartPolicy;

    use super::{Attempt, RestartBudget};

    const SECOND: u64 = 1000;

    fn budget(max: u32, window_ms: u64, backoff_ms: u64, backoff_max_ms: u64) -> RestartBudget {
        RestartBudget::new(RestartPlan { policy: RestartPolicy::OnFailure, max, window_ms, backoff_ms, backoff_max_ms })
    }

    /// Fails at these times, and checks the waits that follow.
    #[track_caller]
    fn check(mut budget: RestartBudget, jitter: f64, failures: &[(u64, Option<(u32, u64)>)]) {
        for (at_ms, expected) in failures {
            let expected = expected.map(|(number, ms)| Attempt { number, after: Duration::from_millis(ms) });
            assert_eq!(budget.spend(Duration::from_millis(*at_ms), jitter), expected, "at {at_ms} ms");
        }
    }

    #[test]
    fn the_wait_doubles_up_to_its_longest() {
        let waits = [(0, Some((1, 100))), (1, Some((2, 200))), (2, Some((3, 400))), (3, Some((4, 500)))];
        check(budget(4, 60 * SECOND, 100, 500), 1.0, &waits);
        check(budget(4, 60 * SECOND, 100, 500), 0.0, &waits.map(|(at, wait)| (at, wait.map(|(n, ms)| (n, ms / 2)))));
    }

    #[test]
    fn a_budget_that_is_spent_has_no_more() {
        check(budget(1, SECOND, 100, 100), 1.0, &[(0, Some((1, 100))), (1099, None), (1099, None)]);
    }

    #[test]
    fn a_window_of_health_restores_the_budget_and_the_first_wait() {
        check(budget(1, SECOND, 100, 100), 1.0, &[(0, Some((1, 100))), (1100, Some((1, 100))), (2199, None)]);
        check(
            budget(2, SECOND, 100, 900),
            1.0,
            &[(0, Some((1, 100))), (600, Some((2, 200))), (1400, Some((2, 200))), (1700, None)],
        );
    }

    #[test]
    fn waiting_for_a_restart_is_no_health() {
        check(budget(2, SECOND, 2000, 9000), 1.0, &[(0, Some((1, 2000))), (2000, Some((2, 4000))), (6000, None)]);
    }

    #[test]
    fn no_number_is_too_large() {
        let mut largest = budget(u32::MAX, u64::MAX, u64::MAX, u64::MAX);
        for _ in 0..100 {
            assert!(largest.spend(Duration::from_secs(1), 0.0).is_some());
        }
    }
}
