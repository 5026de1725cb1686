//! The replicas that a caller can reach, wherever they run.

use std::sync::Arc;
use std::time::Duration;

use lp_base::scheduler::Scheduler;

use lp_base::calls::ReplicaIndex;

use crate::{CallContext, CallError, Called, Mailbox, Message, Remote};

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

    /// Its number in the program.
    pub fn replica(&self) -> ReplicaIndex {
        match self {
            Self::Local(mailbox) => mailbox.replica(),
            Self::Remote(remote) => remote.replica(),
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

    /// Where the time of its calls comes from.
    pub fn scheduler(&self) -> &Scheduler {
        match self {
            Self::Local(mailbox) => mailbox.scheduler(),
            Self::Remote(remote) => remote.scheduler(),
        }
    }

    /// Calls a method and returns its response.
    pub async fn call(&self, method: usize, request: Message, context: CallContext) -> Result<Message, CallError> {
        self.begin_call(method, request, context).answer().await
    }

    /// The same as far as it goes at once. A block that is on its way still, and that its caller lent, has to be kept from then on.
    pub fn begin_call(&self, method: usize, request: Message, context: CallContext) -> Called {
        match self {
            _ if context.options.idempotent => {
                let peer = self.clone();
                Called::first_step(async move { peer.call_again(method, request, context).await })
            }
            Self::Local(mailbox) => mailbox.begin_call(method, request, context),
            Self::Remote(remote) => {
                let remote = remote.clone();
                Called::first_step(async move { remote.call(method, request, context).await })
            }
        }
    }

    /// Makes a call that may be made more than once, until its callee does not fail in it.
    async fn call_again(&self, method: usize, request: Message, context: CallContext) -> Result<Message, CallError> {
        let start = self.scheduler().stopwatch();
        let request = request.to_vec();
        let mut wait = RETRY_WAIT;
        let mut attempt = 1;
        loop {
            let mut context = context.clone();
            context.options.idempotent = false;
            context.options.timeout = context.options.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            let timeout = context.options.timeout;
            let call = self.begin_call(method, request.as_slice().into(), context);
            match call.answer().await {
                Err(CallError::Failed(_)) if attempt < ATTEMPTS_MAX && timeout.is_none_or(|left| left > wait) => {
                    self.scheduler().sleep(wait).await;
                    wait *= 2;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}
