//! Rust's form of `lp:courier/types`. Every node's bindings use these types, so that nodes' crates can share code.

/// Why a call to another node gave no result.
///
/// The callee may or may not have run the call, except where a case says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No replica that could answer is running, or the one that had the call ended before it replied. A later call may
    /// succeed.
    #[error("the called node is unavailable")]
    Unavailable,
    /// The handle's timeout passed before the reply came.
    #[error("the call's deadline passed")]
    DeadlineExceeded,
    /// The call was given up before its reply because the caller or the program is stopping.
    #[error("the call was cancelled")]
    Cancelled,
    /// The callee does not accept calls from this node. It has not run the call.
    #[error("the call was denied")]
    Denied,
    /// The callee's queue of calls is full. It has not run the call; wait before trying again.
    #[error("the called node is overloaded")]
    Overloaded,
    /// The arguments or the reply exceed the program's largest message.
    #[error("the message is too large")]
    TooLarge,
    /// The callee trapped in this call.
    #[error("the called node failed: {0}")]
    Failed(String),
}
