//! Values in WAVE of which some parts may be anything: `{id: _, tags: ["a", _]}`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::decode;
use super::wave::{self, WaveError};
use super::{DecodeError, case, encode_json};
use crate::component::{Field, Type, TypeKind};

/// What stands for `_` while a pattern is parsed, because WAVE has no such word.
const ANY: &str = "any-value-matches-here";
/// The same in `some(_)`, which an option without a value does not match. Both are of the same length.
const SOME: &str = "some-value-matches-too";

/// A value of a type in which `_` stands for any value.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Value);

impl Pattern {
    /// Parses a pattern for values of the type.
    ///
    /// # Errors
    /// If it is no WAVE, or is of another type.
    pub fn of_value(ty: &Type, text: &str) -> Result<Self, WaveError> {
        let param = Field { name: "result".to_owned(), ty: std::sync::Arc::new(ty.clone()) };
        let params = std::slice::from_ref(&param);
        let count = wave::arguments(params, &replaced(text).0).map_or(1, |values| values.len());
        match Self::of_arguments(params, text).map(<[Self; 1]>::try_from) {
            Ok(Ok([pattern])) => Ok(pattern),
            Err(error) if count == 1 => Err(error),
            _ => {
                let message = format!("one value is expected, of type `{ty}`, and there are {count}");
                Err(WaveError::Syntax { message, character: 1 })
            }
        }
    }

    /// Parses patterns for the arguments of a call, which stand between its parentheses. A lone `_` stands for all of them,
    /// and options at the end may be left out.
    ///
    /// # Errors
    /// If they are no WAVE, or are of other types.
    pub fn of_arguments(params: &[Field], text: &str) -> Result<Vec<Self>, WaveError> {
        if text.trim() == "_" {
            return Ok(params.iter().map(|_| Self(Value::from(ANY))).collect());
        }
        let (source, places) = replaced(text);
        let values = wave::arguments(params, &source).map_err(|error| moved(error, &places))?;
        let typed = values.iter().zip(params).map(|(value, param)| some_value(&param.ty, value).into_owned());
        let typed = typed.chain(values.iter().skip(params.len()).cloned()).collect();
        encode_json(params, &Value::Array(typed))?;
        Ok(values.into_iter().map(Self).collect())
    }

    /// Whether the value, which is one of the type, is one of the pattern.
    pub fn matches(&self, ty: &Type, value: &Value) -> bool {
        matches(ty, &self.0, value)
    }
}

/// The arguments in a request, which is the message of a call with those parameters, as JSON.
///
/// # Errors
/// If the message is none of such a call.
pub fn decode_arguments(params: &[Field], message: &[u8]) -> Result<Vec<Value>, DecodeError> {
    decode::request(params, message)
}

/// The text with a word in place of every `_` that stands for a value, and where those were, in characters.
fn replaced(text: &str) -> (String, Vec<usize>) {
    let (mut out, mut places) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' if rest.starts_with("\"\"\"") => rest[3..].find("\"\"\"").map_or(rest.len(), |end| end + 6),
            '"' | '\'' => quoted_length(rest, first),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '_' => {
                places.push(out.chars().count());
                out.push_str(if is_in_some(&out) { SOME } else { ANY });
                rest = &rest[1..];
                continue;
            }
            // A name may not have one in it, so that what is wrong with it is for the parser to say.
            c if c.is_alphanumeric() || c == '%' || c == '-' => {
                rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '%' | '-' | '_'))).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    (out, places)
}

/// Whether what comes next is the payload of `some`.
fn is_in_some(before: &str) -> bool {
    let Some(name) = before.trim_end().strip_suffix('(') else { return false };
    let Some(rest) = name.trim_end().strip_suffix("some") else { return false };
    !rest.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '%'))
}

/// How long the text or character literal is that `rest` begins with.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// An error in a replaced text, as one in the text that was written.
fn moved(error: WaveError, places: &[usize]) -> WaveError {
    match error {
        WaveError::Syntax { message, character } => {
            let longer = ANY.len() - 1;
            let before = places.iter().filter(|place| **place + 1 < character).count();
            WaveError::Syntax {
                message: message.replace(ANY, "_").replace(SOME, "_"),
                character: character.saturating_sub(before * longer).max(1),
            }
        }
        error => error,
    }
}

