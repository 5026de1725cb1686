//! The protobuf bytes of one request or one response, and the buffer that builds them back to front.

#![allow(unsafe_code, reason = "a buffer that is filled from its end has bytes that are not initialised yet")]

use std::mem::MaybeUninit;
use std::sync::Arc;

use bytes::{Buf, BufMut};
use lp_base::calls::{Kept, KeptBytes};

use super::{Block, CallError};

/// The bytes of one protobuf message.
///
/// It is written from its end to its start, so that the length of a nested message is known when its header is
/// written and nothing is measured or moved twice.
#[derive(Default)]
pub struct Message {
    /// `bytes[start..]` is initialised; an empty message owns no memory.
    bytes: Box<[MaybeUninit<u8>]>,
    start: usize,
    /// The content of the last field, where that is a large block, with the field's number.
    block: Option<(u32, Arc<Block>)>,
    /// What counts it, where it is kept for a caller.
    kept: Option<KeptBytes>,
}

/// What is shorter is not counted where it is kept for a caller: it takes no more than the call itself.
const KEPT_BYTES_MIN: u64 = 1024;

/// Room left in front of a large block for the headers that follow it.
const HEADROOM: usize = 64;

impl Message {
    /// The message so far; without its last field, if that is a [`Block`].
    #[inline]
    pub fn head(&self) -> &[u8] {
        let filled = &self.bytes[self.start..];
        // SAFETY: every byte at or after `start` was written by `prepend`.
        unsafe { std::slice::from_raw_parts(filled.as_ptr().cast(), filled.len()) }
    }

    /// The last field, where it is a block.
    #[inline]
    pub fn block(&self) -> Option<&Arc<Block>> {
        self.block.as_ref().map(|(_, block)| block)
    }

    /// Makes `block` the content of the last field, number `number`. Nothing must have been written before.
    pub fn set_block(&mut self, number: u32, block: Arc<Block>) {
        assert!(self.is_empty(), "the last field is written first");
        self.block = Some((number, block));
    }

    /// The whole message in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.encoded_len());
        self.write_to(&mut whole);
        whole
    }

    /// The number of bytes of the whole message.
    pub fn encoded_len(&self) -> usize {
        self.len()
            + self.block.as_ref().map_or(0, |(number, block)| block_header(*number, block).len() + block.length())
    }

    /// Appends the whole message to `target`.
    pub fn write_to(&self, target: &mut impl BufMut) {
        target.put_slice(self.head());
        if let Some((number, block)) = &self.block {
            target.put_slice(block_header(*number, block).head());
            block.read(|bytes| target.put_slice(bytes));
        }
    }

    /// The message that `source` holds, all of it.
    pub fn read_from(source: &mut impl Buf) -> Self {
        let mut arriving = Arriving::new(source.remaining());
        while source.has_remaining() {
            let length = arriving.push(source.chunk());
            source.advance(length);
        }
        arriving.finish().expect("a buffer has as many bytes as it says")
    }

    /// Has the message counted by `kept` for as long as it is there.
    ///
    /// # Errors
    /// If it is more than may be kept; the message is gone then.
    pub fn kept_for(mut self, kept: Option<&Arc<Kept>>) -> Result<Self, CallError> {
        let bytes = self.kept_bytes();
        if let Some(kept) = kept
            && bytes >= KEPT_BYTES_MIN
        {
            self.kept = Some(kept.keep(bytes).ok_or(CallError::Overloaded)?);
        }
        Ok(self)
    }

    /// Has the message counted by `kept`, which counts its bytes already, for as long as it is there.
    #[inline]
    pub fn set_count(&mut self, kept: KeptBytes) {
        self.kept = Some(kept);
    }

    /// Takes off what counts the message, for one that goes on counting its bytes elsewhere.
    pub fn take_count(&mut self) -> Option<KeptBytes> {
        self.kept.take()
    }

    /// The bytes that the message keeps, near enough: without the header of a block.
    #[inline]
    pub fn kept_bytes(&self) -> u64 {
        (self.len() + self.block.as_ref().map_or(0, |(_, block)| block.length())) as u64
    }

    /// The number of bytes written so far, without a block.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing was written: the message of a function without parameters or result.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.block.is_none()
    }

    /// Puts `bytes` in front of what was written before.
    #[inline]
    pub fn prepend(&mut self, bytes: &[u8]) {
        if self.start < bytes.len() {
            self.grow(bytes.len());
        }
        let start = self.start - bytes.len();
        // SAFETY: `start..self.start` lies in the buffer because `grow` made room, and `u8` has no invalid bytes.
        unsafe {
            let target = self.bytes.as_mut_ptr().add(start).cast::<u8>();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
        self.start = start;
    }

    /// Puts one byte in front of what was written before.
    #[inline]
    pub fn prepend_byte(&mut self, byte: u8) {
        self.prepend(&[byte]);
    }

    /// Puts a varint in front of what was written before.
    #[inline]
    pub fn prepend_varint(&mut self, mut value: u64) {
        if value < 0x80 {
            return self.prepend_byte(value as u8);
        }
        let mut bytes = [0; 10];
        let mut length = 0;
        loop {
            bytes[length] = value as u8 | 0x80;
            value >>= 7;
            length += 1;
            if value == 0 {
                break;
            }
        }
        bytes[length - 1] &= 0x7f;
        self.prepend(&bytes[..length]);
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let len = self.len();
        // Doubling keeps many small fields linear; a large block gets just its own size and headroom.
        let capacity = (len + more + HEADROOM).max(2 * len);
        let mut bytes = Box::new_uninit_slice(capacity);
        let start = capacity - len;
        bytes[start..].copy_from_slice(&self.bytes[self.start..]);
        self.bytes = bytes;
        self.start = start;
    }
}

