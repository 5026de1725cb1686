//! A replica in another process, as its callers see it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use http::uri::{PathAndQuery, Uri};
use http::{Method, Request, Version};
use lp_base::calls::ReplicaIndex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tonic::{Code, Status};

use super::connection::{Connection, Sender};
use super::credential::Passes;
use super::status::from_status;
use super::stream::{ReceiveError, frame, receive};
use super::{CONTENT_TYPE_GRPC, metadata};
use crate::peer::Pending;
use crate::{CallContext, CallError, Exchange, Message};

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
    label_value: HeaderValue,
    replica: ReplicaIndex,
    exchange: Arc<Exchange>,
    connection: Arc<Connection>,
    passes: Arc<Passes>,
    /// The paths of its methods, by their index.
    methods: RwLock<Arc<[RemoteMethod]>>,
    presence: watch::Sender<Presence>,
    pending: AtomicUsize,
}

impl Remote {
    /// The replica called `label`, or, if that is empty, whichever the server picks, behind `connection`. Callers show
    /// it what they have in `passes`.
    ///
    /// # Panics
    /// If the label is not ASCII, which names of nodes are.
    pub fn new(
        label: String,
        replica: ReplicaIndex,
        exchange: Arc<Exchange>,
        connection: Arc<Connection>,
        passes: Arc<Passes>,
        methods: Arc<[RemoteMethod]>,
    ) -> Self {
        let label_value = label.parse().expect("names of nodes are ASCII");
        let presence = watch::Sender::new(Presence::Starting);
        let pending = AtomicUsize::new(0);
        let methods = RwLock::new(methods);
        Self { label, label_value, replica, exchange, connection, passes, methods, presence, pending }
    }

    /// The name of the replica: `producer/0`.
    pub fn label(&self) -> &str {
        &self.label
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
        let attempt = self.attempt(method, &request, &context, start, &stage);
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
            result => result.and_then(|response| response.kept_for(context.kept.as_ref())),
        }
    }

    async fn attempt(
        &self,
        method: usize,
        request: &Message,
        context: &CallContext,
        start: Instant,
        stage: &Stage,
    ) -> Result<Message, CallError> {
        let methods = self.methods.read().unwrap_or_else(PoisonError::into_inner).clone();
        let path = methods.get(method).ok_or(CallError::Unavailable)?;
        stage.waiting_for_room.store(true, Ordering::Relaxed);
        let _room = self.connection.room(context.options.when_full).await?;
        stage.waiting_for_room.store(false, Ordering::Relaxed);
        let frame = frame(request);
        loop {
            let sender = self.connected(context.options.wait_for_ready).await?;
            let left = context.options.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            let Some(answer) = sender.send(self.head(path, context, left), frame.clone()).await else { continue };
            return self.unless_gone(self.answer(answer)).await;
        }
    }

    /// The head of a request that has so much time `left`.
    fn head(&self, path: &PathAndQuery, context: &CallContext, left: Option<Duration>) -> Request<()> {
        let uri = Uri::builder().scheme("http").authority("lp-host").path_and_query(path.clone());
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        *head.version_mut() = Version::HTTP_2;
        *head.uri_mut() = uri.build().expect("its parts are valid");
        let headers = head.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
        metadata::write(context, &self.label_value, left, headers);
        self.passes.show(context.caller, headers);
        head
    }

    /// What became of a request that was handed to a connection.
    async fn answer(&self, answer: h2::client::ResponseFuture) -> Result<Message, CallError> {
        let response = answer.await.map_err(|error| self.lost(&error))?;
        let (head, mut body) = response.into_parts();
        if let Some(status) = status_of(&head.headers) {
            status?;
            return Err(self.nonsense());
        }
        match receive(&mut body, self.connection.options().message_bytes_max).await {
            Ok((message, trailers)) => match trailers.as_ref().and_then(status_of) {
                Some(status) => status.map(|()| message),
                None => Err(self.nonsense()),
            },
            Err(ReceiveError::TooLarge) => Err(CallError::TooLarge),
            Err(ReceiveError::Malformed) => Err(self.nonsense()),
            Err(ReceiveError::Lost) => Err(self.was_lost()),
        }
    }

    /// A connection, unless the replica is known to be gone or nobody wants to wait for it.
    async fn connected(&self, wait_for_ready: bool) -> Result<Sender, CallError> {
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

    /// The answer, or a failure in its place once the replica is known to be gone for good.
    async fn unless_gone(
        &self,
        answer: impl Future<Output = Result<Message, CallError>>,
    ) -> Result<Message, CallError> {
        let mut presence = self.presence.subscribe();
        tokio::select! {
            // An answer that has come counts.
            biased;
            answer = answer => answer,
            _ = presence.wait_for(|presence| *presence == Presence::Gone) => Err(self.was_lost()),
        }
    }

    fn lost(&self, error: &h2::Error) -> CallError {
        match error.reason() {
            Some(h2::Reason::CANCEL) => CallError::Cancelled,
            Some(h2::Reason::REFUSED_STREAM) => CallError::Overloaded,
            _ => self.was_lost(),
        }
    }

    fn was_lost(&self) -> CallError {
        CallError::Failed(format!("`{}` was lost while it worked on the call", self.label))
    }

    fn nonsense(&self) -> CallError {
        CallError::Failed(format!("`{}` did not answer as gRPC does", self.label))
    }
}

/// The status that `headers` tell, if they do.
fn status_of(headers: &HeaderMap) -> Option<Result<(), CallError>> {
    const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
    if headers.get(GRPC_STATUS)?.as_bytes() == b"0" {
        return Some(Ok(()));
    }
    let status = Status::from_header_map(headers)?;
    Some(if status.code() == Code::Ok { Ok(()) } else { Err(from_status(&status)) })
}

/// How many headers a request has.
const HEADERS: usize = 9;

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
