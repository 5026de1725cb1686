//! The gRPC server in front of replicas.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderMap;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};

use super::codec::MessageCodec;
use super::credential::{Bearer, Permits};
use super::public::Public;
use super::status::to_status;
use super::stream::{FRAME_BYTES, WINDOW_BYTES};
use super::{metadata, workers};
use crate::{CallContext, CallError, Message, Peer};

/// How long accepting connections rests after an error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A replica that an endpoint serves.
#[derive(Clone)]
pub struct ServedReplica {
    /// The replica, in this process or, where clients may pick any, in another one.
    pub peer: Peer,
    /// The index of each method by its path.
    pub methods: Arc<HashMap<String, usize>>,
    /// Who may call it from other workers; of no matter to clients outside of the program.
    pub permits: Arc<Permits>,
}

/// Says what is wrong with a request of method number `method` from outside of the program.
pub type Check = dyn Fn(usize, &[u8]) -> Result<(), String> + Send + Sync;

/// What an endpoint serves.
pub struct Service {
    replicas: Vec<ServedReplica>,
    /// The place of each replica by the names that a request may call it.
    by_name: HashMap<String, usize>,
    pub(super) message_bytes_max: usize,
    next: AtomicUsize,
    public: Option<Public>,
}

/// What an endpoint serves at the moment; nodes may be rebuilt.
pub type Services = watch::Receiver<Arc<Service>>;

impl Service {
    /// The endpoint for other workers of the same program.
    pub fn internal(replicas: Vec<ServedReplica>, message_bytes_max: usize) -> Self {
        let labels = replicas.iter().map(|replica| replica.peer.label().to_owned());
        let by_name = labels.zip(0..).collect();
        Self { replicas, by_name, message_bytes_max, next: AtomicUsize::new(0), public: None }
    }

    /// The endpoint of one node for clients outside of the program, who may name its replicas by number.
    pub fn public(replicas: Vec<ServedReplica>, message_bytes_max: usize, public: Public) -> Self {
        let mut service = Self::internal(replicas, message_bytes_max);
        let numbers = service.by_name.iter().filter_map(|(label, &place)| Some((label.split_once('/')?.1, place)));
        let numbers: Vec<_> = numbers.map(|(number, place)| (number.to_owned(), place)).collect();
        service.by_name.extend(numbers);
        service.public = Some(public);
        service
    }

    async fn answer(self: Arc<Self>, request: http::Request<Incoming>) -> http::Response<Body> {
        if let Some(handler) = self.public.as_ref().and_then(|public| public.handler(request.uri().path())) {
            return handler(request.map(Body::new)).await;
        }
        let (replica, method) = match self.route(request.uri().path(), request.headers()) {
            Ok(found) => found,
            Err(status) => return status.into_http(),
        };
        let context = metadata::read(request.headers(), false);
        let call = ServedCall { service: self.clone(), peer: replica.peer.clone(), method, context };
        let mut grpc = Grpc::new(MessageCodec).max_decoding_message_size(self.message_bytes_max);
        grpc.unary(call, request).await
    }

    /// The replica and the method that a request is for: the one it names, or the next of the ready ones.
    pub(super) fn route(&self, path: &str, headers: &HeaderMap) -> Result<(&ServedReplica, usize), Status> {
        let found = match headers.get(metadata::REPLICA).map(|name| name.to_str().unwrap_or_default()) {
            None => self.next_serving(path),
            Some(name) => match self.by_name.get(name).map(|&place| &self.replicas[place]) {
                None => return Err(Status::not_found(format!("no replica `{name}` is served here"))),
                Some(replica) => replica.methods.get(path).map(|&method| (replica, method)),
            },
        };
        found.ok_or_else(|| Status::unimplemented(format!("no method `{path}` is served here")))
    }

