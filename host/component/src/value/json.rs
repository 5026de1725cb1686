//! The bytes of a message to JSON.

use serde_json::{Number, Value};

use super::decode::{self, Decoded};
use super::error::DecodeError;
use crate::component::{Field, Type, TypeKind};

/// Decodes the response of a call whose result has the type `result`; `null` for a function without one.
pub fn decode_json(result: Option<&Type>, message: &[u8]) -> Result<Value, DecodeError> {
    Ok(decode::response(result, message)?.unwrap_or(Value::Null))
}

impl Decoded for Value {
    // A value stands in an array, or in a map with a name and its key's allocation.
    const BYTES: usize = 128;

    fn number(kind: &TypeKind, bits: u64) -> Value {
        match kind {
            TypeKind::Bool => Value::from(bits != 0),
            TypeKind::S8 | TypeKind::S16 | TypeKind::S64 => Value::from(bits as i64),
            TypeKind::S32 => Value::from(bits as i32),
            TypeKind::F32 => float(shortest(f32::from_bits(bits as u32))),
            TypeKind::F64 => float(f64::from_bits(bits)),
            TypeKind::Char => {
                let char = u32::try_from(bits).ok().and_then(char::from_u32).expect("it was checked");
                Value::from(char.to_string())
            }
            TypeKind::Enum(names) => Value::from(names[bits as usize].as_str()),
            TypeKind::Flags(names) => {
                let set = names.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
                set.map(|(_, name)| Value::from(name.as_str())).collect()
            }
            _ => Value::from(bits),
        }
    }

    fn numbers(kind: &TypeKind, size: usize, block: &[u8], list: &mut Vec<Value>) {
        let bits = |bytes: &[u8]| bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        list.extend(block.chunks_exact(size).map(|bytes| Value::number(kind, bits(bytes))));
    }

    fn text(text: &str) -> Value {
        Value::from(text)
    }

    fn bytes(bytes: &[u8]) -> Value {
        bytes.iter().map(|byte| Value::from(*byte)).collect()
    }

    fn list(values: Vec<Value>) -> Value {
        Value::Array(values)
    }

    fn record(fields: &[Field], values: Vec<Value>) -> Value {
        let names = fields.iter().map(|field| field.name.clone());
        Value::Object(names.zip(values).collect())
    }

    fn case(name: &str, payload: Option<Value>) -> Value {
        match payload {
            Some(payload) => Value::Object([(name.to_owned(), payload)].into_iter().collect()),
            None => Value::from(name),
        }
    }

    fn none() -> Value {
        Value::Null
    }

    fn some(ty: &Type, value: Value) -> Value {
        match ty.kind {
            TypeKind::Option(_) => Value::Array(vec![value]),
            _ => value,
        }
    }
}

/// The number with the shortest text that is this one as an `f32`: `0.1`, not `0.10000000149011612`.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| value.into())
}

/// A float, of which those that JSON has no number for are strings.
pub(super) fn float(value: f64) -> Value {
    let name = match value {
        _ if value.is_nan() => "NaN",
        _ if value > 0.0 => "Infinity",
        _ => "-Infinity",
    };
    Number::from_f64(value).map_or_else(|| Value::from(name), Value::Number)
}
