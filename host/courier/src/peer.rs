//! The replicas that a caller can reach, wherever they run.

use std::sync::Arc;
use std::time::Duration;

use lp_base::scheduler::Scheduler;

use lp_base::calls::ReplicaIndex;

use crate::{CallContext, CallError, Mailbox, Message, Remote};

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
        match self {
            // The rare way is boxed, so that a call within the process stays small. A call to another process boxes its
            // carrier's part alone.
            _ if context.options.idempotent => Box::pin(self.call_again(method, request, context)).await,
            Self::Local(mailbox) => mailbox.call(method, request, context).await,
            Self::Remote(remote) => remote.call(method, request, context).await,
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
            let call = async {
                match self {
                    Self::Local(mailbox) => mailbox.call(method, request.as_slice().into(), context).await,
                    Self::Remote(remote) => remote.call(method, request.as_slice().into(), context).await,
                }
            };
            match call.await {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lp_base::calls::ReplicaIndex;
    use lp_base::scheduler::Scheduler;

    use crate::grpc::{Address, Connection};
    use crate::{
        CallContext, CallOptions, Callers, Exchange, Mailbox, Message, Passes, Remote, RemoteLimits, RemoteProcess,
        Room,
    };

    #[test]
    fn a_call_within_the_process_is_no_larger_for_those_that_leave_it() {
        let (exchange, replica, scheduler) = (Exchange::new(1), ReplicaIndex(0), Scheduler::default());
        let context = || CallContext { origin: None, caller: None, kept: None, options: CallOptions::default() };
        let room = Room { calls: 1, bytes: 1 };
        let mailbox =
            Mailbox::new("a/0".to_owned(), replica, Callers::default(), room, exchange.clone(), scheduler.clone());
        let limits = RemoteLimits { in_flight_max: 1, message_bytes_max: 1 };
        let connection = Connection::new(Address::Tcp(String::new()), scheduler.clone());
        let process = RemoteProcess::new(connection, limits, scheduler);
        let passes = Arc::<Passes>::default();
        let remote = Remote::new("a/0".to_owned(), replica, exchange, process, passes, Arc::default());
        let local = size_of_val(&mailbox.call(0, Message::default(), context()));
        let remote = size_of_val(&remote.call(0, Message::default(), context()));
        assert!(remote <= local, "{remote} bytes of a call to another process, {local} of one within this one");
    }
}
