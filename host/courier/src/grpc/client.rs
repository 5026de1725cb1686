//! gRPC as a carrier: one request on a connection to another process, and what its answer says.

use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use http::uri::Uri;
use http::{Method, Request, Version};
use tonic::{Code, Status};

use super::connection::Connection;
use super::metadata::CREDENTIAL;
use super::status::from_status;
use super::stream::{ReceiveError, frame, receive};
use super::{CONTENT_TYPE_GRPC, metadata};
use crate::carrier::{Carrier, Outgoing, SendError};
use crate::{CallError, Message};

impl Carrier for Connection {
    fn send<'a>(&'a self, request: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Message, SendError>> {
        Box::pin(async move {
            let frame = frame(request.message);
            let sender = self.sender(request.limits.in_flight_max).await;
            let answer = sender.send(head(request), frame).await.ok_or(SendError::Lost)?;
            request.note_handed_over();
            receive_answer(answer, request).await
        })
    }
}

/// How many headers a request has.
const HEADERS: usize = 9;

/// The head of a request.
fn head(request: &Outgoing<'_>) -> Request<()> {
    let uri = Uri::builder().scheme("http").authority("lp-host").path_and_query(request.method.clone());
    let mut head = Request::new(());
    *head.method_mut() = Method::POST;
    *head.version_mut() = Version::HTTP_2;
    *head.uri_mut() = uri.build().expect("its parts are valid");
    let headers = head.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
    metadata::write(request.context, request.label, request.left(), headers);
    if let Some(credential) = request.credential {
        headers.insert(CREDENTIAL, credential.clone());
    }
    head
}

/// What became of a request that was handed to a connection.
async fn receive_answer(answer: h2::client::ResponseFuture, request: &Outgoing<'_>) -> Result<Message, SendError> {
    let response = answer.await.map_err(|error| lost(&error))?;
    let (head, mut body) = response.into_parts();
    if let Some(status) = status_of(&head.headers) {
        status.map_err(SendError::Call)?;
        return Err(nonsense(request));
    }
    match receive(&mut body, request.limits.message_bytes_max).await {
        Ok((message, trailers)) => match trailers.as_ref().and_then(status_of) {
            Some(status) => status.map(|()| message).map_err(SendError::Call),
            None => Err(nonsense(request)),
        },
        Err(ReceiveError::TooLarge) => Err(SendError::Call(CallError::TooLarge)),
        Err(ReceiveError::Malformed) => Err(nonsense(request)),
        Err(ReceiveError::Lost) => Err(SendError::Lost),
    }
}

fn lost(error: &h2::Error) -> SendError {
    match error.reason() {
        Some(h2::Reason::CANCEL) => SendError::Call(CallError::Cancelled),
        Some(h2::Reason::REFUSED_STREAM) => SendError::Call(CallError::Overloaded),
        _ => SendError::Lost,
    }
}

fn nonsense(request: &Outgoing<'_>) -> SendError {
    let label = request.label.to_str().unwrap_or_default();
    SendError::Call(CallError::Failed(format!("`{label}` did not answer as gRPC does")))
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
