//! The structure of an interface type: which types have fields, which have cases, and how wide they are.

use wasmtime::component::__internal::wasmtime_environ::component::{RecordField, VariantInfo};
use wasmtime::component::__internal::{ComponentTypes, InterfaceType};

use super::error::WireError;
use super::scalar::{Kind, Scalar};

/// The number of core values of `ty`, or `None` where it has more than the calling convention passes flat.
pub(super) fn flat_count(types: &ComponentTypes, ty: InterfaceType) -> Option<usize> {
    types.canonical_abi(&ty).flat_count(super::FLAT_MAX)
}

/// The type of the handle that comes first among parameters, if they are those of a handle's method.
pub(super) fn handle(types: &ComponentTypes, ty: InterfaceType) -> Option<InterfaceType> {
    let InterfaceType::Tuple(index) = ty else { return None };
    types[index].types.first().copied().filter(|first| matches!(first, InterfaceType::Borrow(_)))
}

/// The fields of a record or tuple. A type may have a million of them, so that they are never copied.
#[derive(Clone, Copy)]
pub(super) enum Fields<'a> {
    Record(&'a [RecordField]),
    Tuple(&'a [InterfaceType]),
}

impl<'a> Fields<'a> {
    /// Those of `ty`, if it is a record or tuple.
    pub(super) fn of(types: &'a ComponentTypes, ty: InterfaceType) -> Option<Self> {
        match ty {
            InterfaceType::Record(index) => Some(Self::Record(&types[index].fields)),
            InterfaceType::Tuple(index) => Some(Self::Tuple(&types[index].types)),
            _ => None,
        }
    }

    pub(super) fn len(self) -> usize {
        match self {
            Self::Record(fields) => fields.len(),
            Self::Tuple(types) => types.len(),
        }
    }

    /// The type of the field at `index`.
    pub(super) fn ty(self, index: usize) -> InterfaceType {
        match self {
            Self::Record(fields) => fields[index].ty,
            Self::Tuple(types) => types[index],
        }
    }

    /// The types of the fields.
    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = InterfaceType> + ExactSizeIterator + use<'a> {
        (0..self.len()).map(move |index| self.ty(index))
    }
}

/// Where in the record or tuple `ty` something was wrong, as the context of an error.
pub(super) fn field_name(types: &ComponentTypes, ty: InterfaceType, index: usize) -> String {
    match ty {
        InterfaceType::Record(record) => format!("in field `{}`", types[record].fields[index].name),
        _ => format!("in value {}", index + 1),
    }
}

/// A type with a discriminant and payloads: variant, result or option.
pub(super) struct Cases<'a> {
    ty: InterfaceType,
    types: &'a ComponentTypes,
    pub(super) info: &'a VariantInfo,
}

impl<'a> Cases<'a> {
    /// The cases of a variant or a result, which are a `oneof` on the wire; an option is none there.
    pub(super) fn of(types: &'a ComponentTypes, ty: InterfaceType) -> Option<Self> {
        let info = match ty {
            InterfaceType::Variant(index) => &types[index].info,
            InterfaceType::Result(index) => &types[index].info,
            _ => return None,
        };
        Some(Self { ty, types, info })
    }

    pub(super) fn count(&self) -> usize {
        match self.ty {
            InterfaceType::Variant(index) => self.types[index].cases.len(),
            _ => 2,
        }
    }

    /// The payload type of a case.
    pub(super) fn payload(&self, case: usize) -> Option<InterfaceType> {
        match self.ty {
            InterfaceType::Variant(index) => *self.types[index].cases.get_index(case)?.1,
            InterfaceType::Result(index) if case == 0 => self.types[index].ok,
            InterfaceType::Result(index) => self.types[index].err,
            _ => None,
        }
    }

    /// `value` as a case of this type.
    pub(super) fn check(&self, value: u64) -> Result<usize, WireError> {
        match usize::try_from(value) {
            Ok(case) if case < self.count() => Ok(case),
            _ => Err(WireError::Discriminant { value, cases: self.count() }),
        }
    }
}

/// Whether a value of `ty` is repeated or optional on the wire, so that it needs a wrapper message to stand as a list
/// element, a payload or an option's value.
pub(super) fn needs_wrapper(types: &ComponentTypes, ty: InterfaceType) -> bool {
    match ty {
        InterfaceType::Option(_) => true,
        InterfaceType::List(index) => types[index].element != InterfaceType::U8,
        _ => false,
    }
}

/// The size of an element of a list whose bytes are the same in guest memory and on the wire.
pub(super) fn block_element(types: &ComponentTypes, element: InterfaceType) -> Option<usize> {
    match Scalar::of(types, element)? {
        Scalar::U8 => Some(1),
        scalar if scalar.list_kind() == Kind::Varint => None,
        scalar => Some(scalar.size()),
    }
}
