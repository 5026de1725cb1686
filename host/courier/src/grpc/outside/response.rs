//! The response to a client outside of the program, which may not take it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::body::Body as _;
use lp_base::calls::{Kept, KeptBytes};
use lp_base::scheduler::Scheduler;
use tokio::sync::oneshot;
use tonic::body::Body;

use super::super::CONTENT_TYPE_GRPC;
use super::super::stream::frame;
use super::request::{Refusal, too_many_bytes};
use crate::Message;

/// The way back to the client. Each method gives `None` if the client did not take the response in time.
pub(super) struct Responding {
    respond: SendResponse<Bytes>,
    time: Duration,
    scheduler: Scheduler,
}

/// Bytes that count until the connection has passed them on, and whoever waits for that.
struct Sent {
    bytes: Bytes,
    _kept: Option<KeptBytes>,
    _passed_on: oneshot::Sender<()>,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Responding {
    pub fn new(respond: SendResponse<Bytes>, time: Duration, scheduler: Scheduler) -> Self {
        Self { respond, time, scheduler }
    }

    /// Ready when the client has given up the call.
    pub async fn reset(&mut self) {
        let _ = poll_fn(|cx| self.respond.poll_reset(cx)).await;
    }

    /// Answers with a message, which `kept` counts until the client takes it.
    pub async fn message(mut self, mut message: Message, kept: &Arc<Kept>) -> Option<()> {
        const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
        drop(message.take_count());
        let Some(kept) = kept.keep(message.encoded_len() as u64) else {
            return self.refuse(too_many_bytes().into()).await;
        };
        let bytes = frame(&message);
        drop(message);
        let mut head = Response::new(());
        head.headers_mut().insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
        // A client that has gone meanwhile needs no answer.
        let Ok(mut stream) = self.respond.send_response(head, false) else { return Some(()) };
        let (passed_on_tx, passed_on) = oneshot::channel();
        let sent = Bytes::from_owner(Sent { bytes, _kept: Some(kept), _passed_on: passed_on_tx });
        let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
        if stream.send_data(sent, false).and_then(|()| stream.send_trailers(trailers)).is_err() {
            return Some(());
        }
        self.scheduler.timeout(self.time, passed_on).await.ok().map(drop)
    }

    /// Answers that the request is not served.
    pub async fn refuse(mut self, refusal: Refusal) -> Option<()> {
        let _ = self.respond.send_response(refusal.into_response(), true);
        Some(())
    }

    /// Passes on a response whose body comes bit by bit.
    pub async fn pass(mut self, response: Response<Body>) -> Option<()> {
        let (head, mut body) = response.into_parts();
        let ends = body.is_end_stream();
        let Ok(mut stream) = self.respond.send_response(Response::from_parts(head, ()), ends) else { return Some(()) };
        if ends {
            return Some(());
        }
        loop {
            let next = tokio::select! {
                biased;
                next = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)) => next,
                _ = poll_fn(|cx| stream.poll_reset(cx)) => return Some(()),
            };
            match next {
                None => {
                    let _ = stream.send_data(Bytes::new(), true);
                    break;
                }
                Some(Err(_)) => {
                    stream.send_reset(h2::Reason::INTERNAL_ERROR);
                    break;
                }
                Some(Ok(next)) => match next.into_data() {
                    Ok(data) => self.piece(&mut stream, data).await?,
                    Err(next) => {
                        let _ = next.into_trailers().map(|trailers| stream.send_trailers(trailers));
                        break;
                    }
                },
            }
        }
        Some(())
    }

    async fn piece(&self, stream: &mut SendStream<Bytes>, bytes: Bytes) -> Option<()> {
        let (passed_on_tx, passed_on) = oneshot::channel();
        let sent = Bytes::from_owner(Sent { bytes, _kept: None, _passed_on: passed_on_tx });
        if stream.send_data(sent, false).is_err() {
            return Some(());
        }
        self.scheduler.timeout(self.time, passed_on).await.ok().map(drop)
    }
}
