//! When a replica that has ended is started again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::words::{Restart, RestartPolicy};

/// When a replica that has ended is started again, how often, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPlan {
    /// Which ends a restart follows.
    pub policy: RestartPolicy,
    /// The most restarts within one window.
    pub max: u32,
    /// How long a restart counts.
    pub window_ms: u64,
    /// The time before the first restart; it doubles with each further one in the window.
    pub backoff_ms: u64,
    /// The longest that the time before a restart grows to.
    pub backoff_max_ms: u64,
}

impl RestartPlan {
    /// Whether a replica that failed may come back.
    pub fn follows_failure(&self) -> bool {
        self.policy != RestartPolicy::Never
    }

    /// Whether a replica whose `run` has returned comes back.
    pub fn follows_return(&self) -> bool {
        self.policy == RestartPolicy::Always
    }
}

impl Default for RestartPlan {
    fn default() -> RestartPlan {
        Restart::default().into()
    }
}

impl From<Restart> for RestartPlan {
    fn from(restart: Restart) -> RestartPlan {
        let Restart { policy, max, window, backoff, backoff_max } = restart;
        RestartPlan {
            policy,
            max,
            window_ms: millis(window),
            backoff_ms: millis(backoff),
            backoff_max_ms: millis(backoff_max),
        }
    }
}

/// Whole milliseconds; what is longer than half a billion years is as good as that.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