/// The value with some value of its type in place of whatever may be any, so that its type can be checked.
fn some_value<'v, 't>(ty: &'t Type, value: &'v Value) -> Cow<'v, Value> {
    if value == ANY || value == SOME {
        return Cow::Owned(default(ty));
    }
    let parts = |values: &[Value], ty: &dyn Fn(usize) -> Option<&'t Type>| -> Value {
        let part = |(index, value): (usize, &Value)| match ty(index) {
            Some(ty) => some_value(ty, value).into_owned(),
            None => value.clone(),
        };
        values.iter().enumerate().map(part).collect()
    };
    Cow::Owned(match (&ty.kind, value) {
        (TypeKind::Option(inner), Value::Array(_)) if matches!(inner.kind, TypeKind::Option(_)) => {
            parts(value.as_array().expect("it is one"), &|_| Some(&**inner))
        }
        (TypeKind::Option(inner), value) if !value.is_null() => some_value(inner, value).into_owned(),
        (TypeKind::List(element), Value::Array(values)) => parts(values, &|_| Some(&**element)),
        (TypeKind::Tuple(types), Value::Array(values)) => parts(values, &|index| types.get(index).map(|ty| &**ty)),
        (TypeKind::Record(fields), Value::Object(object)) => {
            let part = |(name, value): (&String, &Value)| {
                let field = fields.iter().find(|field| field.name == *name);
                (name.clone(), field.map_or_else(|| value.clone(), |field| some_value(&field.ty, value).into_owned()))
            };
            Value::Object(object.iter().map(part).collect())
        }
        (TypeKind::Variant(_) | TypeKind::Result { .. }, Value::Object(object)) => {
            let part = |(name, value): (&String, &Value)| {
                let payload = payload_of(ty, name);
                (name.clone(), payload.map_or_else(|| value.clone(), |ty| some_value(ty, value).into_owned()))
            };
            Value::Object(object.iter().map(part).collect())
        }
        _ => return Cow::Borrowed(value),
    })
}

/// Some value of the type.
fn default(ty: &Type) -> Value {
    match &ty.kind {
        TypeKind::Bool => Value::from(false),
        TypeKind::Char => Value::from("a"),
        TypeKind::String => Value::from(""),
        TypeKind::List(_) | TypeKind::Flags(_) => Value::Array(Vec::new()),
        TypeKind::Option(_) => Value::Null,
        TypeKind::Tuple(types) => types.iter().map(|ty| default(ty)).collect(),
        TypeKind::Record(fields) => {
            Value::Object(fields.iter().map(|field| (field.name.clone(), default(&field.ty))).collect())
        }
        TypeKind::Enum(names) => Value::from(names[0].as_str()),
        TypeKind::Variant(_) | TypeKind::Result { .. } => match case(&ty.kind, 0) {
            Some((name, Some(payload))) => Value::Object(Map::from_iter([(name.to_owned(), default(payload))])),
            Some((name, None)) => Value::from(name),
            None => Value::Null,
        },
        _ => Value::from(0),
    }
}

fn payload_of<'t>(ty: &'t Type, name: &str) -> Option<&'t Type> {
    super::cases(&ty.kind).find(|(case, _)| *case == name)?.1
}

fn matches<'t>(ty: &'t Type, pattern: &Value, value: &Value) -> bool {
    if pattern == ANY {
        return true;
    }
    if pattern == SOME {
        return !value.is_null();
    }
    let each = |ty: &dyn Fn(usize) -> Option<&'t Type>| match (pattern.as_array(), value.as_array()) {
        (Some(patterns), Some(values)) if patterns.len() == values.len() => {
            let mut pairs = patterns.iter().zip(values).enumerate();
            pairs.all(|(index, (pattern, value))| ty(index).is_some_and(|ty| matches(ty, pattern, value)))
        }
        _ => false,
    };
    match &ty.kind {
        TypeKind::Option(inner) if matches!(inner.kind, TypeKind::Option(_)) => match (pattern, value) {
            (Value::Null, value) => value.is_null(),
            _ => each(&|_| Some(&**inner)),
        },
        TypeKind::Option(inner) => match (pattern, value) {
            (Value::Null, Value::Null) => true,
            (Value::Null, _) | (_, Value::Null) => false,
            (pattern, value) => matches(inner, pattern, value),
        },
        TypeKind::List(element) => each(&|_| Some(&**element)),
        TypeKind::Tuple(types) => each(&|index| types.get(index).map(|ty| &**ty)),
        TypeKind::Record(fields) => fields.iter().all(|field| {
            let part = |value: &Value| value.get(&field.name).cloned().unwrap_or(Value::Null);
            matches(&field.ty, &part(pattern), &part(value))
        }),
        TypeKind::Variant(_) | TypeKind::Result { .. } => match (pattern.as_object(), value.as_object()) {
            (Some(pattern), Some(value)) => pattern.iter().zip(value).all(|((name, pattern), (case, value))| {
                name == case && payload_of(ty, name).is_some_and(|ty| matches(ty, pattern, value))
            }),
            _ => pattern == value,
        },
        TypeKind::Flags(_) => match (pattern.as_array(), value.as_array()) {
            (Some(pattern), Some(value)) => {
                pattern.len() == value.len() && pattern.iter().all(|flag| value.contains(flag))
            }
            _ => false,
        },
        TypeKind::F32 => {
            numbers(pattern, value).is_some_and(|(pattern, value)| pattern as f32 == value as f32) || pattern == value
        }
        TypeKind::F64 => numbers(pattern, value).is_some_and(|(pattern, value)| pattern == value) || pattern == value,
        _ => pattern == value,
    }
}

