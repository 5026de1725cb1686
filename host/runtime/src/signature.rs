//! How a function's values travel: how many core values carry them, how the caller waits for the result, and what that
//! can say of a failed call.

use lp_courier::CallError;
use lp_sandbox::CallStyle;
use wasmtime::component::Type;
use wasmtime::component::types::{ComponentFunc, Variant};

use super::wire::FLAT_MAX;

/// What linking has to know of a function's type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    /// The core values of the parameters, or 1 for a pointer to them.
    pub(super) params: usize,
    /// The core values of the result, or 1 for a pointer to it.
    pub(super) results: usize,
    /// How a caller of the function waits.
    pub(super) style: CallStyle,
    /// Whether the result is a `result` whose error is, or has a case for, a `call-error`.
    pub(super) fallible: bool,
}

impl Signature {
    pub(super) fn of(func: &ComponentFunc) -> Self {
        let result = match func.results().next() {
            Some(Type::Future(future)) if !func.async_() => future.ty(),
            result => result,
        };
        let params: usize = func.params().map(|(_, ty)| flat_count(&ty)).sum();
        let results: usize = func.results().map(|ty| flat_count(&ty)).sum();
        let by_pointer = |count| if count > FLAT_MAX { 1 } else { count };
        Self {
            params: by_pointer(params),
            results: by_pointer(results),
            style: CallStyle::of(func),
            fallible: result.is_some_and(|ty| carries_call_error(&ty)),
        }
    }
}

/// The core values of a type, as the canonical ABI flattens it; a number above [`FLAT_MAX`] where there are more than that:
/// a type of a few dozen bytes may have millions.
fn flat_count(ty: &Type) -> usize {
    let all = |fields: &mut dyn Iterator<Item = Type>| {
        let mut count = 0;
        while count <= FLAT_MAX
            && let Some(field) = fields.next()
        {
            count += flat_count(&field);
        }
        count
    };
    let widest = |payloads: &mut dyn Iterator<Item = Option<Type>>| {
        1 + payloads.map(|payload| payload.map_or(0, |ty| flat_count(&ty))).max().unwrap_or(0)
    };
    match ty {
        Type::String | Type::List(_) | Type::Map(_) => 2,
        Type::Record(record) => all(&mut record.fields().map(|field| field.ty)),
        Type::Tuple(tuple) => all(&mut tuple.types()),
        Type::Variant(variant) => widest(&mut variant.cases().map(|case| case.ty)),
        Type::Option(option) => widest(&mut [Some(option.ty())].into_iter()),
        Type::Result(result) => widest(&mut [result.ok(), result.err()].into_iter()),
        _ => 1,
    }
}

/// Whether `ty` is a `result` whose error is a `call-error` or a variant with a case that carries one.
fn carries_call_error(ty: &Type) -> bool {
    let Type::Result(result) = ty else {
        return false;
    };
    let Some(Type::Variant(error)) = result.err() else {
        return false;
    };
    is_call_error(&error)
        || error.cases().any(|case| matches!(case.ty, Some(Type::Variant(payload)) if is_call_error(&payload)))
}

/// Whether a variant is `lp:courier/types.call-error`: types have no names here, so its cases are compared.
fn is_call_error(variant: &Variant) -> bool {
    let payload_of = |name: &str| (name == "failed").then_some(Type::String);
    variant.cases().map(|case| (case.name, case.ty)).eq(CallError::CASES.iter().map(|name| (*name, payload_of(name))))
}
