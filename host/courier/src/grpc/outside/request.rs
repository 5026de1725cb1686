//! A request of a client outside of the program: whether it is one of gRPC, and its message.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};
use hyper::body::{Body, Frame};
use lp_base::calls::KeptBytes;
use lp_base::words::format_millis;
use tonic::{Code, Status};

use super::super::metadata;
use super::super::status::to_status;
use crate::message::Arriving;
use crate::{CallError, Message};

/// The most bytes that a client sends to reflection or health in one request. They answer short questions.
const SPECIAL_BYTES_MAX: usize = 1 << 20;

/// Why a request is not served.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is none of gRPC: what HTTP has to say.
    Http(StatusCode),
    /// What gRPC has to say.
    Grpc(Status),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Grpc(status)
    }
}

impl Refusal {
    /// The response, which has no body.
    pub fn into_response(self) -> Response<()> {
        match self {
            Self::Grpc(status) => status.into_http(),
            Self::Http(code) => {
                let mut response = Response::new(());
                *response.status_mut() = code;
                if code == StatusCode::METHOD_NOT_ALLOWED {
                    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                }
                response
            }
        }
    }
}

/// Whether a request with this head is one of gRPC that can be served.
pub(super) fn check(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if method != Method::POST {
        return Err(Refusal::Http(StatusCode::METHOD_NOT_ALLOWED));
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim_end();
    if !["application/grpc", "application/grpc+proto"].iter().any(|known| content_type.eq_ignore_ascii_case(known)) {
        return Err(Refusal::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    if headers.get("grpc-encoding").is_some_and(|encoding| encoding != "identity") {
        let mut status = Status::unimplemented("requests can't be compressed");
        status.metadata_mut().insert("grpc-accept-encoding", "identity".parse().expect("a word is a value"));
        return Err(status.into());
    }
    metadata::check_timeout(headers).map_err(Status::invalid_argument)?;
    Ok(())
}

/// The one message of a request, of `limit` bytes at most. `kept` counts it.
pub(super) async fn receive(stream: &mut RecvStream, limit: usize, kept: &mut KeptBytes) -> Result<Message, Refusal> {
    let mut prefix: Vec<u8> = Vec::new();
    let mut arriving = None;
    let mut counted = 0;
    while let Some(piece) = poll_fn(|cx| stream.poll_data(cx)).await {
        let mut piece = piece.map_err(|_| to_status(&CallError::Cancelled))?;
        let _ = stream.flow_control().release_capacity(piece.len());
        if arriving.is_none() {
            prefix.extend_from_slice(&piece.split_to(piece.len().min(5 - prefix.len())));
            arriving = length(&prefix, limit)?.map(Arriving::unproven);
        }
        let Some(arriving) = &mut arriving else { continue };
        let bytes = arriving.bytes_with(piece.len());
        if !kept.grow((bytes - counted) as u64) {
            return Err(too_many_bytes().into());
        }
        counted = bytes;
        if arriving.push(&piece) < piece.len() {
            return Err(not_one("more than one").into());
        }
    }
    match arriving {
        None if prefix.is_empty() => Err(not_one("none").into()),
        arriving => arriving
            .and_then(Arriving::finish)
            .ok_or_else(|| Status::invalid_argument("the request ended in the middle of its message").into()),
    }
}

/// The length of a message, once its prefix is there.
fn length(prefix: &[u8], limit: usize) -> Result<Option<usize>, Status> {
    let &[compressed, a, b, c, d] = prefix else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    match compressed {
        0 if length <= limit => Ok(Some(length)),
        0 => Err(to_status(&CallError::TooLarge)),
        _ => Err(Status::unimplemented("messages can't be compressed")),
    }
}

fn not_one(found: &str) -> Status {
    Status::unimplemented(format!("the method takes one message, and the request has {found}"))
}

pub(super) fn too_many_bytes() -> Status {
    Status::resource_exhausted(
        "the clients of this address have sent as much as it keeps at once (`limits.listen-bytes`)",
    )
}

pub(super) fn too_late() -> Status {
    to_status(&CallError::DeadlineExceeded)
}

pub(super) fn too_slow(time: Duration) -> Status {
    let time = format_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    Status::new(Code::DeadlineExceeded, format!("the request did not come whole within {time} (`limits.listen-time`)"))
}

/// The body of a request to the services beside the node's own.
pub(super) struct Incoming {
    stream: RecvStream,
    left: usize,
}

impl Incoming {
    pub fn new(stream: RecvStream) -> Self {
        Self { stream, left: SPECIAL_BYTES_MAX }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let lost = |_| to_status(&CallError::Cancelled);
        let Some(piece) = std::task::ready!(self.stream.poll_data(cx)) else {
            let trailers = std::task::ready!(self.stream.poll_trailers(cx)).map_err(lost);
            return Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)));
        };
        let piece = piece.map_err(lost)?;
        let _ = self.stream.flow_control().release_capacity(piece.len());
        let Some(left) = self.left.checked_sub(piece.len()) else { return Poll::Ready(Some(Err(too_many_bytes()))) };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn judged(method: Method, headers: &[(&'static str, &'static str)]) -> String {
        let headers = headers.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = HeaderMap::from_iter(headers.map(|(name, value): (http::HeaderName, HeaderValue)| (name, value)));
        match check(&method, &headers) {
            Ok(()) => "served".to_owned(),
            Err(Refusal::Http(code)) => code.as_u16().to_string(),
            Err(Refusal::Grpc(status)) => format!("{:?}: {}", status.code(), status.message()),
        }
    }

    #[test]
    fn only_requests_of_grpc_are_served() {
        let grpc = ("content-type", "application/grpc");
        assert_eq!(judged(Method::POST, &[grpc]), "served");
        assert_eq!(judged(Method::POST, &[("content-type", "application/grpc+proto;charset=utf-8")]), "served");
        assert_eq!(judged(Method::GET, &[grpc]), "405");
        assert_eq!(judged(Method::PUT, &[grpc]), "405");
        for other in ["application/grpc-web", "application/grpc-web+proto", "application/grpc+json", "text/plain", ""] {
            assert_eq!(judged(Method::POST, &[("content-type", other)]), "415", "{other}");
        }
        assert_eq!(judged(Method::POST, &[]), "415");
        let gzip = judged(Method::POST, &[grpc, ("grpc-encoding", "gzip")]);
        assert_eq!(gzip, "Unimplemented: requests can't be compressed");
        assert_eq!(judged(Method::POST, &[grpc, ("grpc-encoding", "identity")]), "served");
        let soon = judged(Method::POST, &[grpc, ("grpc-timeout", "soon")]);
        assert_eq!(soon, "InvalidArgument: `grpc-timeout` has at most eight digits and a unit, such as `250m`");
    }

    #[test]
    fn a_refusal_says_which_method_there_is() {
        let response = Refusal::Http(StatusCode::METHOD_NOT_ALLOWED).into_response();
        assert_eq!((response.status().as_u16(), &response.headers()[ALLOW]), (405, &HeaderValue::from_static("POST")));
    }
}
