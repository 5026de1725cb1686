//! The types of a courier interface as a tree: what schemas and the text of values are made from.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentFuncType, ComponentValType,
};
use wasmparser::types::TypesRef;

use super::text::spelled;
use super::wit::Owners;

/// A WIT type whose values calls carry.
///
/// Trees share their parts, and are bounded: a method whose type is too long to be written out has none, and the
/// validator allows a depth of 100.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// The name, if the type has one. Records, variants, enums and flags always do in a valid component; every other
    /// type may have one as an alias, such as `type count = u64`.
    pub name: Option<Arc<TypeName>>,
    /// What the values look like.
    pub kind: TypeKind,
}

/// The name of a type, and the interface that defines it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeName {
    /// The full name of the interface, such as `example:shapes/base@1.0.0`, or a plain name.
    pub interface: String,
    /// The name of the type in it, such as `point`.
    pub name: String,
}

/// What the values of a [`Type`] look like. Fields, cases and flags are in declaration order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the WIT type of that name")]
pub enum TypeKind {
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
    String,
    List(Arc<Type>),
    Option(Arc<Type>),
    Result { ok: Option<Arc<Type>>, err: Option<Arc<Type>> },
    Tuple(Vec<Arc<Type>>),
    Record(Vec<Field>),
    Variant(Vec<Case>),
    Enum(Vec<String>),
    Flags(Vec<String>),
}

/// A field of a record, or a parameter of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name, such as `max-items`.
    pub name: String,
    /// The type.
    pub ty: Arc<Type>,
}

/// A case of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The name, such as `not-found`.
    pub name: String,
    /// The type of the payload, if the case has one.
    pub payload: Option<Arc<Type>>,
}

/// The types of a method that calls can carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodTypes {
    /// The parameters, in declaration order.
    pub params: Vec<Field>,
    /// The type of the result, if the method returns one.
    pub result: Option<Arc<Type>>,
}

/// Writes the WIT type by its name, or, without one, what it is made of by their names.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(&spelled(&name.name)),
            None => self.kind.fmt(f),
        }
    }
}

/// Writes what the WIT type is made of, such as `list<step>` or `record { by: s64 }`.
impl fmt::Display for TypeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let optional = |ty: &Option<Arc<Type>>| ty.as_ref().map_or("_".to_owned(), |ty| ty.to_string());
        match self {
            TypeKind::Bool => f.write_str("bool"),
            TypeKind::U8 => f.write_str("u8"),
            TypeKind::S8 => f.write_str("s8"),
            TypeKind::U16 => f.write_str("u16"),
            TypeKind::S16 => f.write_str("s16"),
            TypeKind::U32 => f.write_str("u32"),
            TypeKind::S32 => f.write_str("s32"),
            TypeKind::U64 => f.write_str("u64"),
            TypeKind::S64 => f.write_str("s64"),
            TypeKind::F32 => f.write_str("f32"),
            TypeKind::F64 => f.write_str("f64"),
            TypeKind::Char => f.write_str("char"),
            TypeKind::String => f.write_str("string"),
            TypeKind::List(element) => write!(f, "list<{element}>"),
            TypeKind::Option(value) => write!(f, "option<{value}>"),
            TypeKind::Result { ok: None, err: None } => f.write_str("result"),
            TypeKind::Result { ok: Some(ok), err: None } => write!(f, "result<{ok}>"),
            TypeKind::Result { ok, err } => write!(f, "result<{}, {}>", optional(ok), optional(err)),
            TypeKind::Tuple(types) => write!(f, "tuple<{}>", join(types, ToString::to_string)),
            TypeKind::Record(fields) => write!(f, "record {{ {} }}", join(fields, ToString::to_string)),
            TypeKind::Variant(cases) => write!(f, "variant {{ {} }}", join(cases, ToString::to_string)),
            TypeKind::Enum(names) => write!(f, "enum {{ {} }}", join(names, |name| spelled(name).into_owned())),
            TypeKind::Flags(names) => write!(f, "flags {{ {} }}", join(names, |name| spelled(name).into_owned())),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", spelled(&self.name), self.ty)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.payload {
            Some(payload) => write!(f, "{}({payload})", spelled(&self.name)),
            None => f.write_str(&spelled(&self.name)),
        }
    }
}

/// Writes parameters and result, such as `(steps: list<step>) -> u64`.
impl fmt::Display for MethodTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({})", join(&self.params, ToString::to_string))?;
        self.result.as_ref().map_or(Ok(()), |result| write!(f, " -> {result}"))
    }
}

fn join<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Makes trees of a component's types; each type of the component becomes one node, however often it is used.
pub(super) struct Trees<'a> {
    types: TypesRef<'a>,
    owners: &'a Owners,
    made: HashMap<ComponentDefinedTypeId, Arc<Type>>,
}

