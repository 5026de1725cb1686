//! Bodies of HTTP messages that end where they are too long or take too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use lp_base::scheduler::{Scheduler, Sleep};
use lp_base::words::Limit;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::denials::Denials;

/// The most bytes of a body, and who is told of one that has more. Bodies pass in pieces, so that this bounds what goes over
/// the wire and not the memory.
#[derive(Clone)]
pub(super) struct BodyLimit {
    pub(super) bytes_max: u64,
    pub(super) denials: Denials,
}

impl BodyLimit {
    /// The body of a request.
    pub(super) fn request(self, body: WasiBody) -> WasiBody {
        self.hold(body, "send", Error::HttpRequestBodySize)
    }

    /// The body of a response, whose pieces come within `between_bytes` of each other.
    pub(super) fn response(self, body: Incoming, between_bytes: Duration, scheduler: Scheduler) -> WasiBody {
        let deadline = scheduler.sleep(between_bytes);
        let timed = Timed { body, between_bytes, deadline, scheduler };
        self.hold(timed, "take", Error::HttpResponseBodySize)
    }

    fn hold(
        self,
        body: impl Body<Data = Bytes, Error = Error> + Send + 'static,
        what: &'static str,
        too_long: fn(Option<u64>) -> Error,
    ) -> WasiBody {
        let limited = Limited::new(body, usize::try_from(self.bytes_max).unwrap_or(usize::MAX));
        let failed = move |error: Box<dyn std::error::Error + Send + Sync>| {
            if error.is::<LengthLimitError>() {
                self.denials.tell_limit(
                    format_args!("{what} an HTTP body that is too long"),
                    Limit::HttpBody,
                    self.bytes_max,
                );
                return too_long(Some(self.bytes_max));
            }
            // Of the errors of others, a guest gets no more than that there was one.
            error.downcast().map_or_else(|_| Error::InternalError(Some("the body failed".to_owned())), |error| *error)
        };
        limited.map_err(failed).boxed_unsync()
    }
}

struct Timed {
    body: Incoming,
    between_bytes: Duration,
    deadline: Sleep,
    scheduler: Scheduler,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.deadline = self.scheduler.sleep(self.between_bytes);
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
