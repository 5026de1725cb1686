//! The replicas that a caller can reach, wherever they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::grpc::Remote;
use super::{CallContext, CallError, Mailbox, Message};

/// How often a call by an idempotent handle is made before its failure is its caller's.
const ATTEMPTS_MAX: u32 = 4;
/// The wait before the second attempt; it doubles.
const RETRY_WAIT: Duration = Duration::from_millis(20);

/// A replica that can be called.
#[derive(Clone)]
pub enum Peer {
    /// In this process.
    Local(Arc<Mailbox>),
    /// In another one.
    Remote(Arc<Remote>),
}

impl Peer {
    /// The name of the replica: `producer/0`.
    pub fn label(&self) -> &str {
        match self {
            Self::Local(mailbox) => mailbox.label(),
            Self::Remote(remote) => remote.label(),
        }
    }

    /// Whether calls are answered now, as far as is known here.
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Local(mailbox) => mailbox.is_ready(),
            Self::Remote(remote) => remote.is_ready(),
        }
    }

    /// The calls of this process that it has not answered.
    pub fn pending(&self) -> usize {
        match self {
            Self::Local(mailbox) => mailbox.pending(),
            Self::Remote(remote) => remote.pending(),
        }
    }

    /// Calls a method and returns its response.
    pub async fn call(&self, method: usize, request: Message, context: CallContext) -> Result<Message, CallError> {
        match self {
            // The rare ways are boxed, so that a call within the process stays small.
            _ if context.options.idempotent => Box::pin(self.call_again(method, request, context)).await,
            Self::Local(mailbox) => mailbox.call(method, request, context).await,
            Self::Remote(remote) => Box::pin(remote.call(method, request, context)).await,
        }
    }

    /// Makes a call that may be made more than once, until its callee does not fail in it.
    async fn call_again(&self, method: usize, request: Message, context: CallContext) -> Result<Message, CallError> {
        let start = Instant::now();
        let request = request.to_vec();
        let mut wait = RETRY_WAIT;
        let mut attempt = 1;
        loop {
            let mut context = context.clone();
            context.options.idempotent = false;
            context.options.timeout = context.options.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            let timeout = context.options.timeout;
            let call = async {
                match self {
                    Self::Local(mailbox) => mailbox.call(method, request.as_slice().into(), context).await,
                    Self::Remote(remote) => remote.call(method, request.as_slice().into(), context).await,
                }
            };
            match call.await {
                Err(CallError::Failed(_)) if attempt < ATTEMPTS_MAX && timeout.is_none_or(|left| left > wait) => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}

/// Counts a call for as long as it lives.
pub(super) struct Pending<'a>(&'a AtomicUsize);

impl<'a> Pending<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
