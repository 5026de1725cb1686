//! Values as WAVE, the text format of the component model.

mod read;
mod write;

use serde_json::Value;

pub(super) use read::arguments;

use super::{DecodeError, EncodeError, decode_json, encode_json};
use crate::component::{Field, Type, TypeKind};

/// Text that is no WAVE, or no value of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaveError {
    /// The text is no WAVE.
    #[error("{message} at character {character}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// Where it is wrong; the first character is 1.
        character: usize,
    },
    /// A value is none of its type.
    #[error(transparent)]
    Value(#[from] EncodeError),
}

/// Encodes the arguments of a call as its request.
///
/// `arguments` is what stands between the parentheses of a call in WAVE, such as `5, "text", some({x: 1})`. Options at the
/// end may be left out.
pub fn encode_wave(params: &[Field], arguments: &str) -> Result<Vec<u8>, WaveError> {
    let mut values = read::arguments(params, arguments)?;
    let left_out = params.iter().skip(values.len());
    values.extend(left_out.take_while(|param| matches!(param.ty.kind, TypeKind::Option(_))).map(|_| Value::Null));
    Ok(encode_json(params, &Value::Array(values))?)
}

/// Decoded arguments of a call, as JSON, as they stand between its parentheses in WAVE.
pub fn show_arguments(params: &[Field], arguments: &[Value]) -> String {
    let shown = params.iter().zip(arguments).map(|(param, value)| write::text(&param.ty, value));
    shown.collect::<Vec<_>>().join(", ")
}

/// Decodes the response of a call whose result has the type `result`; nothing for a function without one.
pub fn decode_wave(result: Option<&Type>, message: &[u8]) -> Result<String, DecodeError> {
    let value = decode_json(result, message)?;
    Ok(result.map_or_else(String::new, |ty| write::text(ty, &value)))
}
