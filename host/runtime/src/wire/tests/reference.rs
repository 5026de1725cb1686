//! The courier encoding written for clarity, over `Val`: what the tests compare the codec with, never used by the host.

mod decode;
mod encode;

#[cfg(test)]
pub use decode::DecodeError;
pub use decode::decode;
#[cfg(test)]
pub use encode::{encode, message};
use wasmtime::component::{Type, Val};

/// A protobuf message before it is written, so that tests can also write it in other ways than the canonical one.
pub type Message = Vec<Field>;

/// One field of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub number: u32,
    pub label: Label,
    pub content: Content,
}

/// How often a field may occur, and whether the canonical encoding writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Label {
    /// Occurs once; of several occurrences the last one counts, or all of them merged if it is a message.
    Singular,
    /// Singular without presence, and equal to its default: the canonical encoding leaves it out.
    Default,
    /// One element of a list: every occurrence counts.
    Repeated,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Scalar(Scalar),
    /// A string or a `list<u8>`.
    Bytes(Vec<u8>),
    Message(Message),
    /// All elements of a list of scalars.
    Packed(Vec<Scalar>),
}

/// A scalar as its wire type has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
}

/// The four ways in which a WIT type appears in a message.
enum Class {
    Scalar,
    /// A string or a `list<u8>`.
    Bytes,
    Message,
    /// A list or an option: needs a field of its own, hence a wrapper message wherever there is none.
    Field,
}

fn class(ty: &Type) -> Class {
    match ty {
        Type::String => Class::Bytes,
        Type::List(list) if list.ty() == Type::U8 => Class::Bytes,
        Type::List(_) | Type::Option(_) => Class::Field,
        Type::Record(_) | Type::Tuple(_) | Type::Variant(_) | Type::Result(_) => Class::Message,
        _ => Class::Scalar,
    }
}

/// The wire type of a scalar; inside a list, integers of 32 and 64 bits have a fixed width.
fn scalar_wire_type(ty: &Type, in_list: bool) -> u8 {
    match ty {
        Type::Float32 => 5,
        Type::Float64 => 1,
        Type::U32 | Type::S32 if in_list => 5,
        Type::U64 | Type::S64 if in_list => 1,
        _ => 0,
    }
}

/// Whether two values are the same to the bit; `Val`'s own equality treats all NaNs as one.
pub fn same(a: &Val, b: &Val) -> bool {
    let all = |a: &[Val], b: &[Val]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
    let payload = |a: &Option<Box<Val>>, b: &Option<Box<Val>>| match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    match (a, b) {
        (Val::Float32(a), Val::Float32(b)) => a.to_bits() == b.to_bits(),
        (Val::Float64(a), Val::Float64(b)) => a.to_bits() == b.to_bits(),
        (Val::List(a), Val::List(b)) | (Val::Tuple(a), Val::Tuple(b)) => all(a, b),
        (Val::Record(a), Val::Record(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same(&a.1, &b.1))
        }
        (Val::Variant(a, x), Val::Variant(b, y)) => a == b && payload(x, y),
        (Val::Option(x), Val::Option(y)) => payload(x, y),
        (Val::Result(Ok(x)), Val::Result(Ok(y))) | (Val::Result(Err(x)), Val::Result(Err(y))) => payload(x, y),
        (a, b) => a == b,
    }
}