/// A message that comes in pieces, from its start to its end.
pub struct Arriving {
    /// As long as what there is memory for.
    bytes: Box<[MaybeUninit<u8>]>,
    length: usize,
    filled: usize,
}

/// What is set aside at first for a message whose sender may not send it.
const ARRIVING_BYTES_MIN: usize = 4 * 1024;

impl Arriving {
    /// A message of `length` bytes, none of which has come. Memory that is not filled costs no more than its addresses.
    pub fn new(length: usize) -> Self {
        Self { bytes: Box::new_uninit_slice(length), length, filled: 0 }
    }

    /// The same of a sender who may not mean it: memory is taken as the bytes come.
    pub fn unproven(length: usize) -> Self {
        Self { bytes: Box::default(), length, filled: 0 }
    }

    /// How much memory there will be for the message with `more` bytes of it.
    pub fn bytes_with(&self, more: usize) -> usize {
        let needed = (self.filled + more).min(self.length);
        match needed <= self.bytes.len() {
            true => self.bytes.len(),
            false => needed.max(2 * self.bytes.len()).max(ARRIVING_BYTES_MIN).min(self.length),
        }
    }

    /// Appends as much of `piece` as belongs to the message, and says how much that was.
    pub fn push(&mut self, piece: &[u8]) -> usize {
        let room = self.bytes_with(piece.len());
        if room > self.bytes.len() {
            let mut bytes = Box::new_uninit_slice(room);
            bytes[..self.filled].copy_from_slice(&self.bytes[..self.filled]);
            self.bytes = bytes;
        }
        let taken = piece.len().min(self.length - self.filled);
        self.bytes[self.filled..self.filled + taken].write_copy_of_slice(&piece[..taken]);
        self.filled += taken;
        taken
    }

    /// The message, if all of it has come.
    pub fn finish(self) -> Option<Message> {
        (self.filled == self.length).then_some(Message { bytes: self.bytes, start: 0, block: None, kept: None })
    }
}

/// What stands in front of a block.
fn block_header(number: u32, block: &Block) -> Message {
    let mut header = Message::default();
    header.prepend_varint(block.length() as u64);
    header.prepend_varint((u64::from(number) << 3) | 2);
    header
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        let mut message = Self::default();
        if !bytes.is_empty() {
            message.prepend(bytes);
        }
        message
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{Arriving, Message};

    #[test]
    fn an_unproven_message_takes_memory_as_it_comes() {
        let mut arriving = Arriving::unproven(100_000);
        assert_eq!(arriving.bytes_with(0), 0);
        assert_eq!(arriving.bytes_with(1), 4096);
        let mut taken = 0;
        for piece in [1, 5000, 50_000, 60_000] {
            let room = arriving.bytes_with(piece);
            taken += arriving.push(&vec![piece as u8; piece]);
            assert_eq!(arriving.bytes_with(0), room);
            assert!(room >= taken && room <= 2 * taken.max(2048), "{room} for {taken}");
        }
        assert_eq!(taken, 100_000);
        let message = arriving.finish().expect("all of it has come");
        assert_eq!((message.head()[0], message.head()[1], message.head()[99_999]), (1, 136, 96));
    }

    #[test]
    fn a_message_is_written_back_to_front_across_growth() {
        let mut message = Message::default();
        assert!(message.is_empty());
        message.prepend(&[7; 1000]);
        message.prepend_varint(300);
        message.prepend_varint(u64::MAX);
        message.prepend_byte(1);
        let mut expected = vec![1];
        expected.extend([0xff; 9]);
        expected.push(1);
        expected.extend([0xac, 2]);
        expected.extend([7; 1000]);
        assert_eq!(message.head(), expected);
    }
}
