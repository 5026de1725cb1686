//! Requests as another node would send them, written by hand.

use lp_host::courier::Message;

use super::direct::samples;
use super::{Case, Kind};

/// The request of one call of the echo node. The response is encoded alike, so it can be the next request.
pub fn echo(case: Case) -> Message {
    let mut message = Message::default();
    match case.kind {
        Kind::Empty => {}
        Kind::Bytes => put_bytes(&mut message, 1, &vec![7; case.size as usize]),
        Kind::Floats => {
            let floats: Vec<u8> = (0..case.size).flat_map(|_| 0.5_f32.to_le_bytes()).collect();
            put_bytes(&mut message, 1, &floats);
        }
        Kind::Mixed => {
            let reading = put_reading();
            put_bytes(&mut message, 1, reading.head());
        }
        Kind::Strings | Kind::Points | Kind::Options | Kind::Shapes => {
            unreachable!("{} is measured between nodes only", case.name)
        }
    }
    message
}

/// The request of a method that takes numbers only.
pub fn numbers(values: &[u32]) -> Message {
    let mut message = Message::default();
    for (index, &value) in values.iter().enumerate().rev() {
        put_varint(&mut message, index as u64 + 1, value.into());
    }
    message
}

fn put_reading() -> Message {
    let reading = samples::reading();
    let mut message = Message::default();
    if let Some(weight) = reading.weight {
        message.prepend(&weight.to_le_bytes());
        message.prepend_varint(6 << 3 | 5);
    }
    reading.tags.iter().rev().for_each(|tag| put_bytes(&mut message, 5, tag.as_bytes()));
    message.prepend(&reading.score.to_le_bytes());
    message.prepend_varint(4 << 3 | 1);
    put_varint(&mut message, 3, reading.active.into());
    put_bytes(&mut message, 2, reading.name.as_bytes());
    put_varint(&mut message, 1, reading.id);
    message
}

fn put_varint(message: &mut Message, number: u64, value: u64) {
    message.prepend_varint(value);
    message.prepend_varint(number << 3);
}

fn put_bytes(message: &mut Message, number: u64, bytes: &[u8]) {
    message.prepend(bytes);
    message.prepend_varint(bytes.len() as u64);
    message.prepend_varint(number << 3 | 2);
}
