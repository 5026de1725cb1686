//! A replica in another process, as its callers see it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::uri::{PathAndQuery, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tonic::body::Body;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Request, Status};

use super::codec::MessageCodec;
use super::connection::Connection;
use super::metadata;
use super::status::from_status;
use crate::courier::peer::Pending;
use crate::courier::{CallContext, CallError, Exchange, Message, ReplicaIndex};

/// The path of a method: `/a.b.v1.Counter/Add`.
pub type RemoteMethod = PathAndQuery;

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

/// A replica in another process.
#[derive(Debug)]
pub struct Remote {
    label: String,
    label_value: AsciiMetadataValue,
    replica: ReplicaIndex,
    exchange: Arc<Exchange>,
    connection: Arc<Connection>,
    /// The paths of its methods, by their index.
    methods: Arc<[RemoteMethod]>,
    presence: watch::Sender<Presence>,
    pending: AtomicUsize,
}

impl Remote {
    /// The replica called `label`, or, if that is empty, whichever the server picks, behind `connection`.
    ///
    /// # Panics
    /// If the label is not ASCII, which names of nodes are.
    pub fn new(
        label: String,
        replica: ReplicaIndex,
        exchange: Arc<Exchange>,
        connection: Arc<Connection>,
        methods: Arc<[RemoteMethod]>,
    ) -> Self {
        let label_value = label.parse().expect("names of nodes are ASCII");
        let presence = watch::Sender::new(Presence::Starting);
        Self { label, label_value, replica, exchange, connection, methods, presence, pending: AtomicUsize::new(0) }
    }

    /// The name of the replica: `producer/0`.
    pub fn label(&self) -> &str {
        &self.label
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

    /// Calls a method; see [`Mailbox::call`](crate::courier::Mailbox::call), which this is on the other side.
    ///
    /// A call that was handed to a connection is never sent again, even if the connection is lost: it may have started.
    pub async fn call(&self, method: usize, request: Message, context: CallContext) -> Result<Message, CallError> {
        let limit = self.connection.options().message_bytes_max;
        if request.encoded_len() > limit {
            return Err(CallError::TooLarge);
        }
        let _pending = Pending::new(&self.pending);
        let hold = self.exchange.enter(&context, self.replica, &self.label)?;
        let start = Instant::now();
        let timeout = context.options.timeout;
        let stage = Stage::default();
        let attempt = self.attempt(method, Arc::new(request), &context, start, &stage);
        let attempt = async {
            let Some(hold) = &hold else { return attempt.await };
            tokio::select! {
                biased;
                result = attempt => result,
                error = hold.broken(&self.label) => Err(error),
            }
        };
        let result = match timeout {
            None => attempt.await,
            Some(timeout) => match tokio::time::timeout(timeout, attempt).await {
                Ok(result) => result,
                Err(_) if stage.waits_for_room() => return Err(CallError::Overloaded),
                Err(_) => return Err(CallError::DeadlineExceeded),
            },
        };
        // The callee's clock may run out first, and what it says then is that the call was cancelled.
        let late = timeout.is_some_and(|timeout| start.elapsed() + CLOCK_SLACK >= timeout);
        match result {
            Err(CallError::Cancelled) if late => Err(CallError::DeadlineExceeded),
            result => result,
        }
    }

    async fn attempt(
        &self,
        method: usize,
        request: Arc<Message>,
        context: &CallContext,
        start: Instant,
        stage: &Stage,
    ) -> Result<Message, CallError> {
        let path = self.methods.get(method).cloned().ok_or(CallError::Unavailable)?;
        stage.waiting_for_room.store(true, Ordering::Relaxed);
        let _room = self.connection.room(context.options.when_full).await?;
        stage.waiting_for_room.store(false, Ordering::Relaxed);
        loop {
            let sender = self.connected(context.options.wait_for_ready).await?;
            let mut message = Request::new(request.clone());
            metadata::write(context, &self.label_value, message.metadata_mut());
            if let Some(timeout) = context.options.timeout {
                message.set_timeout(timeout.saturating_sub(start.elapsed()));
            }
            let unsent = Arc::new(AtomicBool::new(false));
            let channel = Channel { sender, unsent: unsent.clone() };
            let mut client = tonic::client::Grpc::with_origin(channel, Uri::from_static("http://lp-host"))
                .max_decoding_message_size(self.connection.options().message_bytes_max);
            let answer = client.unary(message, path.clone(), MessageCodec);
            return match self.unless_gone(answer).await {
                Ok(response) => Ok(response.into_inner()),
                Err(_) if unsent.load(Ordering::Relaxed) => continue,
                Err(status) => Err(self.error(&status)),
            };
        }
    }

    /// A connection, unless the replica is known to be gone or nobody wants to wait for it.
    async fn connected(&self, wait_for_ready: bool) -> Result<SendRequest<Body>, CallError> {
        let mut presence = self.presence.subscribe();
        if !wait_for_ready && *presence.borrow() != Presence::Ready {
            return Err(CallError::Unavailable);
        }
        tokio::select! {
            biased;
            _ = presence.wait_for(|presence| *presence == Presence::Gone) => Err(CallError::Unavailable),
            sender = self.connection.sender() => Ok(sender),
        }
    }

    /// The answer, or a status in its place once the replica is known to be gone for good.
    async fn unless_gone<R>(&self, answer: impl Future<Output = Result<R, Status>>) -> Result<R, Status> {
        let mut presence = self.presence.subscribe();
        tokio::select! {
            biased;
            answer = answer => answer,
            _ = presence.wait_for(|presence| *presence == Presence::Gone) => {
                // An answer may be on its way still; one that comes in the next moment counts.
                Err(Status::new(Code::Unavailable, GONE))
            }
        }
    }

    fn error(&self, status: &Status) -> CallError {
        use std::error::Error;
        let lost = status.source().is_some() && !matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted);
        if lost || (status.code() == Code::Unavailable && status.message() == GONE) {
            return CallError::Failed(format!("`{}` was lost while it worked on the call", self.label));
        }
        from_status(status)
    }
}

/// The message of a status that was made here, for a replica that will not answer any more.
const GONE: &str = "the replica is gone";

/// How much the clocks of both ends of a call may differ in what they make of a deadline.
const CLOCK_SLACK: Duration = Duration::from_millis(3);

/// How far a call has come, for the one who cuts it off.
#[derive(Default)]
struct Stage {
    waiting_for_room: AtomicBool,
}

impl Stage {
    fn waits_for_room(&self) -> bool {
        self.waiting_for_room.load(Ordering::Relaxed)
    }
}

/// One use of a connection, as tonic wants it.
struct Channel {
    sender: SendRequest<Body>,
    /// Set if the connection was lost before it took the request, which then can't have started.
    unsent: Arc<AtomicBool>,
}

impl tower_service::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let sent = self.sender.try_send_request(request);
        let unsent = self.unsent.clone();
        Box::pin(async move {
            sent.await.map_err(|mut error| {
                unsent.store(error.take_message().is_some(), Ordering::Relaxed);
                error.into_error()
            })
        })
    }
}