impl<'a> Trees<'a> {
    pub fn new(types: TypesRef<'a>, owners: &'a Owners) -> Trees<'a> {
        Trees { types, owners, made: HashMap::new() }
    }

    /// The types of a function without its first `receivers` parameters, and with the result that its callee returns, or
    /// `None` if calls can't carry one of them.
    pub fn method(
        &mut self,
        func: &ComponentFuncType,
        receivers: usize,
        result: Option<ComponentValType>,
    ) -> Option<MethodTypes> {
        let params = func.params.iter().skip(receivers);
        let params = params
            .map(|(name, ty)| Some(Field { name: name.to_string(), ty: self.value(ty)? }))
            .collect::<Option<_>>()?;
        Some(MethodTypes { params, result: self.optional(result.as_ref())? })
    }

    fn value(&mut self, ty: &ComponentValType) -> Option<Arc<Type>> {
        let id = match ty {
            ComponentValType::Primitive(ty) => return Some(Arc::new(Type { name: None, kind: primitive(*ty)? })),
            ComponentValType::Type(id) => *id,
        };
        if let Some(made) = self.made.get(&id) {
            return Some(made.clone());
        }
        let types = self.types;
        let kind = self.kind(&types[id])?;
        let made = Arc::new(Type { name: self.name(id), kind });
        self.made.insert(id, made.clone());
        Some(made)
    }

    /// A type that may be missing; the outer `None` is for one that calls can't carry.
    fn optional(&mut self, ty: Option<&ComponentValType>) -> Option<Option<Arc<Type>>> {
        match ty {
            Some(ty) => Some(Some(self.value(ty)?)),
            None => Some(None),
        }
    }

    fn kind(&mut self, ty: &ComponentDefinedType) -> Option<TypeKind> {
        Some(match ty {
            ComponentDefinedType::Primitive(ty) => primitive(*ty)?,
            ComponentDefinedType::List { element, .. } => TypeKind::List(self.value(element)?),
            ComponentDefinedType::Option { ty, .. } => TypeKind::Option(self.value(ty)?),
            ComponentDefinedType::Result { ok, err, .. } => {
                TypeKind::Result { ok: self.optional(ok.as_ref())?, err: self.optional(err.as_ref())? }
            }
            ComponentDefinedType::Tuple(tuple) => {
                TypeKind::Tuple(tuple.types.iter().map(|ty| self.value(ty)).collect::<Option<_>>()?)
            }
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter();
                let field = fields.map(|(name, ty)| Some(Field { name: name.to_string(), ty: self.value(ty)? }));
                TypeKind::Record(field.collect::<Option<_>>()?)
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant.cases.iter();
                let case = cases.map(|(name, case)| {
                    Some(Case { name: name.to_string(), payload: self.optional(case.ty.as_ref())? })
                });
                TypeKind::Variant(case.collect::<Option<_>>()?)
            }
            ComponentDefinedType::Enum(names) => TypeKind::Enum(names.iter().map(ToString::to_string).collect()),
            ComponentDefinedType::Flags(names) => TypeKind::Flags(names.iter().map(ToString::to_string).collect()),
            ComponentDefinedType::Own(_)
            | ComponentDefinedType::Borrow(_)
            | ComponentDefinedType::Future { .. }
            | ComponentDefinedType::Stream { .. }
            | ComponentDefinedType::Map { .. }
            | ComponentDefinedType::FixedLengthList { .. } => return None,
        })
    }

    fn name(&self, id: ComponentDefinedTypeId) -> Option<Arc<TypeName>> {
        let (interface, name) = self.owners.definition(ComponentAnyTypeId::Defined(id), self.types)?;
        Some(Arc::new(TypeName { interface: interface.to_owned(), name: name.to_owned() }))
    }
}

fn primitive(ty: PrimitiveValType) -> Option<TypeKind> {
    Some(match ty {
        PrimitiveValType::Bool => TypeKind::Bool,
        PrimitiveValType::U8 => TypeKind::U8,
        PrimitiveValType::S8 => TypeKind::S8,
        PrimitiveValType::U16 => TypeKind::U16,
        PrimitiveValType::S16 => TypeKind::S16,
        PrimitiveValType::U32 => TypeKind::U32,
        PrimitiveValType::S32 => TypeKind::S32,
        PrimitiveValType::U64 => TypeKind::U64,
        PrimitiveValType::S64 => TypeKind::S64,
        PrimitiveValType::F32 => TypeKind::F32,
        PrimitiveValType::F64 => TypeKind::F64,
        PrimitiveValType::Char => TypeKind::Char,
        PrimitiveValType::String => TypeKind::String,
        PrimitiveValType::ErrorContext => return None,
    })
}
