//! The server's side of a connection from another worker of the same program.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response};
use lp_base::scheduler::Scheduler;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tonic::Status;

use super::CONTENT_TYPE_GRPC;
use super::batched::Batched;
use super::service::{Service, Services};
use super::status::to_status;
use super::stream::{FRAME_BYTES, ReceiveError, WINDOW_BYTES, frame, receive};
use crate::{CallError, Message};

/// Serves another worker, until it closes its connection, each call in a task of `scheduler`. Dropping this drops its calls.
pub async fn serve_worker<S>(stream: S, services: Services, in_flight_max: u32, scheduler: Scheduler)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = Builder::new();
    builder
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_send_buffer_size(WINDOW_BYTES as usize)
        .max_concurrent_streams(in_flight_max)
        // A guest may give up all its calls at once; that is no attack on the connection.
        .max_pending_accept_reset_streams(in_flight_max as usize);
    let Ok(connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut connection = Batched::new(connection);
    let mut calls = JoinSet::new();
    // How a connection ends is the other worker's matter.
    let mut accept = async || poll_fn(|cx| connection.poll_with(cx, |connection, cx| connection.poll_accept(cx))).await;
    while let Some(Ok((request, respond))) = accept().await {
        while calls.try_join_next().is_some() {}
        let service = services.borrow().clone();
        scheduler.spawn_in(&mut calls, serve_call(service, request, respond));
    }
}

/// Answers one request, unless its caller gives it up before.
async fn serve_call(service: Arc<Service>, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (head, body) = request.into_parts();
    let answer = tokio::select! {
        biased;
        answer = answer(&service, &head, body) => answer,
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    // A caller that has gone meanwhile needs no answer.
    let _ = match answer {
        Ok(message) => respond_with(&mut respond, &message),
        Err(status) => respond.send_response(status.into_http(), true).map(drop),
    };
}

async fn answer(service: &Service, head: &Parts, mut body: RecvStream) -> Result<Message, Status> {
    let (replica, method, context) = service.route_known(head.uri.path(), &head.headers)?;
    let (request, _) = receive(&mut body, service.message_bytes_max).await.map_err(|error| match error {
        ReceiveError::TooLarge => to_status(&CallError::TooLarge),
        ReceiveError::Malformed => Status::invalid_argument("the request is not one gRPC message"),
        ReceiveError::Lost => to_status(&CallError::Cancelled),
    })?;
    service.call(&replica.peer, method, request, context).await
}

fn respond_with(respond: &mut SendResponse<Bytes>, message: &Message) -> Result<(), h2::Error> {
    const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
    let mut head = Response::new(());
    head.headers_mut().insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
    let mut stream = respond.send_response(head, false)?;
    stream.send_data(frame(message), false)?;
    stream.send_trailers(HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]))
}
