//! Why a call gave no result: the host's side of `lp:courier/types.call-error`.

use lp_base::calls::CALL_ERRORS;

/// A failed call, as its caller sees it. What happened inside the callee goes to the log, not here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The callee is not running and will not come up for this call.
    #[error("unavailable")]
    Unavailable,
    /// The deadline of the call passed before its result came.
    #[error("deadline exceeded")]
    DeadlineExceeded,
    /// The caller or the program stopped before the result came.
    #[error("cancelled")]
    Cancelled,
    /// The caller holds no handle of the callee.
    #[error("denied")]
    Denied,
    /// The callee has as many calls waiting as it accepts.
    #[error("overloaded")]
    Overloaded,
    /// The request or the response is larger than the program allows.
    #[error("too large")]
    TooLarge,
    /// The callee failed while it worked on the call.
    #[error("failed: {0}")]
    Failed(String),
}

impl CallError {
    /// The names of the cases in WIT, in their order.
    pub const CASES: [&str; 7] = CALL_ERRORS;

    /// The index of this case in [`Self::CASES`].
    pub fn case(&self) -> usize {
        match self {
            Self::Unavailable => 0,
            Self::DeadlineExceeded => 1,
            Self::Cancelled => 2,
            Self::Denied => 3,
            Self::Overloaded => 4,
            Self::TooLarge => 5,
            Self::Failed(_) => 6,
        }
    }

    /// The payload of this case, where it has one.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Failed(message) => Some(message),
            _ => None,
        }
    }
}
