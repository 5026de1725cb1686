//! A replica in another process, as its callers see it: limits, deadlines, presence and retries, whatever carries the bytes.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use http::HeaderValue;
use lp_base::calls::ReplicaIndex;
use lp_base::scheduler::{Scheduler, Stopwatch};
use lp_base::words::WhenFull;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::carrier::{Carrier, Outgoing, RemoteLimits, RemoteMethod, SendError};
use crate::credential::Passes;
use crate::pending::{CountsPending, Pending};
use crate::{CallContext, CallError, Exchange, Message};

/// Where a remote replica is in its life, as the launcher tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// It has not started, or is being restarted: calls wait for it.
    Starting,
    /// It takes calls.
    Ready,
    /// It will take no more calls.
    Gone,
}

/// A process whose replicas are called: the carrier that leads there, and the limits that its replicas share.
#[derive(Debug)]
pub struct RemoteProcess {
    carrier: Box<dyn Carrier>,
    limits: RemoteLimits,
    in_flight: Semaphore,
    scheduler: Scheduler,
}

impl RemoteProcess {
    /// The process that `carrier` leads to. Deadlines go by the time of `scheduler`.
    pub fn new(carrier: impl Carrier + 'static, limits: RemoteLimits, scheduler: Scheduler) -> Arc<Self> {
        let in_flight = Semaphore::new(limits.in_flight_max as usize);
        Arc::new(Self { carrier: Box::new(carrier), limits, in_flight, scheduler })
    }

    /// Room for one more call, if there is any now.
    fn try_room(&self) -> Option<SemaphorePermit<'_>> {
        self.in_flight.try_acquire().ok()
    }

    /// Room for one more call of `caller` to `callee`, when there is some.
    async fn wait_for_room(
        &self,
        exchange: &Exchange,
        caller: Option<ReplicaIndex>,
        callee: ReplicaIndex,
    ) -> Result<SemaphorePermit<'_>, CallError> {
        let room = async { self.in_flight.acquire().await.map_err(|_| CallError::Overloaded) };
        let Some(caller) = caller else { return room.await };
        let mut crowd = exchange.crowds().enter(caller, callee);
        tokio::select! {
            biased;
            room = room => room,
            reason = crowd.ended() => Err(CallError::Failed(reason)),
        }
    }
}

/// A replica in another process.
#[derive(Debug)]
pub struct Remote {
    label: String,
    label_value: HeaderValue,
    replica: ReplicaIndex,
    exchange: Arc<Exchange>,
    process: Arc<RemoteProcess>,
    passes: Arc<Passes>,
    /// The paths of its methods, by their index.
    methods: RwLock<Arc<[RemoteMethod]>>,
    presence: watch::Sender<Presence>,
    pending: AtomicUsize,
}

impl Remote {
    /// The replica called `label`, or, if that is empty, whichever the server picks, in `process`. Callers show it what
    /// they have in `passes`.
    ///
    /// # Panics
    /// If the label is not ASCII, which names of nodes are.
    pub fn new(
        label: String,
        replica: ReplicaIndex,
        exchange: Arc<Exchange>,
        process: Arc<RemoteProcess>,
        passes: Arc<Passes>,
        methods: Arc<[RemoteMethod]>,
    ) -> Self {
        let label_value = label.parse().expect("names of nodes are ASCII");
        let presence = watch::Sender::new(Presence::Starting);
        let pending = AtomicUsize::new(0);
        let methods = RwLock::new(methods);
        Self { label, label_value, replica, exchange, process, passes, methods, presence, pending }
    }

    /// The name of the replica: `producer/0`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Where the time of calls comes from.
    pub(super) fn scheduler(&self) -> &Scheduler {
        &self.process.scheduler
    }

    /// Its number in the program.
    pub fn replica(&self) -> ReplicaIndex {
        self.replica
    }

    /// Notes that the node was rebuilt, so that there are methods behind those that were known.
    pub fn set_methods(&self, methods: Arc<[RemoteMethod]>) {
        *self.methods.write().unwrap_or_else(PoisonError::into_inner) = methods;
    }

    /// Notes what became of the replica.
    pub fn set_presence(&self, presence: Presence) {
        self.presence.send_if_modified(|current| std::mem::replace(current, presence) != presence);
    }

    /// Whether calls are answered now, as far as is known here.
    pub fn is_ready(&self) -> bool {
        *self.presence.borrow() == Presence::Ready
    }

