//! Turns types into messages: which fields a message has, what each refers to, and what stands inside of it.

use std::collections::BTreeSet;

use prost_types::field_descriptor_proto::{Label, Type as FieldType};
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, OneofDescriptorProto,
};

use super::names::{EMPTY_PATH, Item, Place, Scope, TopNames, enum_cases, pascal_case, snake_case};
use crate::component::{Field, Type, TypeKind};

/// The numbers of descriptor fields that paths of comments are made of.
pub(super) mod tag {
    pub const FILE_MESSAGE: i32 = 4;
    pub const FILE_ENUM: i32 = 5;
    pub const FILE_SERVICE: i32 = 6;
    pub const FILE_SYNTAX: i32 = 12;
    pub const SERVICE_METHOD: i32 = 2;
    pub const MESSAGE_FIELD: i32 = 2;
    pub const MESSAGE_NESTED: i32 = 3;
    pub const MESSAGE_ENUM: i32 = 4;
}

/// A descriptor and the comments in it, with paths from it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Commented<D> {
    pub descriptor: D,
    pub comments: Vec<Location>,
}

/// A message or an enum.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Definition {
    Message(Commented<DescriptorProto>),
    Enum(Commented<EnumDescriptorProto>),
}

/// A field of a message that is to be made.
pub(super) struct Member<'t> {
    name: String,
    /// The type; `None` for a case without a payload.
    ty: Option<&'t Type>,
    role: Role,
    /// What the field refers to stands at the top of the file under this item, instead of inside the message.
    top: Option<Item>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Lists and options are the field's own.
    Owner,
    /// One of a `oneof`, which can neither be repeated nor be absent by itself.
    Case,
}

