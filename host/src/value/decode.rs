//! The bytes of a message to JSON.

use serde_json::{Map, Number, Value};

use super::{cases, fixed_size, is_scalar, needs_wrapper};
use crate::component::{Field, Type, TypeKind};
use crate::proto::reader::{self, FormatError, Occurrences, Reader, Value as WireValue};

/// A message that is no value of its type. The texts are those of `docs/encoding.md`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message breaks the protobuf wire format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A number is outside of the range of its type.
    #[error("{value} does not fit the type `{ty}`")]
    Range {
        /// The number.
        value: i128,
        /// The integer type.
        ty: String,
    },
    /// A number is no Unicode scalar value.
    #[error("{value:#x} is not a char")]
    Char {
        /// The number.
        value: u64,
    },
    /// An enum has no case of this number.
    #[error("{value} is not a case of a type with {cases} cases")]
    Case {
        /// The number.
        value: u64,
        /// How many cases the enum has.
        cases: usize,
    },
    /// A bit is set that is no flag.
    #[error("flags {value:#b} are set of a type with {flags} flags")]
    Flags {
        /// The bits.
        value: u64,
        /// How many flags the type has.
        flags: usize,
    },
    /// A string is not UTF-8.
    #[error("a string is not valid UTF-8")]
    Utf8,
}

type Result<T, E = DecodeError> = std::result::Result<T, E>;

/// Decodes the response of a call whose result has the type `result`; `null` for a function without one.
pub fn decode_json(result: Option<&Type>, message: &[u8]) -> Result<Value> {
    let fields = reader::fields(message, usize::from(result.is_some()))?;
    result.map_or(Ok(Value::Null), |ty| owned(ty, &fields[0]))
}

/// Reads a value that owns a field, and so may be absent from it.
fn owned(ty: &Type, found: &Occurrences<'_>) -> Result<Value> {
    match &ty.kind {
        TypeKind::Option(_) if found.count() == 0 => Ok(Value::Null),
        TypeKind::Option(inner) => {
            let value = present(inner, found)?;
            let is_nested = matches!(inner.kind, TypeKind::Option(_));
            Ok(if is_nested { Value::Array(vec![value]) } else { value })
        }
        TypeKind::List(element) if needs_wrapper(ty) => list(element, found),
        _ => single(ty, found),
    }
}

/// Reads a value whose field says that it is there, out of its wrapper message if it has one.
fn present(ty: &Type, found: &Occurrences<'_>) -> Result<Value> {
    if !needs_wrapper(ty) {
        return single(ty, found);
    }
    let content = found.merged()?;
    owned(ty, &reader::fields(&content, 1)?[0])
}

/// Reads a value that is one field; without an occurrence it is the default of its type.
fn single(ty: &Type, found: &Occurrences<'_>) -> Result<Value> {
    let last = || found.last().map_or(Ok(&[][..]), reader::Field::bytes);
    match &ty.kind {
        TypeKind::String => {
            let text = std::str::from_utf8(last()?).map_err(|_| DecodeError::Utf8)?;
            Ok(Value::from(text))
        }
        TypeKind::List(_) => Ok(last()?.iter().map(|byte| Value::from(*byte)).collect()),
        TypeKind::Record(fields) => record(fields, &found.merged()?),
        TypeKind::Tuple(types) => {
            let content = found.merged()?;
            let fields = reader::fields(&content, types.len())?;
            types.iter().zip(&fields).map(|(ty, found)| owned(ty, found)).collect()
        }
        TypeKind::Variant(_) | TypeKind::Result { .. } => case(ty, &found.merged()?),
        kind => match found.last() {
            None => scalar(ty, 0),
            Some(reader::Field { value: WireValue::Fixed32(bits), .. }) if *kind == TypeKind::F32 => {
                scalar(ty, bits.into())
            }
            Some(reader::Field { value: WireValue::Fixed64(bits), .. }) if *kind == TypeKind::F64 => scalar(ty, bits),
            Some(reader::Field { value: WireValue::Varint(bits), .. }) if !is_float(kind) => varint(ty, bits),
            Some(field) => Err(field.unexpected().into()),
        },
    }
}

