//! JSON to the bytes of a message.

use std::ops::RangeInclusive;

use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::Value;

use super::error::{EncodeError, EncodeProblem};
use super::number::{Number, fixed_size, is_number};
use super::{cases, needs_wrapper};
use crate::component::{Field, Type, TypeKind};

/// The most characters of a wrong value that an error repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// Encodes the arguments of a call as its request.
///
/// `arguments` is an array with a value for each parameter in order, or an object with a value for each by its name.
pub fn encode_json(params: &[Field], arguments: &Value) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder { path: Vec::new() };
    let mut message = Vec::new();
    match arguments {
        Value::Array(values) if values.len() == params.len() => {
            for (number, (param, value)) in (1..).zip(params.iter().zip(values)) {
                encoder.at(Step::Name(param.name.clone()), |encoder| {
                    encoder.owned(&mut message, number, &param.ty, value)
                })?;
            }
        }
        Value::Object(_) => encoder.record(&mut message, params, arguments)?,
        _ => {
            let params: Vec<_> = params.iter().map(ToString::to_string).collect();
            let expected = format!("an array or an object with {} arguments ({})", params.len(), params.join(", "));
            return Err(encoder.unexpected(expected, arguments));
        }
    }
    Ok(message)
}

/// A step from a value to a part of it.
enum Step {
    Name(String),
    Index(usize),
}

/// Where in the value the encoder is.
struct Encoder {
    path: Vec<Step>,
}

type Result<T, E = EncodeError> = std::result::Result<T, E>;

impl Encoder {
    /// Writes a value that owns a field, and so may leave it out.
    fn owned(&mut self, out: &mut Vec<u8>, number: u32, ty: &Type, value: &Value) -> Result<()> {
        match &ty.kind {
            TypeKind::Option(_) if value.is_null() => Ok(()),
            TypeKind::Option(inner) if matches!(inner.kind, TypeKind::Option(_)) => {
                match value.as_array().map(Vec::as_slice) {
                    Some([some]) => self.at(Step::Index(0), |encoder| encoder.present(out, number, inner, some)),
                    _ => Err(self.unexpected(format!("null or an array of one (`{}`)", ty.kind), value)),
                }
            }
            TypeKind::Option(inner) => self.present(out, number, inner, value),
            TypeKind::List(element) if needs_wrapper(ty) => self.list(out, number, element, value),
            kind if is_number(kind) => {
                let scalar = self.scalar(ty, value)?;
                if !scalar.is_default() {
                    scalar.write_field(out, number);
                }
                Ok(())
            }
            TypeKind::String | TypeKind::List(_) => {
                let bytes = self.bytes(ty, value)?;
                if !bytes.is_empty() {
                    write_block(out, number, &bytes);
                }
                Ok(())
            }
            _ => self.present(out, number, ty, value),
        }
    }

    /// Writes a value whose field says by itself that it is there.
    fn present(&mut self, out: &mut Vec<u8>, number: u32, ty: &Type, value: &Value) -> Result<()> {
        if is_number(&ty.kind) {
            self.scalar(ty, value)?.write_field(out, number);
            return Ok(());
        }
        let mut content = Vec::new();
        match &ty.kind {
            TypeKind::Record(fields) => self.record(&mut content, fields, value)?,
            TypeKind::Tuple(types) => {
                let values = self.array(value, format!("an array of {} (`{ty}`)", types.len()), Some(types.len()))?;
                for (index, (ty, value)) in types.iter().zip(values).enumerate() {
                    let number = index as u32 + 1;
                    self.at(Step::Index(index), |encoder| encoder.owned(&mut content, number, ty, value))?;
                }
            }
            TypeKind::Variant(_) | TypeKind::Result { .. } => self.case(&mut content, ty, value)?,
            _ if needs_wrapper(ty) => self.owned(&mut content, 1, ty, value)?,
            _ => content = self.bytes(ty, value)?,
        }
        write_block(out, number, &content);
        Ok(())
    }

