//! Messages as tonic's codec wants them: bytes that are already protobuf.

use std::sync::Arc;

use bytes::Buf;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::Message;

/// Passes messages on as they are. What is sent is shared, because its caller may have to send it again.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageCodec;

impl Codec for MessageCodec {
    type Encode = Arc<Message>;
    type Decode = Message;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for MessageCodec {
    type Item = Arc<Message>;
    type Error = Status;

    fn encode(&mut self, message: Arc<Message>, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.reserve(message.encoded_len());
        message.write_to(target);
        Ok(())
    }
}

impl Decoder for MessageCodec {
    type Item = Message;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Message>, Status> {
        Ok(Some(Message::read_from(&mut source.take(source.remaining()))))
    }
}
