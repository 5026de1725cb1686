//! Values of one core number: their guest representation, their wire representation, and what is in range.

use lp_base::protobuf::{Field, Value};
use lp_courier::Message;
use wasmtime::component::__internal::{ComponentTypes, InterfaceType};

use super::error::WireError;

/// A WIT type whose values are one number on both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Bool,
    U8,
    S8,
    U16,
    S16,
    U32,
    S32,
    U64,
    S64,
    F32,
    F64,
    Char,
    /// With its number of cases.
    Enum(usize),
    /// With its number of flags, at most 32.
    Flags(usize),
}

/// How a scalar stands on the wire. Lists of the fixed kinds have the layout of guest memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Varint,
    Fixed32,
    Fixed64,
}

impl Scalar {
    /// The scalar that `ty` is, or `None` for a type with parts.
    pub(super) fn of(types: &ComponentTypes, ty: InterfaceType) -> Option<Self> {
        Some(match ty {
            InterfaceType::Bool => Self::Bool,
            InterfaceType::U8 => Self::U8,
            InterfaceType::S8 => Self::S8,
            InterfaceType::U16 => Self::U16,
            InterfaceType::S16 => Self::S16,
            InterfaceType::U32 => Self::U32,
            InterfaceType::S32 => Self::S32,
            InterfaceType::U64 => Self::U64,
            InterfaceType::S64 => Self::S64,
            InterfaceType::Float32 => Self::F32,
            InterfaceType::Float64 => Self::F64,
            InterfaceType::Char => Self::Char,
            InterfaceType::Enum(index) => Self::Enum(types[index].names.len()),
            InterfaceType::Flags(index) => Self::Flags(types[index].names.len()),
            _ => return None,
        })
    }

    /// The bytes of one value in guest memory.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::S8 => 1,
            Self::U16 | Self::S16 => 2,
            Self::U32 | Self::S32 | Self::F32 | Self::Char => 4,
            Self::U64 | Self::S64 | Self::F64 => 8,
            Self::Enum(cases) => match cases {
                0..=0x100 => 1,
                0x101..=0x1_0000 => 2,
                _ => 4,
            },
            Self::Flags(flags) => match flags {
                0..=8 => 1,
                9..=16 => 2,
                _ => 4,
            },
        }
    }

    /// The kind of wire value of a single field.
    fn single_kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Fixed32,
            Self::F64 => Kind::Fixed64,
            _ => Kind::Varint,
        }
    }

    /// The kind of wire value of an element of a list.
    pub(super) fn list_kind(self) -> Kind {
        match self {
            Self::U32 | Self::S32 | Self::F32 => Kind::Fixed32,
            Self::U64 | Self::S64 | Self::F64 => Kind::Fixed64,
            _ => Kind::Varint,
        }
    }

    /// Checks the bits that a guest gave, zero-extended from their size, and brings them into their canonical form.
    pub(super) fn check_guest(self, bits: u64) -> Result<u64, WireError> {
        match self {
            Self::Bool => Ok(u64::from(bits != 0)),
            Self::Char => match u32::try_from(bits).ok().and_then(char::from_u32) {
                Some(_) => Ok(bits),
                None => Err(WireError::Char { value: bits }),
            },
            Self::Enum(cases) if bits >= cases as u64 => Err(WireError::Discriminant { value: bits, cases }),
            // The canonical ABI ignores bits beyond the last flag.
            Self::Flags(flags) => Ok(bits & flag_mask(flags)),
            _ => Ok(bits),
        }
    }

    /// The varint of checked guest bits.
    pub(super) fn varint(self, bits: u64) -> u64 {
        match self {
            Self::S8 => zigzag(i64::from(bits as i8)),
            Self::S16 => zigzag(i64::from(bits as i16)),
            Self::S32 => zigzag(i64::from(bits as i32)),
            Self::S64 => zigzag(bits as i64),
            _ => bits,
        }
    }

    /// Writes a single field in front of `message`; `optional` ones are written whatever their value.
    pub(super) fn write_field(self, message: &mut Message, number: u32, bits: u64, optional: bool) {
        if bits == 0 && !optional {
            return;
        }
        let wire_type = match self.single_kind() {
            Kind::Varint => {
                message.prepend_varint(self.varint(bits));
                0
            }
            Kind::Fixed32 => {
                message.prepend(&(bits as u32).to_le_bytes());
                5
            }
            Kind::Fixed64 => {
                message.prepend(&bits.to_le_bytes());
                1
            }
        };
        message.prepend_varint(u64::from(number) << 3 | wire_type);
    }

    /// The guest bits of a single field, zero-extended from the size of the type.
    pub(super) fn read_field(self, field: Field<'_>) -> Result<u64, WireError> {
        match (self.single_kind(), field.value) {
            (Kind::Varint, Value::Varint(value)) => self.check_varint(value),
            (Kind::Fixed32, Value::Fixed32(value)) => Ok(u64::from(value)),
            (Kind::Fixed64, Value::Fixed64(value)) => Ok(value),
            _ => Err(field.unexpected().into()),
        }
    }

    /// The guest bits of an element of a list that is not packed.
    pub(super) fn read_element(self, field: Field<'_>) -> Result<u64, WireError> {
        match (self.list_kind(), field.value) {
            (Kind::Varint, Value::Varint(value)) => self.check_varint(value),
            (Kind::Fixed32, Value::Fixed32(value)) => Ok(u64::from(value)),
            (Kind::Fixed64, Value::Fixed64(value)) => Ok(value),
            _ => Err(field.unexpected().into()),
        }
    }

    /// The guest bits of a varint, zero-extended from the size of the type.
    pub(super) fn check_varint(self, value: u64) -> Result<u64, WireError> {
        let unsigned = |max: u64, ty| match value <= max {
            true => Ok(value),
            false => Err(WireError::Range { value: value.into(), ty }),
        };
        let signed = |bits: u32, ty| {
            let number = unzigzag(value);
            let limit = 1i64 << (bits - 1);
            match (-limit..limit).contains(&number) {
                true => Ok(number as u64 & ((1 << bits) - 1)),
                false => Err(WireError::Range { value: number.into(), ty }),
            }
        };
        match self {
            Self::Bool => Ok(u64::from(value != 0)),
            Self::U8 => unsigned(u8::MAX.into(), "u8"),
            Self::U16 => unsigned(u16::MAX.into(), "u16"),
            Self::U32 => unsigned(u32::MAX.into(), "u32"),
            Self::U64 => Ok(value),
            Self::S8 => signed(8, "s8"),
            Self::S16 => signed(16, "s16"),
            Self::S32 => signed(32, "s32"),
            Self::S64 => Ok(unzigzag(value) as u64),
            Self::Char | Self::Enum(_) => self.check_guest(value),
            Self::Flags(flags) if value & !flag_mask(flags) != 0 => Err(WireError::Flags { value, flags }),
            Self::Flags(_) => Ok(value),
            Self::F32 | Self::F64 => unreachable!("floats are fixed-width fields"),
        }
    }

    /// The core value of checked guest bits: signed types are sign-extended to 32 bits, the rest is zero.
    pub(super) fn flat_bits(self, bits: u64) -> u64 {
        match self {
            Self::S8 => u64::from(i32::from(bits as i8) as u32),
            Self::S16 => u64::from(i32::from(bits as i16) as u32),
            _ => bits,
        }
    }
}

fn flag_mask(flags: usize) -> u64 {
    (1 << flags) - 1
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
