//! Bodies of HTTP messages that end where they are too long or take too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

/// The most bytes of a body. Bodies pass in pieces, so that this bounds what goes over the wire and not the memory.
const BODY_BYTES_MAX: usize = 1 << 30;

/// The body of a request.
pub(super) fn limited_request(body: WasiBody) -> WasiBody {
    let limited = Limited::new(body, BODY_BYTES_MAX);
    limited.map_err(|error| limit_error(error, Error::HttpRequestBodySize)).boxed_unsync()
}

/// The body of a response, whose pieces come within `between_bytes` of each other.
pub(super) fn limited_response(
    body: Incoming,
    between_bytes: Duration,
) -> impl Body<Data = Bytes, Error = Error> + Send + 'static {
    let timed = Timed { body, between_bytes, deadline: Box::pin(sleep(between_bytes)) };
    Limited::new(timed, BODY_BYTES_MAX).map_err(|error| limit_error(error, Error::HttpResponseBodySize))
}

fn limit_error(error: Box<dyn std::error::Error + Send + Sync>, too_long: fn(Option<u64>) -> Error) -> Error {
    if error.is::<LengthLimitError>() {
        return too_long(Some(BODY_BYTES_MAX as u64));
    }
    error.downcast().map_or_else(|error| Error::InternalError(Some(error.to_string())), |error| *error)
}

struct Timed {
    body: Incoming,
    between_bytes: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let deadline = Instant::now() + self.between_bytes;
                self.deadline.as_mut().reset(deadline);
                Poll::Ready(frame.map(|frame| frame.map_err(Error::from)))
            }
            Poll::Pending => self.deadline.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
