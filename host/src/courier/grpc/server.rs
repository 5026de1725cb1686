//! The gRPC server in front of replicas.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};

use super::codec::MessageCodec;
use super::credential::{Bearer, Permits};
use super::metadata;
use super::public::Public;
use super::status::to_status;
use crate::courier::{CallContext, CallError, Message, Peer};

/// How much of a message may be on its way before the receiver has to say that it took some: most messages fit whole.
pub(super) const WINDOW_BYTES: u32 = 4 << 20;
/// The largest piece of a message: fewer pieces cost less, smaller ones let small calls pass large ones.
pub(super) const FRAME_BYTES: u32 = 64 << 10;

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
    message_bytes_max: usize,
    next: AtomicUsize,
    public: Option<Public>,
}

impl Service {
    /// The endpoint for other workers of the same program.
    pub fn internal(replicas: Vec<ServedReplica>, message_bytes_max: usize) -> Self {
        Self { replicas, message_bytes_max, next: AtomicUsize::new(0), public: None }
    }

    /// The endpoint of one node for clients outside of the program.
    pub fn public(replicas: Vec<ServedReplica>, message_bytes_max: usize, public: Public) -> Self {
        Self { replicas, message_bytes_max, next: AtomicUsize::new(0), public: Some(public) }
    }

    async fn answer(self: Arc<Self>, request: http::Request<Incoming>) -> http::Response<Body> {
        if let Some(handler) = self.public.as_ref().and_then(|public| public.handler(request.uri().path())) {
            return handler(request.map(Body::new)).await;
        }
        let Route { replica, method, bearer } = match self.route(&request) {
            Ok(route) => route,
            Err(status) => return status.into_http(),
        };
        let context = metadata::read(request.headers(), *bearer != Bearer::Outside);
        if !bearer.is(context.caller) {
            return to_status(&CallError::Denied).into_http();
        }
        let call = ServedCall { service: self.clone(), peer: replica.peer.clone(), method, context };
        let mut grpc = Grpc::new(MessageCodec).max_decoding_message_size(self.message_bytes_max);
        grpc.unary(call, request).await
    }

    /// What a request is for. Who shows nothing that a replica accepts learns nothing of it, not even that it is there.
    fn route<'s, B>(&'s self, request: &http::Request<B>) -> Result<Route<'s>, Status> {
        let path = request.uri().path();
        let named = request.headers().get(metadata::REPLICA).map(|name| name.to_str().unwrap_or_default());
        let fits = |replica: &&ServedReplica| match named {
            None => true,
            Some(name) => {
                let label = replica.peer.label();
                label == name
                    || (self.public.is_some() && label.split_once('/').is_some_and(|(_, index)| index == name))
            }
        };
        let permitted = |replica| Some((replica, self.bearer(replica, request.headers())?));
        let candidates: Vec<_> = self.replicas.iter().filter(fits).filter_map(permitted).collect();
        match (named, candidates.is_empty()) {
            (_, true) if self.public.is_none() => return Err(to_status(&CallError::Denied)),
            (Some(name), true) => return Err(Status::not_found(format!("no replica `{name}` is served here"))),
            _ => {}
        }
        let route = |(replica, bearer): (&'s ServedReplica, _)| {
            replica.methods.get(path).map(|&method| Route { replica, method, bearer })
        };
        let serving: Vec<_> = candidates.into_iter().filter_map(route).collect();
        let ready: Vec<_> = serving.iter().copied().filter(|route| route.replica.peer.is_ready()).collect();
        let from = if ready.is_empty() { &serving } else { &ready };
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let found = from.get(turn % from.len().max(1)).copied();
        found.ok_or_else(|| Status::unimplemented(format!("no method `{path}` is served here")))
    }

    /// Whom a request to `replica` comes from, if it may make one.
    fn bearer<'s>(&'s self, replica: &'s ServedReplica, headers: &http::HeaderMap) -> Option<&'s Bearer> {
        match &self.public {
            Some(_) => Some(&Bearer::Outside),
            None => replica.permits.bearer(headers),
        }
    }
}

/// What a request is for, and whom it comes from.
#[derive(Clone, Copy)]
struct Route<'s> {
    replica: &'s ServedReplica,
    method: usize,
    bearer: &'s Bearer,
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
            let request = request.into_inner();
            if let Some(public) = &service.public {
                public.check(method, request.head()).map_err(Status::invalid_argument)?;
            }
            let answer = peer.call(method, request, context).await;
            match answer {
                Ok(response) if response.encoded_len() > service.message_bytes_max => {
                    Err(to_status(&CallError::TooLarge))
                }
                Ok(response) => Ok(Response::new(Arc::new(response))),
                Err(error) => Err(to_status(&error)),
            }
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
pub async fn serve(listener: Listener, service: Arc<Service>, in_flight_max: u32) {
    let mut connections = JoinSet::new();
    loop {
        let service = service.clone();
        let accepted = match &listener {
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                // The directory of the socket keeps others out; this holds where somebody opened it.
                if is_own_user(&stream) {
                    connections.spawn(serve_connection(stream, service, in_flight_max));
                }
            }),
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                // Without it, calls are only slower.
                let _ = stream.set_nodelay(true);
                connections.spawn(serve_connection(stream, service, in_flight_max));
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

/// Serves one connection, until its client closes it.
pub async fn serve_connection<S>(stream: S, service: Arc<Service>, in_flight_max: u32)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let answer = service_fn(move |request| {
        let answer = service.clone().answer(request);
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