fn numbers(pattern: &Value, value: &Value) -> Option<(f64, f64)> {
    Some((pattern.as_f64()?, value.as_f64()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn ty(kind: TypeKind) -> Arc<Type> {
        Arc::new(Type { name: None, kind })
    }

    fn point() -> Arc<Type> {
        let field = |name: &str, ty: &Arc<Type>| Field { name: name.to_owned(), ty: ty.clone() };
        let (number, text) = (ty(TypeKind::U32), ty(TypeKind::Option(ty(TypeKind::String))));
        ty(TypeKind::Record(vec![field("x", &number), field("name", &text)]))
    }

    #[track_caller]
    fn check(ty: &Type, pattern: &str, matching: &[Value], others: &[Value]) {
        let parsed = Pattern::of_value(ty, pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for value in matching {
            assert!(parsed.matches(ty, value), "{pattern} is {value}");
        }
        for value in others {
            assert!(!parsed.matches(ty, value), "{pattern} is not {value}");
        }
    }

    #[test]
    fn a_line_stands_for_any_value() {
        let point = point();
        check(&point, "_", &[json!({ "x": 1, "name": null })], &[]);
        check(&point, "{x: _, name: \"_\"}", &[json!({ "x": 1, "name": "_" })], &[json!({ "x": 1, "name": "a" })]);
        check(&point, "{x: 2}", &[json!({ "x": 2, "name": null })], &[json!({ "x": 2, "name": "a" })]);
        check(&point, "{name: some(_), x: 2}", &[json!({ "x": 2, "name": "a" })], &[json!({ "x": 2, "name": null })]);
        let list = ty(TypeKind::List(point));
        check(
            &list,
            "[_, {x: 1}]",
            &[json!([{ "x": 7, "name": "b" }, { "x": 1, "name": null }])],
            &[json!([]), json!([1])],
        );
    }

    #[test]
    fn results_and_floats_are_compared_as_values() {
        let result = ty(TypeKind::Result { ok: Some(ty(TypeKind::F64)), err: Some(ty(TypeKind::String)) });
        check(&result, "ok(1)", &[json!({ "ok": 1.0 })], &[json!({ "ok": 2.0 }), json!({ "err": "1" })]);
        check(&result, "err(_)", &[json!({ "err": "x" })], &[json!({ "ok": 1.0 })]);
        check(&result, "0.5", &[json!({ "ok": 0.5 })], &[json!({ "ok": "NaN" })]);
        check(&result, "nan", &[json!({ "ok": "NaN" })], &[json!({ "ok": 0.5 })]);
    }

    #[test]
    fn a_pattern_of_another_type_is_refused_where_it_is_wrong() {
        let error = |ty: &Type, text: &str| Pattern::of_value(ty, text).expect_err("it is wrong").to_string();
        assert_eq!(
            error(&point(), "{x: \"a\", name: _}"),
            "`result.x`: expected a whole number from 0 to 4294967295 (`u32`), found `\"a\"`"
        );
        assert_eq!(
            error(&ty(TypeKind::U8), "_, 1"),
            "one value is expected, of type `u8`, and there are 2 at character 1"
        );
        let syntax = error(&ty(TypeKind::List(ty(TypeKind::U8))), "[_, _, ]]");
        assert!(syntax.ends_with("at character 9"), "{syntax}");
    }

    #[test]
    fn arguments_are_patterns_each_or_all_at_once() {
        let params = [
            Field { name: "key".to_owned(), ty: ty(TypeKind::String) },
            Field { name: "n".to_owned(), ty: ty(TypeKind::U8) },
        ];
        let parse = |text: &str| Pattern::of_arguments(&params, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parse("_").len(), 2);
        let patterns = parse("\"a_b\", _");
        assert!(patterns[0].matches(&params[0].ty, &json!("a_b")) && patterns[1].matches(&params[1].ty, &json!(7)));
        assert!(Pattern::of_arguments(&params, "_, 1, 2").is_err() && Pattern::of_arguments(&params, "\"a\"").is_err());
    }
}
