//! The bytes of a message to a value: one walk along the type, whatever is made of what it finds.

use lp_base::protobuf::{self, FormatError, Occurrences, Reader, Value};

use super::error::DecodeError;
use super::number::{fixed_size, from_field, from_varint, is_number};
use super::{case, needs_wrapper};
use crate::component::{Field, Type, TypeKind};

/// What values become when they are read. The numbers, strings and cases that it is given are those of the type.
pub(super) trait Decoded: Sized {
    /// A number, of which the lowest bits are those of its type.
    fn number(kind: &TypeKind, bits: u64) -> Self;
    /// Numbers of `size` bytes each, behind what is in `list`.
    fn numbers(kind: &TypeKind, size: usize, block: &[u8], list: &mut Vec<Self>);
    fn text(text: &str) -> Self;
    fn bytes(bytes: &[u8]) -> Self;
    fn list(values: Vec<Self>) -> Self;
    /// A record, from the values of its fields.
    fn record(fields: &[Field], values: Vec<Self>) -> Self;
    fn case(name: &str, payload: Option<Self>) -> Self;
    fn none() -> Self;
    /// An option of `ty` that is `some`.
    fn some(ty: &Type, value: Self) -> Self;
}

type Result<T, E = DecodeError> = std::result::Result<T, E>;

/// The arguments of a call, one for each of its parameters.
pub(super) fn request<D: Decoded>(params: &[Field], message: &[u8]) -> Result<Vec<D>> {
    fields(params, message)
}

/// The result of a call, if it has one.
pub(super) fn response<D: Decoded>(result: Option<&Type>, message: &[u8]) -> Result<Option<D>> {
    let found = protobuf::fields(message, usize::from(result.is_some()))?;
    result.map(|ty| owned(ty, &found[0])).transpose()
}

/// Reads a value that owns a field, and so may be absent from it.
fn owned<D: Decoded>(ty: &Type, found: &Occurrences<'_>) -> Result<D> {
    match &ty.kind {
        TypeKind::Option(_) if found.count() == 0 => Ok(D::none()),
        TypeKind::Option(inner) => Ok(D::some(inner, present(inner, found)?)),
        TypeKind::List(element) if needs_wrapper(ty) => list(element, found),
        _ => single(ty, found),
    }
}

/// Reads a value whose field says that it is there, out of its wrapper message if it has one.
fn present<D: Decoded>(ty: &Type, found: &Occurrences<'_>) -> Result<D> {
    if !needs_wrapper(ty) {
        return single(ty, found);
    }
    let content = found.merged()?;
    owned(ty, &protobuf::fields(&content, 1)?[0])
}

/// Reads a value that is one field; without an occurrence it is the default of its type.
fn single<D: Decoded>(ty: &Type, found: &Occurrences<'_>) -> Result<D> {
    let last = || found.last().map_or(Ok(&[][..]), protobuf::Field::bytes);
    match &ty.kind {
        TypeKind::String => {
            let text = std::str::from_utf8(last()?).map_err(|_| super::DecodeProblem::Utf8)?;
            Ok(D::text(text))
        }
        TypeKind::List(_) => Ok(D::bytes(last()?)),
        TypeKind::Record(types) => Ok(D::record(types, fields(types, &found.merged()?)?)),
        TypeKind::Tuple(types) => {
            let content = found.merged()?;
            let found = protobuf::fields(&content, types.len())?;
            let values = types.iter().zip(&found).enumerate();
            let values =
                values.map(|(index, (ty, found))| owned(ty, found).map_err(|error: DecodeError| error.at(index)));
            Ok(D::list(values.collect::<Result<_>>()?))
        }
        TypeKind::Variant(_) | TypeKind::Result { .. } => oneof(ty, &found.merged()?),
        kind => {
            let bits = found.last().map_or(Ok(0), |field| from_field(kind, field))?;
            Ok(D::number(kind, bits))
        }
    }
}

fn fields<D: Decoded>(fields: &[Field], content: &[u8]) -> Result<Vec<D>> {
    let found = protobuf::fields(content, fields.len())?;
    let values = fields.iter().zip(&found);
    values
        .map(|(field, found)| owned(&field.ty, found).map_err(|error: DecodeError| error.within(&field.name)))
        .collect()
}

fn oneof<D: Decoded>(ty: &Type, content: &[u8]) -> Result<D> {
    let count = match &ty.kind {
        TypeKind::Variant(cases) => cases.len(),
        _ => 2,
    };
    let found = protobuf::oneof(content, count)?;
    let (name, payload) = case(&ty.kind, found.number() as usize - 1).expect("`oneof` finds no other fields");
    let Some(payload) = payload else {
        found.last().map(protobuf::Field::bytes).transpose()?;
        return Ok(D::case(name, None));
    };
    let value = present(payload, &found).map_err(|error: DecodeError| error.within(name))?;
    Ok(D::case(name, Some(value)))
}

fn list<D: Decoded>(element: &Type, found: &Occurrences<'_>) -> Result<D> {
    let mut values = Vec::new();
    for field in found.iter() {
        elements(element, field?, &mut values).map_err(|error| error.at(values.len()))?;
    }
    Ok(D::list(values))
}

/// Reads the elements of a list that are in one field: one, or all that are packed in it.
fn elements<D: Decoded>(element: &Type, field: protobuf::Field<'_>, values: &mut Vec<D>) -> Result<()> {
    let kind = &element.kind;
    if !is_number(kind) {
        values.push(present(element, &Occurrences::one(field))?);
        return Ok(());
    }
    match (field.value, fixed_size(kind)) {
        (Value::Bytes(block), Some(size)) if block.len().is_multiple_of(size) => D::numbers(kind, size, block, values),
        (Value::Bytes(_), Some(_)) => return Err(FormatError::Truncated.into()),
        (Value::Bytes(block), None) => {
            let mut reader = Reader(block);
            while !reader.0.is_empty() {
                values.push(D::number(kind, from_varint(kind, reader.varint()?)?));
            }
        }
        (Value::Fixed32(bits), Some(4)) => values.push(D::number(kind, bits.into())),
        (Value::Fixed64(bits), Some(8)) => values.push(D::number(kind, bits)),
        (Value::Varint(varint), None) => values.push(D::number(kind, from_varint(kind, varint)?)),
        _ => return Err(field.unexpected().into()),
    }
    Ok(())
}
