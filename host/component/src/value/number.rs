//! Values that are one number in a message: which wire values stand for them, and which numbers they can be.

use lp_base::protobuf::{Field, Value};
use prost::encoding::{WireType, encode_key, encode_varint};

use super::error::DecodeProblem;
use crate::component::TypeKind;

/// Whether values of the type are one number in a message.
pub(super) fn is_number(kind: &TypeKind) -> bool {
    match kind {
        TypeKind::Bool | TypeKind::Char | TypeKind::Enum(_) | TypeKind::Flags(_) => true,
        TypeKind::U8 | TypeKind::S8 | TypeKind::U16 | TypeKind::S16 => true,
        TypeKind::U32 | TypeKind::S32 | TypeKind::U64 | TypeKind::S64 | TypeKind::F32 | TypeKind::F64 => true,
        TypeKind::String | TypeKind::List(_) | TypeKind::Option(_) | TypeKind::Result { .. } => false,
        TypeKind::Tuple(_) | TypeKind::Record(_) | TypeKind::Variant(_) => false,
    }
}

/// How many bytes a number has as an element of a list; `None` if it is a varint there.
pub(super) fn fixed_size(kind: &TypeKind) -> Option<usize> {
    match kind {
        TypeKind::U32 | TypeKind::S32 | TypeKind::F32 => Some(4),
        TypeKind::U64 | TypeKind::S64 | TypeKind::F64 => Some(8),
        _ => None,
    }
}

/// The bits of a number that owns a field: those of a float, or an integer with its sign in 64 bits.
pub(super) fn from_field(kind: &TypeKind, field: Field<'_>) -> Result<u64, DecodeProblem> {
    match (kind, field.value) {
        (TypeKind::F32, Value::Fixed32(bits)) => Ok(bits.into()),
        (TypeKind::F64, Value::Fixed64(bits)) => Ok(bits),
        (TypeKind::F32 | TypeKind::F64, _) => Err(field.unexpected().into()),
        (_, Value::Varint(varint)) => from_varint(kind, varint),
        _ => Err(field.unexpected().into()),
    }
}

/// The bits of a number that is a varint.
pub(super) fn from_varint(kind: &TypeKind, varint: u64) -> Result<u64, DecodeProblem> {
    let unsigned = |max: u64, ty| match varint <= max {
        true => Ok(varint),
        false => Err(DecodeProblem::Range { value: varint.into(), ty }),
    };
    let signed = |bits: u32, ty| {
        let value = (varint >> 1) as i64 ^ -((varint & 1) as i64);
        match value >> (bits - 1) {
            0 | -1 => Ok(value as u64),
            _ => Err(DecodeProblem::Range { value: value.into(), ty }),
        }
    };
    match kind {
        TypeKind::Bool => Ok(u64::from(varint != 0)),
        TypeKind::U8 => unsigned(u8::MAX.into(), "u8"),
        TypeKind::U16 => unsigned(u16::MAX.into(), "u16"),
        TypeKind::U32 => unsigned(u32::MAX.into(), "u32"),
        TypeKind::S8 => signed(8, "s8"),
        TypeKind::S16 => signed(16, "s16"),
        TypeKind::S32 => signed(32, "s32"),
        TypeKind::S64 => signed(64, "s64"),
        TypeKind::Char => match u32::try_from(varint).ok().and_then(char::from_u32) {
            Some(_) => Ok(varint),
            None => Err(DecodeProblem::Char { value: varint }),
        },
        TypeKind::Enum(names) if varint >= names.len() as u64 => {
            Err(DecodeProblem::Case { value: varint, cases: names.len() })
        }
        // A type has at most 32 flags.
        TypeKind::Flags(names) if varint >> names.len() != 0 => {
            Err(DecodeProblem::Flags { value: varint, flags: names.len() })
        }
        _ => Ok(varint),
    }
}

/// A number on its way into a message.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
}

impl Number {
    pub fn is_default(self) -> bool {
        match self {
            Number::Unsigned(value) => value == 0,
            Number::Signed(value) => value == 0,
            Number::F32(value) => value.to_bits() == 0,
            Number::F64(value) => value.to_bits() == 0,
        }
    }

    pub fn varint(self) -> u64 {
        match self {
            Number::Unsigned(value) => value,
            Number::Signed(value) => (value << 1 ^ value >> 63) as u64,
            Number::F32(value) => value.to_bits().into(),
            Number::F64(value) => value.to_bits(),
        }
    }

    /// Writes a field of its own.
    pub fn write_field(self, out: &mut Vec<u8>, number: u32) {
        let wire_type = match self {
            Number::Unsigned(_) | Number::Signed(_) => WireType::Varint,
            Number::F32(_) => WireType::ThirtyTwoBit,
            Number::F64(_) => WireType::SixtyFourBit,
        };
        encode_key(number, wire_type, out);
        match self {
            Number::F32(value) => out.extend_from_slice(&value.to_le_bytes()),
            Number::F64(value) => out.extend_from_slice(&value.to_le_bytes()),
            _ => encode_varint(self.varint(), out),
        }
    }

    /// Writes an element of a packed list.
    pub fn write_element(self, out: &mut Vec<u8>, fixed_size: Option<usize>) {
        let bits = match self {
            Number::Signed(value) => value as u64,
            _ => self.varint(),
        };
        match fixed_size {
            Some(size) => out.extend_from_slice(&bits.to_le_bytes()[..size]),
            None => encode_varint(self.varint(), out),
        }
    }
}
