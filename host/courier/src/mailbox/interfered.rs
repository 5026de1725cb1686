//! Calls of a simulated run whose requests and answers may be held up, lost or failed on their way.

use std::sync::Arc;
use std::time::Duration;

use lp_base::scheduler::{Travelling, Way};
use lp_base::words::WhenFull;

use super::Mailbox;
use crate::{CallContext, CallError, Message};

/// What a caller is told of a call that a fault failed.
const FAULT: &str = "a fault of the test";

/// What a caller without a deadline is told of an answer that was lost.
const LOST: &str = "the connection was lost";

impl Mailbox {
    /// Makes a call as the interference has it. Its deadline holds for the whole way.
    pub(super) async fn call_interfered(
        self: &Arc<Self>,
        method: usize,
        request: Message,
        context: CallContext,
    ) -> Result<Message, CallError> {
        let Some((interference, at)) = self.scheduler.interference() else { return Err(CallError::Unavailable) };
        let caller = context.caller.map(|caller| caller.0);
        let travelling = Travelling { caller, callee: self.replica.0, method };
        let (number, way) = interference.leaves(travelling, at);
        let timeout = context.options.timeout;
        let going = self.travel(number, way, method, request, context);
        let result = match timeout {
            None => going.await,
            Some(timeout) => self.scheduler.timeout(timeout, going).await.unwrap_or(Err(CallError::DeadlineExceeded)),
        };
        if let Some((interference, at)) = self.scheduler.interference() {
            interference.returned(number, result.as_ref().err().map(name), at);
        }
        result
    }

    async fn travel(
        self: &Arc<Self>,
        number: usize,
        way: Way,
        method: usize,
        request: Message,
        mut context: CallContext,
    ) -> Result<Message, CallError> {
        let caller = context.caller.map(|caller| caller.0);
        let turns = self.scheduler.call_turns(caller);
        let (timeout, when_full) = (context.options.timeout, context.options.when_full);
        let started = self.scheduler.stopwatch();
        self.pass(way, timeout, when_full, CallError::Unavailable).await?;
        while let Some(time) = self.stands() {
            self.scheduler.sleep(time).await;
        }
        if let Some(turns) = &turns {
            turns.wait().await;
        }
        if let Some((interference, at)) = self.scheduler.interference() {
            interference.arrives(number, at);
        }
        context.options.timeout = timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
        let result = match self.begin_directly(method, request, context) {
            Ok(called) => called.answer().await,
            Err(error) => Err(error),
        };
        let Some((interference, at)) = self.scheduler.interference() else { return result };
        let way = interference.answered(number, result.as_ref().err().map(name), at);
        self.pass(way, timeout, when_full, CallError::Failed(LOST.to_owned())).await?;
        if let Some(turns) = &turns {
            turns.wait().await;
        }
        result
    }

    /// Goes one way. A caller without a deadline learns of a loss by `lost`.
    async fn pass(
        &self,
        way: Way,
        timeout: Option<Duration>,
        when_full: WhenFull,
        lost: CallError,
    ) -> Result<(), CallError> {
        match way {
            Way::Arrives(Duration::ZERO) => Ok(()),
            Way::Arrives(time) => {
                self.scheduler.sleep(time).await;
                Ok(())
            }
            Way::Lost if timeout.is_some() => std::future::pending().await,
            Way::Lost => Err(lost),
            Way::Fails(error) => Err(of_name(error)),
            Way::Full(_) if when_full == WhenFull::Fail => Err(CallError::Overloaded),
            Way::Full(time) => {
                self.scheduler.sleep(time).await;
                Ok(())
            }
        }
    }

    /// How long the replica does nothing.
    fn stands(&self) -> Option<Duration> {
        let (interference, at) = self.scheduler.interference()?;
        interference.stands(self.replica.0, at)
    }
}

fn name(error: &CallError) -> &'static str {
    CallError::CASES[error.case()]
}

/// The error of that name, as far as a call can fail with it from outside of its callee.
fn of_name(name: &str) -> CallError {
    match name {
        "deadline-exceeded" => CallError::DeadlineExceeded,
        "cancelled" => CallError::Cancelled,
        "denied" => CallError::Denied,
        "overloaded" => CallError::Overloaded,
        "too-large" => CallError::TooLarge,
        "failed" => CallError::Failed(FAULT.to_owned()),
        _ => CallError::Unavailable,
    }
}