impl<'t> Member<'t> {
    fn owner(name: &str, ty: &'t Type) -> Member<'t> {
        Member { name: snake_case(name), ty: Some(ty), role: Role::Owner, top: None }
    }

    fn case(name: &str, ty: Option<&'t Type>) -> Member<'t> {
        Member { name: snake_case(name), ty, role: Role::Case, top: None }
    }

    /// The members of a request.
    pub fn of_params(params: &'t [Field]) -> Vec<Member<'t>> {
        params.iter().map(|param| Member::owner(&param.name, &param.ty)).collect()
    }

    /// The member of the response of `method`.
    pub fn of_result(method: &str, result: Option<&'t Type>) -> Vec<Member<'t>> {
        let top = Some(Item::Result(method.to_owned()));
        result.map(|ty| Member { top, ..Member::owner("result", ty) }).into_iter().collect()
    }

    /// The members of the message of a type that [`is_defined`].
    pub fn of_type(ty: &'t Type) -> Vec<Member<'t>> {
        match &ty.kind {
            TypeKind::Record(fields) => Member::of_params(fields),
            TypeKind::Tuple(types) => {
                types.iter().enumerate().map(|(index, ty)| Member::owner(&format!("f{index}"), ty)).collect()
            }
            TypeKind::Variant(cases) => {
                cases.iter().map(|case| Member::case(&case.name, case.payload.as_deref())).collect()
            }
            TypeKind::Result { ok, err } => {
                vec![Member::case("ok", ok.as_deref()), Member::case("err", err.as_deref())]
            }
            TypeKind::List(_) | TypeKind::Option(_) => vec![Member::owner("value", ty)],
            _ => Vec::new(),
        }
    }

    /// The type of the field without the list or option that the field owns.
    fn inner(&self) -> Option<&'t Type> {
        match (self.role, &self.ty?.kind) {
            (Role::Owner, TypeKind::List(inner)) if !is_bytes(self.ty?) => Some(inner),
            (Role::Owner, TypeKind::Option(inner)) => Some(inner),
            _ => self.ty,
        }
    }

    /// The type whose message or enum the field refers to, if it refers to one.
    pub fn refers_to(&self) -> Option<&'t Type> {
        self.inner().filter(|ty| is_defined(ty))
    }

    /// The item that what the field refers to stands under at the top of a file, unless it has a name of its own.
    pub fn top_item(&self) -> Option<&Item> {
        self.top.as_ref().filter(|_| self.refers_to().is_some_and(|ty| ty.name.is_none()))
    }
}

/// Whether values of this type have a message or an enum of their own, when they own no field.
fn is_defined(ty: &Type) -> bool {
    match ty.kind {
        TypeKind::Result { .. } | TypeKind::Tuple(_) | TypeKind::Record(_) | TypeKind::Variant(_) => true,
        TypeKind::Enum(_) | TypeKind::Option(_) => true,
        TypeKind::List(_) => !is_bytes(ty),
        _ => false,
    }
}

fn is_bytes(ty: &Type) -> bool {
    matches!(&ty.kind, TypeKind::List(element) if element.kind == TypeKind::U8)
}

/// Makes the messages of one file.
pub(super) struct Messages<'a> {
    pub place: &'a Place,
    pub top: &'a mut TopNames,
    /// The paths of the files that the messages refer to, this one included.
    pub imports: &'a mut BTreeSet<String>,
    /// What was lifted out of a message to the top of the file.
    pub lifted: Vec<Definition>,
}

impl Messages<'_> {
    /// The message or enum of a type, which [`is_defined`], at the top of the file.
    pub fn definition(&mut self, name: &str, ty: &Type) -> Definition {
        let full_name = self.place.full_name(name);
        match &ty.kind {
            TypeKind::Enum(cases) => {
                let names = self.top.enum_cases(self.place, name, cases);
                Definition::Enum(enumeration(name, names, comment(ty)))
            }
            _ => Definition::Message(self.message(name, &full_name, Member::of_type(ty), Some(comment(ty)))),
        }
    }

    /// A message whose fields are `members`.
    pub fn message(
        &mut self,
        name: &str,
        full_name: &str,
        members: Vec<Member<'_>>,
        comment: Option<String>,
    ) -> Commented<DescriptorProto> {
        let mut descriptor = DescriptorProto { name: Some(name.to_owned()), ..DescriptorProto::default() };
        let mut comments: Vec<_> = comment.map(|text| leading(Vec::new(), text)).into_iter().collect();
        let (mut fields, mut nested) = (Scope::default(), Scope::default());
        let is_oneof = members.iter().any(|member| member.role == Role::Case);
        for (index, member) in (0_i32..).zip(&members) {
            let (field_type, type_name) = match member.refers_to() {
                Some(ty) => self.reference(full_name, member, ty, &mut nested, &mut descriptor, &mut comments),
                None => (self.scalar(member), member.ty.is_none().then(|| self.empty())),
            };
            let optional = is_optional_scalar(member, field_type);
            descriptor.field.push(FieldDescriptorProto {
                name: Some(fields.claim_member(&member.name)),
                number: Some(index + 1),
                label: Some(if is_repeated(member) { Label::Repeated } else { Label::Optional }.into()),
                r#type: Some(field_type.into()),
                type_name,
                oneof_index: is_oneof.then_some(0),
                proto3_optional: optional.then_some(true),
                ..FieldDescriptorProto::default()
            });
            let plain = member.ty.filter(|_| member.refers_to().is_none());
            comments.extend(plain.and_then(|ty| note(ty, vec![tag::MESSAGE_FIELD, index])));
        }
        if is_oneof {
            let mut names = Scope::default();
            descriptor.field.iter().for_each(|field| drop(names.claim(field.name())));
            let name = names.claim("value");
            descriptor.oneof_decl.push(OneofDescriptorProto { name: Some(name), options: None });
        }
        add_synthetic_oneofs(&mut descriptor);
        Commented { descriptor, comments }
    }

    /// What a field refers to, after putting it inside the message if it has no place elsewhere.
    fn reference(
        &mut self,
        parent: &str,
        member: &Member<'_>,
        ty: &Type,
        nested: &mut Scope,
        descriptor: &mut DescriptorProto,
        comments: &mut Vec<Location>,
    ) -> (FieldType, Option<String>) {
        let field_type = if matches!(ty.kind, TypeKind::Enum(_)) { FieldType::Enum } else { FieldType::Message };
        if let Some(name) = &ty.name {
            let place = Place::of(&name.interface);
            let full_name = place.full_name(self.top.name(&place, Item::Type(name.name.clone())));
            self.imports.insert(place.path);
            return (field_type, Some(format!(".{full_name}")));
        }
        if let Some(item) = member.top_item() {
            let name = self.top.name(self.place, item.clone()).to_owned();
            let definition = self.definition(&name, ty);
            self.lifted.push(definition);
            return (field_type, Some(format!(".{}", self.place.full_name(&name))));
        }
        let name = nested.claim(&pascal_case(&member.name.replace('_', "-")));
        let full_name = format!("{parent}.{name}");
        if let TypeKind::Enum(cases) = &ty.kind {
            let made = enumeration(&name, enum_cases(nested, &name, cases), comment(ty));
            put(made, tag::MESSAGE_ENUM, &mut descriptor.enum_type, comments);
        } else {
            let made = self.message(&name, &full_name, Member::of_type(ty), Some(comment(ty)));
            put(made, tag::MESSAGE_NESTED, &mut descriptor.nested_type, comments);
        }
        (field_type, Some(format!(".{full_name}")))
    }

    fn empty(&mut self) -> String {
        self.imports.insert(EMPTY_PATH.to_owned());
        ".google.protobuf.Empty".to_owned()
    }

    /// The type of a field that refers to nothing of the schema's own.
    fn scalar(&self, member: &Member<'_>) -> FieldType {
        let Some(ty) = member.inner() else { return FieldType::Message };
        match (&ty.kind, is_repeated(member)) {
            (TypeKind::U32, true) => FieldType::Fixed32,
            (TypeKind::S32, true) => FieldType::Sfixed32,
            (TypeKind::U64, true) => FieldType::Fixed64,
            (TypeKind::S64, true) => FieldType::Sfixed64,
            (TypeKind::Bool, _) => FieldType::Bool,
            (TypeKind::U64, _) => FieldType::Uint64,
            (TypeKind::S64, _) => FieldType::Sint64,
            (TypeKind::S8 | TypeKind::S16 | TypeKind::S32, _) => FieldType::Sint32,
            (TypeKind::F32, _) => FieldType::Float,
            (TypeKind::F64, _) => FieldType::Double,
            (TypeKind::String, _) => FieldType::String,
            (TypeKind::List(_), _) => FieldType::Bytes,
            _ => FieldType::Uint32,
        }
    }
}

fn is_repeated(member: &Member<'_>) -> bool {
    let is_list = |ty: &Type| matches!(ty.kind, TypeKind::List(_)) && !is_bytes(ty);
    member.role == Role::Owner && member.ty.is_some_and(is_list)
}

/// Whether the field needs the word `optional` to be absent or present: message fields are so by themselves.
fn is_optional_scalar(member: &Member<'_>, field_type: FieldType) -> bool {
    let is_option = |ty: &Type| matches!(ty.kind, TypeKind::Option(_));
    member.role == Role::Owner && field_type != FieldType::Message && member.ty.is_some_and(is_option)
}

/// Gives every `optional` field the `oneof` of its own that descriptors have instead of that word. They come last.
fn add_synthetic_oneofs(message: &mut DescriptorProto) {
    for field in message.field.iter_mut().filter(|field| field.proto3_optional()) {
        field.oneof_index = i32::try_from(message.oneof_decl.len()).ok();
        let name = format!("_{}", field.name());
        message.oneof_decl.push(OneofDescriptorProto { name: Some(name), options: None });
    }
}

fn enumeration(name: &str, cases: Vec<String>, comment: String) -> Commented<EnumDescriptorProto> {
    let value = |(number, name)| EnumValueDescriptorProto { name: Some(name), number: Some(number), options: None };
    let value = (0..).zip(cases).map(value).collect();
    let descriptor = EnumDescriptorProto { name: Some(name.to_owned()), value, ..EnumDescriptorProto::default() };
    Commented { descriptor, comments: vec![leading(Vec::new(), comment)] }
}

/// Appends a descriptor to the `children` of its parent, and its comments to those of the parent.
pub(super) fn put<D>(made: Commented<D>, tag: i32, children: &mut Vec<D>, comments: &mut Vec<Location>) {
    let index = i32::try_from(children.len()).expect("a component is too small for so many definitions");
    children.push(made.descriptor);
    comments.extend(made.comments.into_iter().map(|mut location| {
        location.path.splice(0..0, [tag, index]);
        location
    }));
}

/// A comment before what is at `path`.
pub(super) fn leading(path: Vec<i32>, text: String) -> Location {
    // A location has a place in a source file, and these have none.
    Location { path, span: vec![0, 0, 0], leading_comments: Some(text), ..Location::default() }
}

/// What a message or an enum is in WIT.
fn comment(ty: &Type) -> String {
    match (&ty.name, &ty.kind) {
        (Some(name), TypeKind::Record(_)) => format!("record {}", name.name),
        (Some(name), TypeKind::Variant(_)) => format!("variant {}", name.name),
        (Some(name), TypeKind::Enum(_)) => format!("enum {}", name.name),
        (Some(name), kind) => format!("type {} = {kind}", name.name),
        (None, kind) => kind.to_string(),
    }
}

/// What the WIT type of a field says that its protobuf type does not.
fn note(ty: &Type, path: Vec<i32>) -> Option<Location> {
    let mut inner = ty;
    while let TypeKind::List(next) | TypeKind::Option(next) = &inner.kind
        && !is_bytes(inner)
    {
        inner = next;
    }
    match &inner.kind {
        TypeKind::Flags(names) => {
            let bits: Vec<_> = (0..32).zip(names).map(|(bit, name)| format!("{name} = {}", 1_u32 << bit)).collect();
            Some(leading(path, format!("{ty}: {}", bits.join(", "))))
        }
        TypeKind::U8 | TypeKind::S8 | TypeKind::U16 | TypeKind::S16 | TypeKind::Char => {
            let trailing_comments = Some(if ty.name.is_some() { ty.kind.to_string() } else { ty.to_string() });
            Some(Location { path, span: vec![0, 0, 0], trailing_comments, ..Location::default() })
        }
        _ => None,
    }
}
