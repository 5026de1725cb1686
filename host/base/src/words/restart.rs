//! What happens to a replica that has ended: the restart policy of its node, and the budget that bounds it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The largest number of restarts in one window.
pub const RESTARTS_MAX: u32 = 1_000_000;

/// When a replica that has ended is started again, how often, and how soon. It starts over: with a new memory, and with
/// its `run`, if it has one. While the program stops, nothing is started again, and a failure that a restart would have
/// followed does not fail the program.
///
/// ```toml
/// restart = { policy = "on-failure", max = 3, window = "60s", backoff = "200ms", backoff-max = "10s" }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// Which ends a restart follows.
    pub policy: RestartPolicy,
    /// The most restarts of a replica within one window. If it ends once more, the program fails.
    pub max: u32,
    /// How long a restart counts. A replica that has been well for this long has its whole budget again.
    pub window: Duration,
    /// The time before the first restart; it doubles with each further one in the window.
    pub backoff: Duration,
    /// The longest that the time before a restart grows to.
    pub backoff_max: Duration,
}

/// Which ends of a replica a restart follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// None: a replica that fails fails the program.
    #[default]
    Never,
    /// A failure.
    OnFailure,
    /// A failure, and a `run` that has returned. The program does not wait for the `run` of such a node.
    Always,
}

impl Default for Restart {
    fn default() -> Restart {
        Restart {
            policy: RestartPolicy::Never,
            max: 3,
            window: Duration::from_secs(60),
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(10),
        }
    }
}

impl Restart {
    /// Restarts after a failure, within the budget of a program file that gives none.
    pub fn on_failure() -> Restart {
        Restart { policy: RestartPolicy::OnFailure, ..Restart::default() }
    }

    /// Restarts after a failure and after `run` has returned, within the budget of a program file that gives none.
    pub fn always() -> Restart {
        Restart { policy: RestartPolicy::Always, ..Restart::default() }
    }

    /// Allows `max` restarts within `window`.
    pub fn budget(self, max: u32, window: Duration) -> Restart {
        Restart { max, window, ..self }
    }

    /// Waits for `first` before the first restart, and twice as long before each further one, up to `longest`.
    pub fn backoff(self, first: Duration, longest: Duration) -> Restart {
        Restart { backoff: first, backoff_max: longest, ..self }
    }
}
