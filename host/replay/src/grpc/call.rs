//! One call: what its client sends, and what goes back.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderValue, Response};

use super::messages::{Incoming, Messages};
use super::payload::{self, Payload};
use super::status::Status;

pub(super) struct Call {
    pub messages: Messages,
    send: SendStream<Payload>,
}

impl Call {
    /// Begins to answer a call, if its client is still there, which may send messages of at most so many bytes.
    pub fn begin(body: RecvStream, mut respond: SendResponse<Payload>, message_bytes_max: usize) -> Option<Self> {
        let mut response = Response::new(());
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        let send = respond.send_response(response, false).ok()?;
        Some(Self { messages: Messages::new(body, message_bytes_max), send })
    }

    /// The next message; `None` when the client sends no more.
    pub async fn next(&mut self) -> Result<Option<Incoming>, Status> {
        poll_fn(|cx| self.messages.poll_next(cx)).await
    }

    /// The only message of a call that has one.
    pub async fn only<M: prost::Message + Default>(&mut self) -> Result<M, Status> {
        let message = self.next().await?.ok_or_else(|| Status::malformed("it has no message"))?;
        M::decode(message.bytes).map_err(Status::malformed)
    }

    /// Ready when the client has taken enough of what was sent before, or an error when it has gone.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        loop {
            self.send.reserve_capacity(1);
            if self.send.capacity() > 0 {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Status::lost())),
            }
        }
    }

    /// Ready when the client has given the call up.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        self.send.poll_reset(cx).map(|_| Status::lost())
    }

    /// Sends a message. It is kept until the client takes it: see [`Self::poll_ready`].
    pub fn send(&mut self, payload: Payload) -> Result<(), Status> {
        self.send.send_data(payload, false).map_err(|_| Status::lost())
    }

    /// Sends a message that there is room for when the client has taken those before.
    pub async fn send_when_ready(&mut self, message: &impl prost::Message) -> Result<(), Status> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.send(payload::message(message))
    }

    /// Ends the call.
    pub fn end(mut self, result: Result<(), Status>) {
        // A client that has gone takes no trailers.
        let _ = self.send.send_trailers(Status::trailers(&result));
    }
}
