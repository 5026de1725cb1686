//! Everything about a call but its message: who makes it, through what, and how.

use std::sync::Arc;
use std::time::Duration;

use lp_base::calls::{Kept, Origin, ReplicaIndex};
use lp_base::words::WhenFull;

use super::Urgency;

/// Everything about a call but its message.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// What the call came through.
    pub origin: Option<Arc<Origin>>,
    /// The calling replica; `None` for callers outside of the program.
    pub caller: Option<ReplicaIndex>,
    /// What counts the bytes that are kept for the caller, its results among them, where something does.
    pub kept: Option<Arc<Kept>>,
    /// How it is to be made.
    pub options: CallOptions,
}

/// How a caller wants its call to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallOptions {
    /// How long the call may take, from being queued to its reply; `None` waits as long as the callee lives.
    pub timeout: Option<Duration>,
    /// Whether a callee that has not started yet is waited for, or is unavailable.
    pub wait_for_ready: bool,
    /// What becomes of the call where there is no room for it.
    pub when_full: WhenFull,
    /// Whether the call may be made again where its callee failed in it.
    pub idempotent: bool,
    /// Whether the caller has something else to do meanwhile.
    pub urgency: Urgency,
}

impl Default for CallOptions {
    /// Waits for everything, as long as it takes.
    fn default() -> Self {
        Self {
            timeout: None,
            wait_for_ready: true,
            when_full: WhenFull::Wait,
            idempotent: false,
            urgency: Urgency::Concurrent,
        }
    }
}
