//! How a call gets into a mailbox and its caller to the answer: mostly at once, else by a future.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lp_base::calls::ReplicaIndex;
use lp_base::words::WhenFull;
use tokio::sync::oneshot;

use super::{Call, Mailbox, Phase};
use crate::pending::{CountsPending, Pending};
use crate::{CallContext, CallError, CallOptions, Called, Message, Urgency};

impl Mailbox {
    /// Calls `method` with `request` and returns its response.
    ///
    /// A call that has started is never cut off: a caller that stops waiting, by its deadline or by dropping this,
    /// leaves the callee to finish for nobody. One that has not started by then never does.
    pub async fn call(
        self: &Arc<Self>,
        method: usize,
        request: Message,
        context: CallContext,
    ) -> Result<Message, CallError> {
        self.begin_call(method, request, context).answer().await
    }

    /// The same as far as it goes at once, on this thread.
    pub fn begin_call(self: &Arc<Self>, method: usize, request: Message, context: CallContext) -> Called {
        if self.scheduler.interference().is_some() {
            let mailbox = self.clone();
            return Called::UnderWay(Box::pin(async move { mailbox.call_interfered(method, request, context).await }));
        }
        self.begin_directly(method, request, context).unwrap_or_else(|error| Called::Answered(Err(error)))
    }

    pub(super) fn begin_directly(
        self: &Arc<Self>,
        method: usize,
        request: Message,
        context: CallContext,
    ) -> Result<Called, CallError> {
        if context.caller.is_some_and(|caller| !self.callers.contain(caller)) {
            self.lock().served.errors += 1;
            return Err(CallError::Denied);
        }
        let pending = Pending::new(&**self);
        let hold = self.exchange.enter(&context, self.replica, &self.label)?;
        let CallContext { origin, caller, kept, options } = context;
        let queued_at = self.scheduler.now();
        let (reply, mut answer) = oneshot::channel();
        let blocked = caller.filter(|_| options.urgency == Urgency::Blocked);
        let call = Call {
            method,
            request,
            origin,
            reply,
            kept,
            caller,
            blocked: blocked.map(|caller| (self.exchange.clone(), caller)),
            queued_at,
            wait_for_ready: options.wait_for_ready,
        };
        let outside = self.deliver(call, options, queued_at)?;
        if outside.is_none() {
            match answer.try_recv() {
                Ok(result) => return Ok(Called::Answered(result)),
                Err(oneshot::error::TryRecvError::Closed) => return Err(self.lost()),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
        }
        let deadline = options.timeout.and_then(|timeout| queued_at.checked_add(timeout));
        let pending = pending.keep(self.clone());
        Ok(Called::UnderWay(Box::pin(async move {
            let _hold = hold;
            pending.callee().finish(outside, answer, caller, options, deadline).await
        })))
    }

    /// Waits for the answer to a call, which is queued first if it is still `outside`.
    async fn finish(
        &self,
        mut outside: Option<Call>,
        answer: oneshot::Receiver<Result<Message, CallError>>,
        caller: Option<ReplicaIndex>,
        options: CallOptions,
        deadline: Option<Instant>,
    ) -> Result<Message, CallError> {
        while let Some(call) = outside {
            self.wait_for_room(caller, deadline).await?;
            outside = self.deliver(call, options, self.scheduler.now())?;
        }
        match deadline {
            None => answer.await.unwrap_or_else(|_| Err(self.lost())),
            Some(deadline) => match self.scheduler.timeout(self.left(deadline), answer).await {
                Ok(result) => result.unwrap_or_else(|_| Err(self.lost())),
                Err(_) => Err(CallError::DeadlineExceeded),
            },
        }
    }

    /// Queues a call and lets the replica's loop see it: on this thread, or by waking it. A full queue gives it back.
    fn deliver(&self, call: Call, options: CallOptions, now: Instant) -> Result<Option<Call>, CallError> {
        let mut outcome = Ok(None);
        let block_bytes = call.request.block().map_or(0, |block| block.length());
        let assisted = self.pump.assist(options.urgency, block_bytes, now, || {
            let mut state = self.lock();
            match &state.phase {
                // It has not begun and never will, so that whoever can reach another replica may try there.
                Phase::Closed(_) => outcome = Err(CallError::Unavailable),
                Phase::Starting | Phase::Draining(_) | Phase::Suspended if !options.wait_for_ready => {
                    outcome = Err(CallError::Unavailable);
                }
                _ if state.queue.is_full(&call) && options.when_full == WhenFull::Fail => {
                    outcome = Err(CallError::Overloaded);
                }
                _ if state.queue.is_full(&call) => {
                    state.outside += 1;
                    outcome = Ok(Some(call));
                }
                _ => {
                    state.queue.push(call);
                    self.queued.store(true, Ordering::Relaxed);
                }
            }
        });
        if !assisted && matches!(outcome, Ok(None)) {
            self.arrived.wake();
        }
        outcome
    }

    fn left(&self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.scheduler.now())
    }

    /// Waits until a call has left the queue; to be tried again then.
    async fn wait_for_room(&self, caller: Option<ReplicaIndex>, deadline: Option<Instant>) -> Result<(), CallError> {
        let mut crowd = caller.map(|caller| self.exchange.crowds().enter(caller, self.replica));
        let room = async {
            match &mut crowd {
                None => self.room.notified().await,
                Some(crowd) => tokio::select! {
                    biased;
                    () = self.room.notified() => {}
                    reason = crowd.ended() => return Err(CallError::Failed(reason)),
                },
            }
            Ok(())
        };
        let waited = match deadline {
            None => room.await,
            Some(deadline) => {
                let waited = self.scheduler.timeout(self.left(deadline), room).await;
                waited.unwrap_or(Err(CallError::Overloaded))
            }
        };
        let mut state = self.lock();
        state.outside -= 1;
        // A closed queue has room for everyone: each who waits lets the next one know.
        if state.outside > 0 && matches!(state.phase, Phase::Closed(_)) {
            self.room.notify_one();
        }
        waited
    }
}

impl CountsPending for Mailbox {
    fn count(&self) -> &AtomicUsize {
        &self.pending
    }
}
