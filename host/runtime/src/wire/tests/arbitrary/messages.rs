//! Writes a message in some legal form that is not the canonical one: what other protobuf encoders may send.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::super::reference::{Content, Field, Label, Message, Scalar};

/// Bytes that mean the same as `message`: fields in any order, occurrences that later ones replace, messages in parts,
/// lists in chunks or unpacked, unknown fields, varints longer than they need be.
pub fn write_freely(message: &Message, seed: u64) -> Vec<u8> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Writer { rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes) }.message(message).concat()
}

struct Writer {
    rng: TestRng,
}

impl Writer {
    /// The occurrences of all fields, in an order that keeps those of one number as they are.
    fn message(&mut self, message: &Message) -> Vec<Vec<u8>> {
        let mut queues: Vec<Vec<Vec<u8>>> = Vec::new();
        for fields in message.chunk_by(|a, b| a.number == b.number) {
            let mut queue: Vec<_> = fields.iter().flat_map(|field| self.field(field)).collect();
            queue.reverse();
            queues.push(queue);
        }
        let mut out = Vec::new();
        while !queues.is_empty() {
            if self.rng.random_bool(0.1) {
                let unknown = self.unknown();
                out.push(unknown);
            }
            let index = self.rng.random_range(0..queues.len());
            match queues[index].pop() {
                Some(occurrence) => out.push(occurrence),
                None => drop(queues.swap_remove(index)),
            }
        }
        out
    }

    /// The occurrences of one field.
    fn field(&mut self, field: &Field) -> Vec<Vec<u8>> {
        let number = field.number;
        if field.label == Label::Default && self.rng.random_bool(0.5) {
            return Vec::new();
        }
        let is_single = field.label != Label::Repeated;
        let replaced = is_single && self.rng.random_bool(0.2);
        let mut out = Vec::new();
        match &field.content {
            Content::Scalar(scalar) => {
                let zero = match scalar {
                    Scalar::Varint(_) => Scalar::Varint(0),
                    Scalar::Fixed32(_) => Scalar::Fixed32(0),
                    Scalar::Fixed64(_) => Scalar::Fixed64(0),
                };
                out.extend(replaced.then(|| self.scalar(number, zero)));
                out.push(self.scalar(number, *scalar));
            }
            Content::Bytes(bytes) => {
                out.extend(replaced.then(|| self.len(number, b"replaced")));
                out.push(self.len(number, bytes));
            }
            Content::Message(message) => {
                let mut parts = self.message(message);
                if is_single && self.rng.random_bool(0.3) {
                    let rest = parts.split_off(self.rng.random_range(0..=parts.len()));
                    out.push(self.len(number, &parts.concat()));
                    parts = rest;
                }
                out.push(self.len(number, &parts.concat()));
            }
            Content::Packed(scalars) => out = self.packed(number, scalars),
        }
        out
    }

    /// A list of scalars: chunks of any length, also empty ones, and elements on their own.
    fn packed(&mut self, number: u32, mut scalars: &[Scalar]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        while !scalars.is_empty() {
            if self.rng.random_bool(0.2) {
                out.push(self.scalar(number, scalars[0]));
                scalars = &scalars[1..];
            } else {
                let (chunk, rest) = scalars.split_at(self.rng.random_range(0..=scalars.len()));
                let mut payload = Vec::new();
                chunk.iter().for_each(|scalar| self.bare(*scalar, &mut payload));
                out.push(self.len(number, &payload));
                scalars = rest;
            }
        }
        out
    }

    /// A field whose number no type here has.
    fn unknown(&mut self) -> Vec<u8> {
        let number = self.rng.random_range(1_000..=0x1fff_ffff);
        match self.rng.random_range(0..4) {
            0 => self.scalar(number, Scalar::Varint(u64::MAX)),
            1 => self.scalar(number, Scalar::Fixed32(u32::MAX)),
            2 => self.scalar(number, Scalar::Fixed64(u64::MAX)),
            _ => self.len(number, b"\xff no message"),
        }
    }

    fn scalar(&mut self, number: u32, scalar: Scalar) -> Vec<u8> {
        let wire_type = match scalar {
            Scalar::Varint(_) => 0,
            Scalar::Fixed64(_) => 1,
            Scalar::Fixed32(_) => 5,
        };
        let mut out = Vec::new();
        self.varint(u64::from(number) << 3 | wire_type, 5, &mut out);
        self.bare(scalar, &mut out);
        out
    }

    fn len(&mut self, number: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.varint(u64::from(number) << 3 | 2, 5, &mut out);
        self.varint(payload.len() as u64, 5, &mut out);
        out.extend_from_slice(payload);
        out
    }

    fn bare(&mut self, scalar: Scalar, out: &mut Vec<u8>) {
        match scalar {
            Scalar::Varint(value) => self.varint(value, 10, out),
            Scalar::Fixed32(bits) => out.extend_from_slice(&bits.to_le_bytes()),
            Scalar::Fixed64(bits) => out.extend_from_slice(&bits.to_le_bytes()),
        }
    }

    /// A varint, now and then with zero bits in front, in at most `max` bytes.
    fn varint(&mut self, mut value: u64, max: usize, out: &mut Vec<u8>) {
        let padded = if self.rng.random_bool(0.1) { 1 + self.rng.next_u32() as usize % max } else { 1 };
        let mut length = 1;
        while value >= 0x80 || length < padded {
            out.push(value as u8 | 0x80);
            value >>= 7;
            length += 1;
        }
        out.push(value as u8);
    }
}
