//! One message on an HTTP/2 stream, framed as gRPC has it, and the settings of the connections between workers.
//!
//! Between workers the frames are written and read here, on h2 itself: hyper and tonic start a task for each request and
//! pass it through several more, which is a third of what a small call costs. Clients outside of the program get hyper and
//! tonic.

use std::future::poll_fn;

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use http::HeaderMap;

use crate::Message;
use crate::message::Arriving;

/// How much of a message may be on its way before the receiver has to say that it took some: most messages fit whole.
pub(super) const WINDOW_BYTES: u32 = 4 << 20;
/// The largest piece of a message: fewer pieces cost less, smaller ones let small calls pass large ones.
pub(super) const FRAME_BYTES: u32 = 64 << 10;

/// What stands in front of a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Why a stream brought no message.
#[derive(Debug)]
pub(super) enum ReceiveError {
    /// The message is larger than it may be.
    TooLarge,
    /// The stream ended without one whole message, or with more than one.
    Malformed,
    /// The stream was reset, or its connection is gone.
    Lost,
}

/// The bytes of `message` as they go on a stream. They are at most a gibibyte.
pub(super) fn frame(message: &Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).expect("a program's limit on messages is a gibibyte at most"));
    message.write_to(&mut frame);
    frame.freeze()
}

/// The one message of a stream, of `limit` bytes at most, and what follows it.
pub(super) async fn receive(
    stream: &mut RecvStream,
    limit: usize,
) -> Result<(Message, Option<HeaderMap>), ReceiveError> {
    let mut prefix = Vec::new();
    let mut arriving = None;
    while let Some(piece) = poll_fn(|cx| stream.poll_data(cx)).await {
        let mut piece = piece.map_err(|_| ReceiveError::Lost)?;
        // Without it the sender would stop at the end of the window.
        let _ = stream.flow_control().release_capacity(piece.len());
        if arriving.is_none() {
            let missing = piece.len().min(PREFIX_BYTES - prefix.len());
            prefix.extend_from_slice(&piece.split_to(missing));
            arriving = length(&prefix, limit)?.map(Arriving::new);
        }
        let taken = arriving.as_mut().map_or(0, |arriving| arriving.push(&piece));
        if taken < piece.len() {
            return Err(ReceiveError::Malformed);
        }
    }
    let trailers = poll_fn(|cx| stream.poll_trailers(cx)).await.map_err(|_| ReceiveError::Lost)?;
    match arriving.and_then(Arriving::finish) {
        Some(message) => Ok((message, trailers)),
        // A failed call may have nothing but its status.
        None if prefix.is_empty() && trailers.is_some() => Ok((Message::default(), trailers)),
        None => Err(ReceiveError::Malformed),
    }
}

/// The length of a message, once its prefix is there.
fn length(prefix: &[u8], limit: usize) -> Result<Option<usize>, ReceiveError> {
    let &[compressed, a, b, c, d] = prefix else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    match compressed {
        0 if length <= limit => Ok(Some(length)),
        0 => Err(ReceiveError::TooLarge),
        _ => Err(ReceiveError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::{ReceiveError, frame, length};
    use crate::Message;

    #[test]
    fn a_frame_begins_with_its_length() {
        assert_eq!(&frame(&Message::from([7; 300].as_slice()))[..6], [0, 0, 0, 1, 44, 7]);
        assert_eq!(&frame(&Message::default())[..], [0; 5]);
    }

    #[test]
    fn a_prefix_is_judged_when_it_is_whole() {
        assert!(matches!(length(&[0, 0, 0, 1], 300), Ok(None)));
        assert!(matches!(length(&[0, 0, 0, 1, 44], 300), Ok(Some(300))));
        assert!(matches!(length(&[0, 0, 0, 1, 44], 299), Err(ReceiveError::TooLarge)));
        assert!(matches!(length(&[1, 0, 0, 0, 0], 300), Err(ReceiveError::Malformed)));
    }
}
