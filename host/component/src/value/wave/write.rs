//! JSON that is of its type to WAVE.

use std::borrow::Cow;

use serde_json::Value;
use wasm_wave::wasm::{WasmTypeKind, WasmValue};

use super::super::case;
use crate::component::{Type, TypeKind};

/// The value as WAVE. It is one of the type, as decoding made it.
pub(super) fn text(ty: &Type, json: &Value) -> String {
    wasm_wave::to_string(&Typed { ty, json }).expect("writing to a string can't fail")
}

/// A value with its type, as far as it has to be known to be written.
#[derive(Clone, Copy)]
struct Typed<'v> {
    ty: &'v Type,
    json: &'v Value,
}

type Part<'v> = Cow<'v, Typed<'v>>;

impl<'v> Typed<'v> {
    fn part(ty: &'v Type, json: &'v Value) -> Part<'v> {
        Cow::Owned(Typed { ty, json })
    }

    fn unsigned(&self) -> u64 {
        self.json.as_u64().expect("an unsigned integer is a number")
    }

    fn signed(&self) -> i64 {
        self.json.as_i64().expect("a signed integer is a number")
    }

    fn str(&self) -> &'v str {
        self.json.as_str().expect("it is a string")
    }

    fn array(&self) -> &'v [Value] {
        self.json.as_array().expect("it is an array")
    }

    /// The case that is set, and its payload.
    fn case(&self) -> (&'v str, Option<Part<'v>>) {
        let Value::Object(object) = self.json else { return (self.str(), None) };
        let (name, json) = object.iter().next().expect("a case with a payload is its only entry");
        let found = (0..).map_while(|index| case(&self.ty.kind, index)).find(|(case, _)| case == name);
        let payload = found.and_then(|(_, payload)| payload).expect("the type has the case with its payload");
        (name, Some(Typed::part(payload, json)))
    }
}

impl<'v> WasmValue for Typed<'v> {
    type Type = wasm_wave::value::Type;

    fn kind(&self) -> WasmTypeKind {
        match &self.ty.kind {
            TypeKind::Bool => WasmTypeKind::Bool,
            TypeKind::U8 => WasmTypeKind::U8,
            TypeKind::S8 => WasmTypeKind::S8,
            TypeKind::U16 => WasmTypeKind::U16,
            TypeKind::S16 => WasmTypeKind::S16,
            TypeKind::U32 => WasmTypeKind::U32,
            TypeKind::S32 => WasmTypeKind::S32,
            TypeKind::U64 => WasmTypeKind::U64,
            TypeKind::S64 => WasmTypeKind::S64,
            TypeKind::F32 => WasmTypeKind::F32,
            TypeKind::F64 => WasmTypeKind::F64,
            TypeKind::Char => WasmTypeKind::Char,
            TypeKind::String => WasmTypeKind::String,
            TypeKind::List(_) => WasmTypeKind::List,
            TypeKind::Option(_) => WasmTypeKind::Option,
            TypeKind::Result { .. } => WasmTypeKind::Result,
            TypeKind::Tuple(_) => WasmTypeKind::Tuple,
            TypeKind::Record(_) => WasmTypeKind::Record,
            TypeKind::Variant(_) => WasmTypeKind::Variant,
            TypeKind::Enum(_) => WasmTypeKind::Enum,
            TypeKind::Flags(_) => WasmTypeKind::Flags,
        }
    }

    fn unwrap_bool(&self) -> bool {
        self.json.as_bool().expect("it is true or false")
    }

    fn unwrap_s8(&self) -> i8 {
        self.signed() as i8
    }

    fn unwrap_s16(&self) -> i16 {
        self.signed() as i16
    }

    fn unwrap_s32(&self) -> i32 {
        self.signed() as i32
    }

    fn unwrap_s64(&self) -> i64 {
        self.signed()
    }

    fn unwrap_u8(&self) -> u8 {
        self.unsigned() as u8
    }

    fn unwrap_u16(&self) -> u16 {
        self.unsigned() as u16
    }

    fn unwrap_u32(&self) -> u32 {
        self.unsigned() as u32
    }

    fn unwrap_u64(&self) -> u64 {
        self.unsigned()
    }

    fn unwrap_f32(&self) -> f32 {
        self.unwrap_f64() as f32
    }

    fn unwrap_f64(&self) -> f64 {
        match self.json {
            Value::Number(number) => number.as_f64().expect("every number is one"),
            _ => self.str().parse().expect("Rust reads the names of the others"),
        }
    }

    fn unwrap_char(&self) -> char {
        self.str().chars().next().expect("it has one character")
    }

    fn unwrap_string(&self) -> Cow<'_, str> {
        self.str().into()
    }

    fn unwrap_list(&self) -> Box<dyn Iterator<Item = Cow<'_, Self>> + '_> {
        let TypeKind::List(element) = &self.ty.kind else { unreachable!("it is asked by the kind") };
        Box::new(self.array().iter().map(|json| Typed::part(element, json)))
    }

    fn unwrap_record(&self) -> Box<dyn Iterator<Item = (Cow<'_, str>, Cow<'_, Self>)> + '_> {
        let TypeKind::Record(fields) = &self.ty.kind else { unreachable!("it is asked by the kind") };
        let part = |name: &str| self.json.get(name).expect("every field was decoded");
        Box::new(
            fields.iter().map(move |field| (field.name.as_str().into(), Typed::part(&field.ty, part(&field.name)))),
        )
    }

    fn unwrap_tuple(&self) -> Box<dyn Iterator<Item = Cow<'_, Self>> + '_> {
        let TypeKind::Tuple(types) = &self.ty.kind else { unreachable!("it is asked by the kind") };
        Box::new(types.iter().zip(self.array()).map(|(ty, json)| Typed::part(ty, json)))
    }

    fn unwrap_variant(&self) -> (Cow<'_, str>, Option<Cow<'_, Self>>) {
        let (name, payload) = self.case();
        (name.into(), payload)
    }

    fn unwrap_enum(&self) -> Cow<'_, str> {
        self.str().into()
    }

    fn unwrap_option(&self) -> Option<Cow<'_, Self>> {
        let TypeKind::Option(inner) = &self.ty.kind else { unreachable!("it is asked by the kind") };
        match (self.json, &inner.kind) {
            (Value::Null, _) => None,
            (json, TypeKind::Option(_)) => Some(Typed::part(inner, &json[0])),
            (json, _) => Some(Typed::part(inner, json)),
        }
    }

    fn unwrap_result(&self) -> Result<Option<Cow<'_, Self>>, Option<Cow<'_, Self>>> {
        match self.case() {
            ("ok", payload) => Ok(payload),
            (_, payload) => Err(payload),
        }
    }

    fn unwrap_flags(&self) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        Box::new(self.array().iter().map(|name| name.as_str().expect("flags are names").into()))
    }
}
