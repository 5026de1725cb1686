//! Values as text, JSON or WAVE, to the bytes of a message and back, and whether bytes are a message at all; driven by
//! the WIT type.
//!
//! For people, scripts and clients at the edges of a program; calls between nodes never pass through it. The bytes are
//! those of `docs/encoding.md`; what is written is in its canonical form. Values are written like this:
//!
//! | WIT | JSON | WAVE |
//! |---|---|---|
//! | integers | number | `7` |
//! | `f32`, `f64` | number; also `"NaN"`, `"Infinity"` and `"-Infinity"` | `0.5`, `nan`, `inf`, `-inf` |
//! | `bool`, `string` | `true` or `false`, string | `true`, `"text"` |
//! | `char` | string of the one character | `'c'` |
//! | `enum` | string: the name of the case | `dark-red` |
//! | `flags` | array of the names of those that are set | `{read, run}` |
//! | `list` | array | `[1, 2]` |
//! | `tuple` | array | `(1, "a")` |
//! | `record` | object; a field that is an option may be left out | `{x: 1, y: 2}` |
//! | `variant`, `result` | `{"case": payload}`, or `"case"` if it has none | `circle(0.5)`, `nothing` |
//! | `option` | `null`, or the value | `none`, `some(1)`, or `1` |
//! | `option` of an option | `null`, or an array of one: `[null]` for `some(none)` | `none`, `some(none)` |

mod check;
mod decode;
mod encode;
mod error;
mod json;
mod number;
mod pattern;
#[cfg(test)]
mod tests;
mod wave;

pub use check::check;
pub use encode::encode_json;
pub use error::{DecodeError, DecodeProblem, EncodeError, EncodeProblem};
pub use json::decode_json;
pub use pattern::{Pattern, decode_arguments};
pub use wave::{WaveError, decode_wave, encode_wave, show_arguments};

use crate::component::{Type, TypeKind};

/// Whether a value of the type stands in a wrapper message where it owns no field.
fn needs_wrapper(ty: &Type) -> bool {
    match &ty.kind {
        TypeKind::Option(_) => true,
        TypeKind::List(element) => element.kind != TypeKind::U8,
        _ => false,
    }
}

/// The case of a variant or a result at that index, with its payload.
fn case(kind: &TypeKind, index: usize) -> Option<(&str, Option<&Type>)> {
    match (kind, index) {
        (TypeKind::Variant(cases), _) => cases.get(index).map(|case| (case.name.as_str(), case.payload.as_deref())),
        (TypeKind::Result { ok, .. }, 0) => Some(("ok", ok.as_deref())),
        (TypeKind::Result { err, .. }, 1) => Some(("err", err.as_deref())),
        _ => None,
    }
}

/// The cases of a variant or a result, in order.
fn cases(kind: &TypeKind) -> impl Iterator<Item = (&str, Option<&Type>)> {
    (0..).map_while(|index| case(kind, index))
}