    fn record(&mut self, out: &mut Vec<u8>, fields: &[Field], value: &Value) -> Result<()> {
        let names = || fields.iter().map(|field| field.name.as_str());
        let Value::Object(object) = value else {
            let names: Vec<_> = names().collect();
            return Err(self.unexpected(format!("an object with {}", names.join(", ")), value));
        };
        if let Some(name) = object.keys().find(|name| !names().any(|known| known == *name)) {
            return Err(self.unknown(name, names()));
        }
        for (number, field) in (1..).zip(fields) {
            let is_option = matches!(field.ty.kind, TypeKind::Option(_));
            match object.get(&field.name) {
                Some(value) => {
                    self.at(Step::Name(field.name.clone()), |encoder| encoder.owned(out, number, &field.ty, value))?
                }
                None if is_option => {}
                None => return Err(self.error(EncodeProblem::Missing { name: field.name.clone() })),
            }
        }
        Ok(())
    }

    fn case(&mut self, out: &mut Vec<u8>, ty: &Type, value: &Value) -> Result<()> {
        let cases: Vec<_> = cases(&ty.kind).collect();
        let (name, payload) = match value {
            Value::String(name) => (name, &Value::Null),
            Value::Object(object) if object.len() == 1 => object.iter().next().expect("it has one entry"),
            _ => return Err(self.unexpected(format!("a case of `{ty}`, such as {{\"{}\": …}}", cases[0].0), value)),
        };
        let Some(index) = cases.iter().position(|(case, _)| case == name) else {
            return Err(self.unknown(name, cases.iter().map(|(name, _)| *name)));
        };
        let number = index as u32 + 1;
        self.at(Step::Name(name.clone()), |encoder| match cases[index].1 {
            Some(_) if value.is_string() => {
                Err(encoder.error(EncodeProblem::Missing { name: format!("{{\"{name}\": …}}") }))
            }
            Some(ty) => encoder.present(out, number, ty, payload),
            None if payload.is_null() => {
                write_block(out, number, &[]);
                Ok(())
            }
            None => Err(encoder.unexpected("no payload".to_owned(), payload)),
        })
    }

