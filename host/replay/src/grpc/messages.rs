//! The messages that a client sends on one stream.

use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::RecvStream;

use super::payload::PREFIX_BYTES;
use super::status::Status;

/// As much room is made for a message at once as it says that it needs; for a larger one room is made as it comes, so that saying
/// so costs nobody memory.
const ROOM_BYTES: usize = 4 << 20;

/// A message that a client sent.
#[derive(Debug)]
pub(super) struct Incoming {
    pub bytes: Bytes,
    /// Whether it is a part of a buffer that has more in it. Who keeps some of it should copy that.
    pub is_part: bool,
}

pub(super) struct Messages {
    stream: RecvStream,
    /// What has come and has not been read.
    piece: Bytes,
    prefix: [u8; PREFIX_BYTES],
    prefix_filled: usize,
    /// A message that comes in several pieces, and how long it will be.
    body: Option<(BytesMut, usize)>,
    /// The longest that one may be.
    most: usize,
}

impl Messages {
    pub fn new(stream: RecvStream, most: usize) -> Self {
        Self { stream, piece: Bytes::new(), prefix: [0; PREFIX_BYTES], prefix_filled: 0, body: None, most }
    }

    /// How much has come of a message that has not come whole.
    pub fn begun_bytes(&self) -> usize {
        self.body.as_ref().map_or(0, |(body, _)| body.len())
    }

    /// The next message; `None` when the client sends no more.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Incoming>, Status>> {
        loop {
            if let Some(message) = self.take()? {
                return Poll::Ready(Ok(Some(message)));
            }
            let Some(piece) = ready!(self.stream.poll_data(cx)) else {
                let is_whole = self.prefix_filled == 0;
                return Poll::Ready(if is_whole { Ok(None) } else { Err(Status::malformed("it ends too early")) });
            };
            self.piece = piece.map_err(|_| Status::lost())?;
            // Without it the sender would stop at the end of the window.
            let _ = self.stream.flow_control().release_capacity(self.piece.len());
        }
    }

    /// A message of what has come, if it is whole. Otherwise all of that is taken.
    fn take(&mut self) -> Result<Option<Incoming>, Status> {
        while self.prefix_filled < PREFIX_BYTES {
            if self.piece.is_empty() {
                return Ok(None);
            }
            self.prefix[self.prefix_filled] = self.piece.get_u8();
            self.prefix_filled += 1;
        }
        let [compressed, a, b, c, d] = self.prefix;
        if compressed != 0 {
            return Err(Status::compressed());
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > self.most {
            return Err(Status::too_large(format!("a message of this method has at most {} bytes", self.most)));
        }
        if self.body.is_none() && self.piece.len() >= length {
            self.prefix_filled = 0;
            return Ok(Some(Incoming { bytes: self.piece.split_to(length), is_part: true }));
        }
        let (body, length) = self.body.get_or_insert_with(|| (BytesMut::with_capacity(length.min(ROOM_BYTES)), length));
        let taken = self.piece.split_to(self.piece.len().min(*length - body.len()));
        body.put(taken);
        if body.len() < *length {
            return Ok(None);
        }
        self.prefix_filled = 0;
        let body = self.body.take().map(|(body, _)| body.freeze());
        Ok(body.map(|bytes| Incoming { bytes, is_part: false }))
    }
}
