//! Questions about the types of a courier's functions: what they name, what no call can carry. It changes nothing.

use wit_parser::{PackageName, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

/// The kind of the first part of `ty` that can't leave the callee's memory, if there is one.
pub fn refused(resolve: &Resolve, ty: Type) -> Option<&'static str> {
    let kind = match ty {
        Type::Id(id) => &resolve.types[id].kind,
        Type::ErrorContext => return Some("error-context"),
        _ => return None,
    };
    match kind {
        TypeDefKind::Resource | TypeDefKind::Handle(_) => Some("resource"),
        TypeDefKind::Stream(_) | TypeDefKind::Future(_) | TypeDefKind::Map(..) | TypeDefKind::FixedLengthList(..) => {
            Some(kind.as_str())
        }
        _ => parts(kind).into_iter().find_map(|part| refused(resolve, part)),
    }
}

/// The types with a name that `ty` mentions; not the ones inside those.
pub fn named(resolve: &Resolve, ty: Type) -> Vec<TypeId> {
    let Type::Id(id) = ty else { return Vec::new() };
    let def = &resolve.types[id];
    if def.name.is_some() {
        return vec![id];
    }
    parts(&def.kind).into_iter().flat_map(|part| named(resolve, part)).collect()
}

/// Whether a function that returns `ty` already tells its caller of a failed call.
pub fn returns_call_error(resolve: &Resolve, ty: Type) -> bool {
    let Type::Id(id) = ty else { return false };
    let TypeDefKind::Result(result) = &resolve.types[root(resolve, id)].kind else {
        return false;
    };
    matches!(result.err, Some(Type::Id(error)) if is_call_error(resolve, error))
}

/// Whether `id` is `lp:courier/types.call-error`, under whatever name it goes here.
pub fn is_call_error(resolve: &Resolve, id: TypeId) -> bool {
    let def = &resolve.types[root(resolve, id)];
    let TypeOwner::Interface(owner) = def.owner else {
        return false;
    };
    let interface = &resolve.interfaces[owner];
    let Some(package) = interface.package else {
        return false;
    };
    def.name.as_deref() == Some("call-error")
        && interface.name.as_deref() == Some("types")
        && is_courier(&resolve.packages[package].name)
}

/// Whether this is the package of `call-error`, in any version.
pub fn is_courier(name: &PackageName) -> bool {
    (name.namespace.as_str(), name.name.as_str()) == ("lp", "courier")
}

/// The definition behind a chain of `use`s and `type`s.
fn root(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let TypeDefKind::Type(Type::Id(next)) = resolve.types[id].kind {
        id = next;
    }
    id
}

fn parts(kind: &TypeDefKind) -> Vec<Type> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.clone(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Result(result) => result.ok.into_iter().chain(result.err).collect(),
        TypeDefKind::Option(ty) | TypeDefKind::List(ty) | TypeDefKind::Type(ty) => vec![*ty],
        _ => Vec::new(),
    }
}
