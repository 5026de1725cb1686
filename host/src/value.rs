//! Values as text: JSON to the bytes of a message and back, driven by the WIT type.
//!
//! For people and scripts at the edges of a program; calls between nodes never pass through it. The bytes are those of
//! `docs/encoding.md`, in its canonical form. Values are written like this:
//!
//! | WIT | JSON |
//! |---|---|
//! | integers, `f32`, `f64` | number; also `"NaN"`, `"Infinity"` and `"-Infinity"` |
//! | `bool`, `string` | `true` or `false`, string |
//! | `char`, `enum` | string: the one character, the name of the case |
//! | `flags` | array of the names of those that are set |
//! | `list`, `tuple` | array |
//! | `record` | object; a field that is an option may be left out |
//! | `variant`, `result` | `{"case": payload}`, or `"case"` if it has none |
//! | `option` | `null`, or the value |
//! | `option` of an option | `null`, or an array of one: `[null]` for `some(none)` |

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use crate::component::{Type, TypeKind};

pub use decode::{DecodeError, decode_json};
pub use encode::{EncodeError, EncodeProblem, encode_json};

/// Whether a value of the type stands in a wrapper message where it owns no field.
fn needs_wrapper(ty: &Type) -> bool {
    match &ty.kind {
        TypeKind::Option(_) => true,
        TypeKind::List(element) => element.kind != TypeKind::U8,
        _ => false,
    }
}

/// The cases of a variant or a result with their payloads.
fn cases(kind: &TypeKind) -> Option<Vec<(&str, Option<&Type>)>> {
    match kind {
        TypeKind::Variant(cases) => {
            Some(cases.iter().map(|case| (case.name.as_str(), case.payload.as_deref())).collect())
        }
        TypeKind::Result { ok, err } => Some(vec![("ok", ok.as_deref()), ("err", err.as_deref())]),
        _ => None,
    }
}

/// How many bytes a scalar has as an element of a list; `None` if it is a varint there, or no scalar.
fn fixed_size(kind: &TypeKind) -> Option<usize> {
    match kind {
        TypeKind::U32 | TypeKind::S32 | TypeKind::F32 => Some(4),
        TypeKind::U64 | TypeKind::S64 | TypeKind::F64 => Some(8),
        _ => None,
    }
}

/// Whether values of the type are one number in a message.
fn is_scalar(kind: &TypeKind) -> bool {
    match kind {
        TypeKind::Bool | TypeKind::Char | TypeKind::Enum(_) | TypeKind::Flags(_) => true,
        TypeKind::U8 | TypeKind::S8 | TypeKind::U16 | TypeKind::S16 => true,
        TypeKind::U32 | TypeKind::S32 | TypeKind::U64 | TypeKind::S64 | TypeKind::F32 | TypeKind::F64 => true,
        TypeKind::String | TypeKind::List(_) | TypeKind::Option(_) | TypeKind::Result { .. } => false,
        TypeKind::Tuple(_) | TypeKind::Record(_) | TypeKind::Variant(_) => false,
    }
}