    /// The replica and the method that a request of another worker is for, and what it says of itself. Who shows nothing
    /// that the replica accepts learns nothing of it, not even that it is there.
    pub(super) fn route_known(
        &self,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(&ServedReplica, usize, CallContext), Status> {
        let denied = || to_status(&CallError::Denied);
        let name = headers.get(metadata::REPLICA).and_then(|name| name.to_str().ok()).ok_or_else(denied)?;
        let replica = self.by_name.get(name).map(|&place| &self.replicas[place]).ok_or_else(denied)?;
        let bearer = replica.permits.bearer(headers).ok_or_else(denied)?;
        let context = metadata::read(headers, *bearer != Bearer::Outside);
        if !bearer.is(context.caller) {
            return Err(denied());
        }
        match replica.methods.get(path) {
            Some(&method) => Ok((replica, method, context)),
            None => Err(Status::unimplemented(format!("no method `{path}` is served here"))),
        }
    }

    /// The next replica that has a method at `path`: of those that are ready, if there are any.
    fn next_serving(&self, path: &str) -> Option<(&ServedReplica, usize)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = self.replicas.iter().cycle().skip(turn % self.replicas.len().max(1)).take(self.replicas.len());
        let mut serving = in_turn.filter_map(|replica| Some((replica, *replica.methods.get(path)?)));
        serving.clone().find(|(replica, _)| replica.peer.is_ready()).or_else(|| serving.next())
    }

    /// Calls `peer` with a request that has come.
    pub(super) async fn call(
        &self,
        peer: &Peer,
        method: usize,
        request: Message,
        context: CallContext,
    ) -> Result<Message, Status> {
        if let Some(public) = &self.public {
            public.check(method, request.head()).map_err(Status::invalid_argument)?;
        }
        match peer.call(method, request, context).await {
            Ok(response) if response.encoded_len() > self.message_bytes_max => Err(to_status(&CallError::TooLarge)),
            Ok(response) => Ok(response),
            Err(error) => Err(to_status(&error)),
        }
    }
}

/// One call on its way to its replica.
struct ServedCall {
    service: Arc<Service>,
    peer: Peer,
    method: usize,
    context: CallContext,
}

impl UnaryService<Message> for ServedCall {
    type Response = Arc<Message>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Arc<Message>>, Status>> + Send>>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        let (service, peer, method) = (self.service.clone(), self.peer.clone(), self.method);
        let context = self.context.clone();
        Box::pin(async move {
            let answer = service.call(&peer, method, request.into_inner(), context).await;
            answer.map(|response| Response::new(Arc::new(response)))
        })
    }
}

/// Where connections come from.
pub enum Listener {
    /// Other workers.
    Unix(UnixListener),
    /// Clients outside of the program.
    Tcp(TcpListener),
}

/// Serves connections for as long as it is polled. Dropping it drops the connections.
pub async fn serve(listener: Listener, services: Services, in_flight_max: u32) {
    let mut connections = JoinSet::new();
    loop {
        let services = services.clone();
        let accepted = match &listener {
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                // The directory of the socket keeps others out; this holds where somebody opened it.
                if is_own_user(&stream) {
                    connections.spawn(workers::serve_worker(stream, services, in_flight_max));
                }
            }),
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                // Without it, calls are only slower.
                let _ = stream.set_nodelay(true);
                connections.spawn(serve_client(stream, services, in_flight_max));
            }),
        };
        while connections.try_join_next().is_some() {}
        if accepted.is_err() {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Whether the process at the other end is of the same user as this one.
pub fn is_own_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

/// Serves a client outside of the program, until it closes its connection.
pub async fn serve_client<S>(stream: S, services: Services, in_flight_max: u32)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let answer = service_fn(move |request| {
        let answer = services.borrow().clone().answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    // How a connection ends is the client's matter; calls that it leaves behind are dropped with it.
    let _ = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_send_buf_size(WINDOW_BYTES as usize)
        .max_concurrent_streams(in_flight_max)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}