fn record(fields: &[Field], content: &[u8]) -> Result<Value> {
    let found = reader::fields(content, fields.len())?;
    let field = |(field, found): (&Field, &Occurrences<'_>)| Ok((field.name.clone(), owned(&field.ty, found)?));
    Ok(Value::Object(fields.iter().zip(&found).map(field).collect::<Result<Map<_, _>>>()?))
}

fn case(ty: &Type, content: &[u8]) -> Result<Value> {
    let cases = cases(&ty.kind).expect("only variants and results are decoded as cases");
    let found = reader::oneof(content, cases.len())?;
    let (name, payload) = cases[found.number() as usize - 1];
    match payload {
        Some(ty) => Ok(Value::Object(Map::from_iter([(name.to_owned(), present(ty, &found)?)]))),
        None => {
            found.last().map(reader::Field::bytes).transpose()?;
            Ok(Value::from(name))
        }
    }
}

fn list(element: &Type, found: &Occurrences<'_>) -> Result<Value> {
    let mut values = Vec::new();
    for field in found.iter() {
        let field = field?;
        match (field.value, fixed_size(&element.kind)) {
            _ if !is_scalar(&element.kind) => values.push(present(element, &Occurrences::one(field))?),
            (WireValue::Bytes(block), Some(size)) => {
                let (elements, rest) = (block.chunks_exact(size), block.chunks_exact(size).remainder());
                if !rest.is_empty() {
                    return Err(FormatError::Truncated.into());
                }
                for bytes in elements {
                    let bits = bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
                    values.push(scalar(element, bits)?);
                }
            }
            (WireValue::Bytes(block), None) => {
                let mut reader = Reader(block);
                while !reader.0.is_empty() {
                    values.push(varint(element, reader.varint()?)?);
                }
            }
            (WireValue::Fixed32(bits), Some(4)) => values.push(scalar(element, bits.into())?),
            (WireValue::Fixed64(bits), Some(8)) => values.push(scalar(element, bits)?),
            (WireValue::Varint(bits), None) => values.push(varint(element, bits)?),
            _ => return Err(field.unexpected().into()),
        }
    }
    Ok(Value::Array(values))
}

fn is_float(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::F32 | TypeKind::F64)
}

/// The value of a varint, which is zigzag for the signed types.
fn varint(ty: &Type, bits: u64) -> Result<Value> {
    let unzigzag = (bits >> 1) as i64 ^ -((bits & 1) as i64);
    let unsigned = |max: u64| match bits <= max {
        true => Ok(Value::from(bits)),
        false => Err(range(bits.into(), ty)),
    };
    let signed = |min: i64, max: i64| match (min..=max).contains(&unzigzag) {
        true => Ok(Value::from(unzigzag)),
        false => Err(range(unzigzag.into(), ty)),
    };
    match &ty.kind {
        TypeKind::U8 => unsigned(u8::MAX.into()),
        TypeKind::U16 => unsigned(u16::MAX.into()),
        TypeKind::U32 => unsigned(u32::MAX.into()),
        TypeKind::S8 => signed(i8::MIN.into(), i8::MAX.into()),
        TypeKind::S16 => signed(i16::MIN.into(), i16::MAX.into()),
        TypeKind::S32 => signed(i32::MIN.into(), i32::MAX.into()),
        TypeKind::S64 => Ok(Value::from(unzigzag)),
        _ => scalar(ty, bits),
    }
}

fn range(value: i128, ty: &Type) -> DecodeError {
    DecodeError::Range { value, ty: ty.kind.to_string() }
}

/// The value of the bits of a number, whatever field they stood in.
fn scalar(ty: &Type, bits: u64) -> Result<Value> {
    Ok(match &ty.kind {
        TypeKind::Bool => Value::from(bits != 0),
        TypeKind::F32 => f32_value(f32::from_bits(bits as u32)),
        TypeKind::F64 => float(f64::from_bits(bits)),
        TypeKind::S32 => Value::from(bits as i32),
        TypeKind::S64 => Value::from(bits as i64),
        TypeKind::Char => match u32::try_from(bits).ok().and_then(char::from_u32) {
            Some(char) => Value::from(char.to_string()),
            None => return Err(DecodeError::Char { value: bits }),
        },
        TypeKind::Enum(names) => match usize::try_from(bits).ok().and_then(|index| names.get(index)) {
            Some(name) => Value::from(name.as_str()),
            None => return Err(DecodeError::Case { value: bits, cases: names.len() }),
        },
        TypeKind::Flags(names) => {
            if bits >> names.len() != 0 {
                return Err(DecodeError::Flags { value: bits, flags: names.len() });
            }
            let set = names.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
            set.map(|(_, name)| Value::from(name.as_str())).collect()
        }
        _ => Value::from(bits),
    })
}

/// The shortest number that is this one as an `f32`: `0.1`, not `0.10000000149011612`.
fn f32_value(value: f32) -> Value {
    float(value.to_string().parse().unwrap_or_else(|_| value.into()))
}

fn float(value: f64) -> Value {
    let name = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    Number::from_f64(value).map_or_else(|| Value::from(name), Value::Number)
}
