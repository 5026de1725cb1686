//! The server's side of a connection from a client outside of the program, on hyper and tonic.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::rt::{Executor, Sleep, Timer};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lp_base::scheduler::{self, Scheduler};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};

use super::codec::MessageCodec;
use super::metadata;
use super::service::{Service, Services};
use super::stream::{FRAME_BYTES, WINDOW_BYTES};
use crate::{CallContext, Message, Peer};

/// Serves a client outside of the program, until it closes its connection. Its tasks and timers are `scheduler`'s.
pub async fn serve_client<S>(stream: S, services: Services, in_flight_max: u32, scheduler: Scheduler)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let answer = service_fn(move |request| {
        let answer = answer(services.borrow().clone(), request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    // How a connection ends is the client's matter; calls that it leaves behind are dropped with it.
    let _ = Builder::new(Scheduled(scheduler.clone()))
        .timer(Scheduled(scheduler))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_send_buf_size(WINDOW_BYTES as usize)
        .max_concurrent_streams(in_flight_max)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// Gives hyper its tasks and timers.
#[derive(Clone)]
struct Scheduled(Scheduler);

impl<F> Executor<F> for Scheduled
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        // hyper ends it with the connection.
        self.0.spawn(future).detach();
    }
}

impl Timer for Scheduled {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Slept(self.0.sleep(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Slept(self.0.sleep_until(deadline)))
    }

    fn now(&self) -> Instant {
        self.0.now()
    }
}

struct Slept(scheduler::Sleep);

impl Sleep for Slept {}

impl Future for Slept {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

async fn answer(service: Arc<Service>, request: http::Request<Incoming>) -> http::Response<Body> {
    if let Some(handler) = service.for_outside().and_then(|public| public.handler(request.uri().path())) {
        return handler(request.map(Body::new)).await;
    }
    let (replica, method) = match service.route(request.uri().path(), request.headers()) {
        Ok(found) => found,
        Err(status) => return status.into_http(),
    };
    let context = metadata::read(request.headers(), false);
    let call = ServedCall { service: service.clone(), peer: replica.peer.clone(), method, context };
    let mut grpc = Grpc::new(MessageCodec).max_decoding_message_size(service.message_bytes_max);
    grpc.unary(call, request).await
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
