//! A message on its way to a client: pieces that are sent one after another without being put together.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// What stands in front of a message: whether it is compressed, and its length.
pub(super) const PREFIX_BYTES: usize = 5;

/// From this size on a piece is sent from where it is; to copy less costs less than to keep track of it.
const PIECE_BYTES: usize = 4 << 10;

/// One message with its prefix.
#[derive(Debug, Default)]
pub(super) struct Payload {
    pieces: VecDeque<Bytes>,
    remaining: usize,
}

impl Buf for Payload {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut count: usize) {
        self.remaining = self.remaining.checked_sub(count).expect("nobody advances past the end");
        while let Some(piece) = self.pieces.front_mut() {
            if piece.len() > count {
                return piece.advance(count);
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }
}

/// Puts a message together.
#[derive(Debug)]
pub(super) struct Writer {
    /// What is before `piece`, but for the first piece, which gets the prefix at the end.
    first: Option<BytesMut>,
    pieces: VecDeque<Bytes>,
    piece: BytesMut,
    written: usize,
}

impl Writer {
    pub fn new(capacity: usize) -> Self {
        let mut piece = BytesMut::with_capacity(PREFIX_BYTES + capacity);
        piece.put_bytes(0, PREFIX_BYTES);
        Self { first: None, pieces: VecDeque::new(), piece, written: 0 }
    }

    /// How long the message is so far.
    pub fn len(&self) -> usize {
        self.written
    }

    /// Adds bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.piece.put_slice(bytes);
        self.written += bytes.len();
    }

    /// Adds a varint.
    pub fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(&[value as u8 | 0x80]);
            value >>= 7;
        }
        self.put(&[value as u8]);
    }

    /// Adds bytes that others keep too.
    pub fn put_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < PIECE_BYTES {
            return self.put(bytes);
        }
        self.end_piece();
        self.written += bytes.len();
        self.pieces.push_back(bytes.clone());
    }

    fn end_piece(&mut self) {
        let piece = self.piece.split();
        match self.first {
            None => self.first = Some(piece),
            Some(_) if piece.is_empty() => {}
            Some(_) => self.pieces.push_back(piece.freeze()),
        }
    }

    /// The message with its prefix.
    pub fn finish(mut self) -> Payload {
        self.end_piece();
        let mut first = self.first.expect("a piece has ended");
        let length = u32::try_from(self.written).expect("a message is two chunks and little else at most");
        first[1..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
        self.pieces.push_front(first.freeze());
        Payload { pieces: self.pieces, remaining: PREFIX_BYTES + self.written }
    }
}

/// How many bytes a varint has.
pub(super) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// A protobuf message with its prefix.
pub(super) fn message(message: &impl prost::Message) -> Payload {
    let length = message.encoded_len();
    let mut writer = Writer::new(length);
    message.encode(&mut writer.piece).expect("a buffer that grows has room");
    writer.written = length;
    writer.finish()
}