    fn list(&mut self, out: &mut Vec<u8>, number: u32, element: &Type, value: &Value) -> Result<()> {
        let values = self.array(value, format!("an array (`list<{element}>`)"), None)?;
        if !is_number(&element.kind) {
            for (index, value) in values.iter().enumerate() {
                self.at(Step::Index(index), |encoder| encoder.present(out, number, element, value))?;
            }
            return Ok(());
        }
        let mut block = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let scalar = self.at(Step::Index(index), |encoder| encoder.scalar(element, value))?;
            scalar.write_element(&mut block, fixed_size(&element.kind));
        }
        if !values.is_empty() {
            write_block(out, number, &block);
        }
        Ok(())
    }

    /// The content of a string or of a list of bytes.
    fn bytes(&mut self, ty: &Type, value: &Value) -> Result<Vec<u8>> {
        if let TypeKind::List(element) = &ty.kind {
            let values = self.array(value, format!("an array of bytes (`{ty}`)"), None)?;
            let byte = |encoder: &mut Self, (index, value)| {
                let byte = encoder.at(Step::Index(index), |encoder| encoder.scalar(element, value))?;
                Ok(byte.varint() as u8)
            };
            return values.iter().enumerate().map(|value| byte(self, value)).collect();
        }
        match value {
            Value::String(text) => Ok(text.as_bytes().to_vec()),
            _ => Err(self.unexpected(format!("a string (`{ty}`)"), value)),
        }
    }

    fn scalar(&mut self, ty: &Type, value: &Value) -> Result<Number> {
        let unsigned =
            |max: u64| self.integer(ty, value, 0..=i128::from(max)).map(|value| Number::Unsigned(value as u64));
        let signed = |bits: u32| {
            let limit = 1_i128 << (bits - 1);
            self.integer(ty, value, -limit..=limit - 1).map(|value| Number::Signed(value as i64))
        };
        match &ty.kind {
            TypeKind::Bool => match value {
                Value::Bool(value) => Ok(Number::Unsigned(u64::from(*value))),
                _ => Err(self.unexpected(format!("true or false (`{ty}`)"), value)),
            },
            TypeKind::U8 => unsigned(u8::MAX.into()),
            TypeKind::U16 => unsigned(u16::MAX.into()),
            TypeKind::U32 => unsigned(u32::MAX.into()),
            TypeKind::U64 => unsigned(u64::MAX),
            TypeKind::S8 => signed(8),
            TypeKind::S16 => signed(16),
            TypeKind::S32 => signed(32),
            TypeKind::S64 => signed(64),
            TypeKind::F64 => self.float(ty, value).map(Number::F64),
            TypeKind::F32 => {
                let wide = self.float(ty, value)?;
                match wide as f32 {
                    narrow if narrow.is_infinite() && wide.is_finite() => {
                        Err(self.unexpected(format!("a number within `{ty}`"), value))
                    }
                    narrow => Ok(Number::F32(narrow)),
                }
            }
            TypeKind::Char => match value.as_str().map(|text| (text.chars().next(), text.chars().count())) {
                Some((Some(char), 1)) => Ok(Number::Unsigned(u64::from(u32::from(char)))),
                _ => Err(self.unexpected(format!("a string of one character (`{ty}`)"), value)),
            },
            TypeKind::Enum(names) => self.label(ty, names, value).map(|index| Number::Unsigned(index as u64)),
            TypeKind::Flags(names) => {
                let mut bits = 0;
                let set = self.array(value, format!("an array of names (`{ty}`)"), None)?;
                for (index, name) in set.iter().enumerate() {
                    bits |= 1 << self.at(Step::Index(index), |encoder| encoder.label(ty, names, name))?;
                }
                Ok(Number::Unsigned(bits))
            }
            _ => unreachable!("`is_number` was asked before"),
        }
    }

    fn integer(&self, ty: &Type, value: &Value, range: RangeInclusive<i128>) -> Result<i128> {
        let integer = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
        integer.filter(|integer| range.contains(integer)).ok_or_else(|| {
            let (min, max) = (range.start(), range.end());
            self.unexpected(format!("a whole number from {min} to {max} (`{ty}`)"), value)
        })
    }

    fn float(&self, ty: &Type, value: &Value) -> Result<f64> {
        let float = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => match text.as_str() {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                _ => None,
            },
            _ => None,
        };
        float.ok_or_else(|| self.unexpected(format!("a number (`{ty}`)"), value))
    }

    /// The index of a case of an enum, or of a flag.
    fn label(&self, ty: &Type, names: &[String], value: &Value) -> Result<usize> {
        let Value::String(name) = value else {
            return Err(self.unexpected(format!("the name of one of `{ty}`"), value));
        };
        let index = names.iter().position(|known| known == name);
        index.ok_or_else(|| self.unknown(name, names.iter().map(String::as_str)))
    }

    fn array<'v>(&self, value: &'v Value, expected: String, length: Option<usize>) -> Result<&'v [Value]> {
        match value {
            Value::Array(values) if length.is_none_or(|length| values.len() == length) => Ok(values),
            _ => Err(self.unexpected(expected, value)),
        }
    }

    fn at<T>(&mut self, step: Step, encode: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.path.push(step);
        let result = encode(self);
        self.path.pop();
        result
    }

    fn unexpected(&self, expected: String, value: &Value) -> EncodeError {
        self.error(EncodeProblem::Unexpected { expected, found: shown(value) })
    }

    fn unknown<'n>(&self, name: &str, names: impl Iterator<Item = &'n str>) -> EncodeError {
        let names = names.map(str::to_owned).collect();
        self.error(EncodeProblem::Unknown { name: name.to_owned(), names })
    }

    fn error(&self, problem: EncodeProblem) -> EncodeError {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Name(name) if path.is_empty() => path.push_str(name),
                Step::Name(name) => path.push_str(&format!(".{name}")),
            }
        }
        EncodeError { path, problem }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("an array of {}", values.len()),
        Value::Object(_) => "an object".to_owned(),
        scalar => {
            let text = scalar.to_string();
            match text.char_indices().nth(SHOWN_CHARS_MAX) {
                Some((end, _)) => format!("`{}…`", &text[..end]),
                None => format!("`{text}`"),
            }
        }
    }
}

pub(super) fn write_block(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}
