//! The server's side of a connection from a client outside of the program, of which nothing is known.
//!
//! Nothing that such a client does or leaves undone takes more than its [`ClientPolicy`] has: connections end that do not
//! begin or have no call, requests and responses have a time, and their bytes count for all clients of the endpoint together.

mod request;
mod response;

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::{Builder, Connection};
use h2::{Reason, RecvStream};
use http::Request;
use lp_base::calls::Kept;
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use request::{Incoming, Refusal};
use response::Responding;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tonic::body::Body;

use super::admission::Guard;
use super::policy::ClientPolicy;
use super::seats::{Seat, Seats, Taken};
use super::service::{Service, Services};
use super::socket::ByteStream;
use super::stream::{FRAME_BYTES, WINDOW_BYTES};
use crate::Message;

/// The headers of a request or a response together, as HTTP/2 counts them.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// What a request takes beside its headers and its message.
const REQUEST_BYTES: usize = 2048;

/// How long a connection has to end in order.
const END_TIME: std::time::Duration = std::time::Duration::from_secs(2);

/// What the connections of one endpoint share.
pub struct Clients {
    policy: ClientPolicy,
    guard: Guard,
    /// Where tasks and timers of the connections come from.
    scheduler: Scheduler,
    seats: Arc<Seats>,
    /// The bytes that are kept for all clients.
    kept: Arc<Kept>,
    /// No more calls will come, since what they are for has ended.
    ending: Stop,
}

impl Clients {
    /// Of an endpoint that nobody has connected to.
    pub fn new(policy: ClientPolicy, guard: Guard, scheduler: Scheduler) -> Arc<Self> {
        // Who goes beyond it gets an error, and nobody else has to know.
        let kept = Kept::new(policy.bytes_max, || {});
        let seats = Seats::new(policy.connections_max, scheduler.clone());
        Arc::new(Self { policy, guard, scheduler, seats, kept, ending: Stop::default() })
    }

    /// A place for one more connection, if there is one.
    pub(super) fn seat(&self) -> Option<Taken> {
        self.seats.take()
    }

    /// Has every connection end in order once its client has taken the answers to its calls.
    pub(super) fn end(&self) {
        self.ending.request();
    }
}

/// Serves a client outside of the program, until one of both sides ends the connection. Without a free seat that is at once.
pub async fn serve_client<S>(stream: S, services: Services, clients: Arc<Clients>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if let Some(taken) = clients.seat() {
        serve_seated(Box::new(stream), services, clients, taken).await;
    }
}

/// The same with a seat.
pub(super) async fn serve_seated(stream: ByteStream, services: Services, clients: Arc<Clients>, taken: Taken) {
    let (seat, policy, scheduler) = (taken.seat().clone(), clients.policy, &clients.scheduler);
    let begun = tokio::select! {
        biased;
        begun = scheduler.timeout(policy.handshake_time, begin(stream, &clients)) => begun,
        () = seat.ended() => return,
        () = clients.ending.requested() => return,
    };
    let Ok(Some(mut connection)) = begun else { return };
    let mut calls = JoinSet::new();
    let mut idle = scheduler.sleep(policy.idle_time);
    loop {
        tokio::select! {
            biased;
            () = seat.ended() => {
                // What the system takes of it without waiting tells the client why.
                connection.abrupt_shutdown(Reason::NO_ERROR);
                let _ = futures::poll!(poll_fn(|cx| connection.poll_closed(cx)));
                return;
            }
            accepted = connection.accept() => {
                // How a connection ends is the client's matter; calls that it leaves behind are dropped with it.
                let Some(Ok((request, respond))) = accepted else { return };
                let call = ServedCall { clients: clients.clone(), service: services.borrow().clone(), seat: seat.clone() };
                let responding = Responding::new(respond, policy.transfer_time, scheduler.clone());
                scheduler.spawn_in(&mut calls, call.serve(request, responding));
            }
            Some(_) = calls.join_next(), if !calls.is_empty() => {
                idle = scheduler.sleep(policy.idle_time);
            }
            () = &mut idle, if calls.is_empty() => return end(connection, scheduler).await,
            () = clients.ending.requested(), if seat.is_idle() => {
                // Those that are left keep no seat: they would go on for as long as the client wants.
                drop(calls);
                return end(connection, scheduler).await;
            }
        }
    }
}

