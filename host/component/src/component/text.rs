//! Writes component types as WIT text: either by name, for readers, or with every name expanded, for comparing.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentFuncType, ComponentValType, ResourceId,
};
use wasmparser::names::KebabString;
use wasmparser::types::TypesRef;

/// The longest type that is written out. Types share parts, so a small hostile file can describe one with a text of
/// gigabytes; a type that people work with stays below a thousandth of this.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The most that is written out of one component, all types together.
const COMPONENT_BYTES_MAX: usize = 64 * TEXT_BYTES_MAX;

/// The words that WIT reserves; as a name each is written with a `%`.
const KEYWORDS: &[&str] = &[
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

/// What may still be written out of one component.
pub(super) struct TextBudget(Cell<usize>);

impl Default for TextBudget {
    fn default() -> TextBudget {
        TextBudget(Cell::new(COMPONENT_BYTES_MAX))
    }
}

/// A name as WIT spells it.
pub(super) fn spelled(name: &str) -> Cow<'_, str> {
    if KEYWORDS.contains(&name) { Cow::Owned(format!("%{name}")) } else { Cow::Borrowed(name) }
}

/// The names that a [`Writer`] writes instead of expanding what they stand for.
#[derive(Default)]
pub(super) struct Names {
    pub types: HashMap<ComponentAnyTypeId, String>,
    pub resources: HashMap<ResourceId, String>,
}

/// Writes types into `out`, and remembers the first thing in them that a call can't carry.
pub(super) struct Writer<'a> {
    types: TypesRef<'a>,
    names: &'a Names,
    budget: &'a TextBudget,
    bytes_max: usize,
    pub out: String,
    refused: Option<String>,
}

impl<'a> Writer<'a> {
    pub fn new(types: TypesRef<'a>, names: &'a Names, budget: &'a TextBudget) -> Writer<'a> {
        let bytes_max = budget.0.get().min(TEXT_BYTES_MAX);
        Writer { types, names, budget, bytes_max, out: String::new(), refused: None }
    }

    /// Ends the writing: the text, and why a call can't carry something in it.
    pub fn finish(self) -> (String, Option<String>) {
        self.budget.0.set(self.budget.0.get().saturating_sub(self.out.len()));
        (self.out, self.refused)
    }

    /// The parameters in parentheses, without the first if that is the `self` of a method.
    pub fn params(&mut self, func: &ComponentFuncType, skipped: usize) {
        self.out.push('(');
        self.fields(func.params.iter().skip(skipped).map(|(name, ty)| (name, ty)));
        self.out.push(')');
    }

    /// A type where it is used: by its name if it has one.
    pub fn value(&mut self, ty: &ComponentValType) {
        if self.out.len() > self.bytes_max {
            return self.refuse("its type is too long when it is written out".to_owned());
        }
        let types = self.types;
        match ty {
            ComponentValType::Primitive(primitive) => self.primitive(*primitive),
            ComponentValType::Type(id) => match self.names.types.get(&ComponentAnyTypeId::Defined(*id)) {
                Some(name) => self.out.push_str(name),
                None => self.definition(&types[*id]),
            },
        }
    }

    /// A type where it is defined, or one without a name.
    pub fn definition(&mut self, ty: &ComponentDefinedType) {
        match ty {
            ComponentDefinedType::Primitive(primitive) => self.primitive(*primitive),
            ComponentDefinedType::Record(record) => {
                self.out.push_str("record { ");
                self.fields(record.fields.iter());
                self.out.push_str(" }");
            }
            ComponentDefinedType::Variant(variant) => {
                self.out.push_str("variant { ");
                self.list(variant.cases.iter(), |writer, (name, case)| {
                    writer.out.push_str(&spelled(name.as_str()));
                    if let Some(ty) = &case.ty {
                        writer.out.push('(');
                        writer.value(ty);
                        writer.out.push(')');
                    }
                });
                self.out.push_str(" }");
            }
            ComponentDefinedType::List { element, .. } => self.generic("list", [Some(element)]),
            ComponentDefinedType::Option { ty, .. } => self.generic("option", [Some(ty)]),
            ComponentDefinedType::Result { ok, err, .. } => self.generic("result", [ok.as_ref(), err.as_ref()]),
            ComponentDefinedType::Tuple(tuple) => self.generic("tuple", tuple.types.iter().map(Some)),
            ComponentDefinedType::Flags(names) => self.labels("flags", names.iter()),
            ComponentDefinedType::Enum(names) => self.labels("enum", names.iter()),
            ComponentDefinedType::Own(id) => self.resource(id.resource(), ""),
            ComponentDefinedType::Borrow(id) => self.resource(id.resource(), "borrow"),
            ComponentDefinedType::Future { ty, .. } => self.carrier("future", ty.as_ref()),
            ComponentDefinedType::Stream { ty, .. } => self.carrier("stream", ty.as_ref()),
            ComponentDefinedType::Map { key, value, .. } => {
                self.refuse("it passes a `map`".to_owned());
                self.generic("map", [Some(key), Some(value)]);
            }
            ComponentDefinedType::FixedLengthList { element, length, .. } => {
                self.refuse("it passes a `list` of fixed length".to_owned());
                self.out.push_str("list<");
                self.value(element);
                self.out.push_str(&format!(", {length}>"));
            }
        }
    }

    fn primitive(&mut self, primitive: PrimitiveValType) {
        if primitive == PrimitiveValType::ErrorContext {
            self.refuse("it passes an `error-context`".to_owned());
        }
        self.out.push_str(&primitive.to_string());
    }

    fn resource(&mut self, id: ResourceId, borrow: &str) {
        let name = self.names.resources.get(&id).map_or("resource", String::as_str);
        self.refuse("it passes a resource".to_owned());
        match borrow {
            "" => self.out.push_str(name),
            _ => self.out.push_str(&format!("{borrow}<{name}>")),
        }
    }

    fn carrier(&mut self, name: &str, ty: Option<&ComponentValType>) {
        self.refuse(format!("it passes a `{name}`"));
        self.generic(name, [ty]);
    }

    /// `name<a, b>`; a missing last argument is left out, a missing earlier one is `_`.
    fn generic<'t>(&mut self, name: &str, args: impl IntoIterator<Item = Option<&'t ComponentValType>>) {
        self.out.push_str(name);
        let mut args: Vec<_> = args.into_iter().collect();
        while let Some(None) = args.last() {
            args.pop();
        }
        if args.is_empty() {
            return;
        }
        self.out.push('<');
        self.list(args.into_iter(), |writer, arg| match arg {
            Some(ty) => writer.value(ty),
            None => writer.out.push('_'),
        });
        self.out.push('>');
    }

    fn fields<'t>(&mut self, fields: impl Iterator<Item = (&'t KebabString, &'t ComponentValType)>) {
        self.list(fields, |writer, (name, ty)| {
            writer.out.push_str(&spelled(name.as_str()));
            writer.out.push_str(": ");
            writer.value(ty);
        });
    }

    fn labels<'t>(&mut self, kind: &str, names: impl Iterator<Item = &'t KebabString>) {
        self.out.push_str(kind);
        self.out.push_str(" { ");
        self.list(names, |writer, name| writer.out.push_str(&spelled(name.as_str())));
        self.out.push_str(" }");
    }

    fn list<T>(&mut self, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            write(self, item);
        }
    }

    fn refuse(&mut self, reason: String) {
        self.refused.get_or_insert(reason);
    }
}