    /// The calls of this process that it has not answered.
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Calls a method; see [`Mailbox::call`](crate::Mailbox::call), which this is on the other side.
    ///
    /// A call that was handed to the carrier's connection is never sent again, even if the connection is lost: it may have
    /// started.
    ///
    /// # Errors
    /// If the call fails, as [`CallError`] lists.
    pub async fn call(&self, method: usize, request: Message, context: CallContext) -> Result<Message, CallError> {
        if request.encoded_len() > self.process.limits.message_bytes_max {
            return Err(CallError::TooLarge);
        }
        let _pending = Pending::new(self);
        let hold = self.exchange.enter(&context, self.replica, &self.label)?;
        let stage = Stage { start: self.scheduler().stopwatch(), waiting_for_room: AtomicBool::new(false) };
        let result = {
            // Pinned and polled by reference: moving it would keep a place for it in this future for each move.
            let mut attempt = pin!(self.attempt(method, &request, &context, &stage));
            let mut timer = context.options.timeout.map(|timeout| self.scheduler().sleep(timeout));
            poll_fn(|cx| {
                if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                    return Poll::Ready(result);
                }
                if let Some(Poll::Ready(error)) = hold.as_ref().map(|hold| hold.poll_broken(&self.label, cx)) {
                    return Poll::Ready(Err(error));
                }
                match timer.as_mut().map(|timer| timer.as_mut().poll(cx)) {
                    Some(Poll::Ready(())) if stage.waits_for_room() => Poll::Ready(Err(CallError::Overloaded)),
                    Some(Poll::Ready(())) => Poll::Ready(Err(CallError::DeadlineExceeded)),
                    _ => Poll::Pending,
                }
            })
            .await
        };
        // From here on the result counts in its place.
        drop(request);
        // The callee's clock may run out first, and what it says then is that the call was cancelled.
        let timeout = context.options.timeout;
        let late = timeout.is_some_and(|timeout| stage.start.elapsed() + CLOCK_SLACK >= timeout);
        match result {
            Err(CallError::Cancelled) if late => Err(CallError::DeadlineExceeded),
            result => result.and_then(|response| response.kept_for(context.kept.as_ref())),
        }
    }

    async fn attempt(
        &self,
        method: usize,
        message: &Message,
        context: &CallContext,
        stage: &Stage,
    ) -> Result<Message, CallError> {
        let methods = self.methods.read().unwrap_or_else(PoisonError::into_inner).clone();
        let path = methods.get(method).ok_or(CallError::Unavailable)?;
        stage.waiting_for_room.store(true, Ordering::Relaxed);
        let _room = match self.process.try_room() {
            Some(room) => room,
            None if context.options.when_full == WhenFull::Fail => return Err(CallError::Overloaded),
            // Boxed, since it is rare.
            None => Box::pin(self.process.wait_for_room(&self.exchange, context.caller, self.replica)).await?,
        };
        stage.waiting_for_room.store(false, Ordering::Relaxed);
        let credential = self.passes.shown_by(context.caller);
        let limits = self.process.limits;
        let request = Outgoing::new(&self.label_value, path, message, context, credential, &stage.start, limits);
        loop {
            match self.send(&request).await {
                Ok(response) => return Ok(response),
                Err(SendError::Call(error)) => return Err(error),
                Err(SendError::Lost) if request.is_handed_over() => return Err(self.was_lost()),
                Err(SendError::Lost) => {}
            }
        }
    }

    /// The answer to a request, unless the replica is or becomes gone for good, or nobody wants to wait for its start.
    async fn send(&self, request: &Outgoing<'_>) -> Result<Message, SendError> {
        let mut presence = self.presence.subscribe();
        if !request.context.options.wait_for_ready && *presence.borrow() != Presence::Ready {
            return Err(SendError::Call(CallError::Unavailable));
        }
        // Boxed, since it can't be moved otherwise.
        let mut gone = Box::pin(presence.wait_for(|presence| *presence == Presence::Gone));
        let mut answer = self.process.carrier.send(request);
        poll_fn(|cx| {
            // A replica that is gone is sent nothing. Once it has the request, an answer that has come counts.
            if !request.is_handed_over() && gone.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(SendError::Call(CallError::Unavailable)));
            }
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            if request.is_handed_over() && gone.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(SendError::Lost));
            }
            Poll::Pending
        })
        .await
    }

    fn was_lost(&self) -> CallError {
        CallError::Failed(format!("`{}` was lost while it worked on the call", self.label))
    }
}

impl CountsPending for Remote {
    fn count(&self) -> &AtomicUsize {
        &self.pending
    }
}

/// How much the clocks of both ends of a call may differ in what they make of a deadline.
const CLOCK_SLACK: Duration = Duration::from_millis(3);

/// When a call began and how far it has come, for the one who cuts it off.
struct Stage {
    start: Stopwatch,
    waiting_for_room: AtomicBool,
}

impl Stage {
    fn waits_for_room(&self) -> bool {
        self.waiting_for_room.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