/// The connection with a client that speaks HTTP/2, encrypted where that is wanted.
async fn begin(stream: ByteStream, clients: &Clients) -> Option<Connection<ByteStream, Bytes>> {
    let stream = match clients.guard.tls() {
        None => stream,
        Some(tls) => Box::new(tls.accept(stream).await.ok()?),
    };
    builder(&clients.policy).handshake(stream).await.ok()
}

fn builder(policy: &ClientPolicy) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_send_buffer_size(WINDOW_BYTES as usize)
        .max_concurrent_streams(policy.calls_per_connection)
        // A client may cancel all its calls at once, as stock ones do; that is no attack on the connection.
        .max_pending_accept_reset_streams(policy.calls_per_connection as usize);
    builder
}

/// Ends a connection without calls in order: the client makes its next call over a new one. It is over when the client has
/// said that it has read what was sent before.
async fn end(mut connection: Connection<ByteStream, Bytes>, scheduler: &Scheduler) {
    connection.graceful_shutdown();
    let ends = async { while connection.accept().await.is_some_and(|accepted| accepted.is_ok()) {} };
    let _ = scheduler.timeout(END_TIME, ends).await;
}

/// One call of a connection.
struct ServedCall {
    clients: Arc<Clients>,
    service: Arc<Service>,
    seat: Arc<Seat>,
}

impl ServedCall {
    async fn serve(self, request: Request<RecvStream>, mut responding: Responding) {
        let Self { clients, service, seat } = self;
        let special = service.for_outside().and_then(|public| public.handler(request.uri().path()));
        let admitted = request::check(request.method(), request.headers())
            .and_then(|()| clients.guard.admit(request.headers()).map_err(Refusal::from));
        let taken = match (admitted, special) {
            (Err(refusal), _) => responding.refuse(refusal).await,
            (Ok(()), Some(handler)) => {
                // These answer by themselves, and may go on for as long as the client wants. They keep no seat.
                let response = handler(request.map(|body| Body::new(Incoming::new(body)))).await;
                responding.pass(response).await
            }
            (Ok(()), None) => {
                let _calling = seat.call();
                let answer = tokio::select! {
                    biased;
                    answer = answer(&clients, &service, request) => answer,
                    () = responding.reset() => return,
                };
                match answer {
                    Ok(message) => responding.message(message, &clients.kept).await,
                    Err(refusal) => responding.refuse(refusal).await,
                }
            }
        };
        // Frames that nobody takes are kept by the connection: it ends with them.
        if taken.is_none() {
            seat.end();
        }
    }
}

/// Takes one request and makes its call.
async fn answer(clients: &Clients, service: &Service, request: Request<RecvStream>) -> Result<Message, Refusal> {
    let (head, mut body) = request.into_parts();
    let (scheduler, start) = (&clients.scheduler, clients.scheduler.now());
    let (replica, method) = service.route(head.uri.path(), &head.headers)?;
    let mut context = super::metadata::read(&head.headers, false);
    let headers: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    let mut kept = clients.kept.keep((REQUEST_BYTES + headers) as u64).ok_or_else(request::too_many_bytes)?;
    let receiving = request::receive(&mut body, service.message_bytes_max, &mut kept);
    let deadline = context.options.timeout.map(|timeout| start + timeout);
    let message = tokio::select! {
        biased;
        () = scheduler.sleep_until(deadline.unwrap_or(start)), if deadline.is_some() => return Err(request::too_late().into()),
        () = scheduler.sleep_until(start + clients.policy.transfer_time) => {
            return Err(request::too_slow(clients.policy.transfer_time).into());
        }
        message = receiving => message?,
    };
    context.options.timeout = deadline.map(|deadline| deadline.saturating_duration_since(scheduler.now()));
    context.kept = Some(clients.kept.clone());
    Ok(service.call(&replica.peer, method, message, context).await?)
}

#[cfg(test)]
mod tests;
