//! The bytes of a message to a value: one walk along the type, whatever is made of what it finds.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use lp_base::protobuf::{self, FormatError, Occurrences, Reader, Value};

use super::error::{DecodeError, DecodeProblem};
use super::number::{fixed_size, from_field, from_varint, is_number};
use super::{case, needs_wrapper};
use crate::component::{Field, Type, TypeKind};

/// What values become when they are read. The numbers, strings and cases that it is given are those of the type.
pub(super) trait Decoded: Sized {
    /// The bytes that one value takes, near enough; with none, what a message does not say is not made either.
    const BYTES: usize;

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

/// What the values of any message may take, and of a message what they may take for each of its bytes. Two bytes may be a
/// record of thousands of fields.
const BYTES_MAX: usize = 128 << 20;
const BYTES_MAX_EACH: usize = 256;

/// The arguments of a call, one for each of its parameters.
pub(super) fn request<D: Decoded>(params: &[Field], message: &[u8]) -> Result<Vec<D>> {
    Decoder::new(message).members(Members::Fields(params), message)
}

/// The result of a call, if it has one.
pub(super) fn response<D: Decoded>(result: Option<&Type>, message: &[u8]) -> Result<Option<D>> {
    let found = protobuf::fields(message, usize::from(result.is_some()))?;
    result.map(|ty| Decoder::new(message).owned(ty, &found[0])).transpose()
}

/// Reads one message.
struct Decoder<D> {
    bytes_max: usize,
    /// What the values that are not made yet may take.
    left: usize,
    /// How many members a message has to have, by the address of the members' types.
    required: HashMap<usize, usize>,
    made: PhantomData<D>,
}

impl<D: Decoded> Decoder<D> {
    fn new(message: &[u8]) -> Self {
        let bytes_max = BYTES_MAX.saturating_add(message.len().saturating_mul(BYTES_MAX_EACH));
        Self { bytes_max, left: bytes_max, required: HashMap::new(), made: PhantomData }
    }

    /// Counts so many values before they are made.
    fn count(&mut self, values: usize, more_bytes: usize) -> Result<()> {
        let bytes = if D::BYTES == 0 { 0 } else { values.saturating_mul(D::BYTES).saturating_add(more_bytes) };
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(DecodeProblem::TooLarge { bytes_max: self.bytes_max })?;
        Ok(())
    }

    /// Reads a value that owns a field, and so may be absent from it.
    fn owned(&mut self, ty: &Type, found: &Occurrences<'_>) -> Result<D> {
        match &ty.kind {
            TypeKind::Option(_) if found.count() == 0 => Ok(D::none()),
            TypeKind::Option(inner) => Ok(D::some(inner, self.present(inner, found)?)),
            TypeKind::List(element) if needs_wrapper(ty) => self.list(element, found),
            _ => self.single(ty, found),
        }
    }

    /// Reads a value whose field says that it is there, out of its wrapper message if it has one.
    fn present(&mut self, ty: &Type, found: &Occurrences<'_>) -> Result<D> {
        if !needs_wrapper(ty) {
            return self.single(ty, found);
        }
        let content = found.merged()?;
        self.owned(ty, &protobuf::only_field(&content)?)
    }

    /// Reads a value that is one field; without an occurrence it is the default of its type.
    fn single(&mut self, ty: &Type, found: &Occurrences<'_>) -> Result<D> {
        let last = || found.last().map_or(Ok(&[][..]), protobuf::Field::bytes);
        match &ty.kind {
            TypeKind::String => {
                let text = std::str::from_utf8(last()?).map_err(|_| DecodeProblem::Utf8)?;
                Ok(D::text(text))
            }
            TypeKind::List(_) => {
                let bytes = last()?;
                self.count(bytes.len(), 0)?;
                Ok(D::bytes(bytes))
            }
            TypeKind::Record(types) => Ok(D::record(types, self.members(Members::Fields(types), &found.merged()?)?)),
            TypeKind::Tuple(types) => Ok(D::list(self.members(Members::Types(types), &found.merged()?)?)),
            TypeKind::Variant(_) | TypeKind::Result { .. } => self.oneof(ty, &found.merged()?),
            kind => {
                let bits = found.last().map_or(Ok(0), |field| from_field(kind, field))?;
                Ok(D::number(kind, bits))
            }
        }
    }

    /// Reads the fields of a record or the values of a tuple.
    fn members(&mut self, members: Members<'_>, content: &[u8]) -> Result<Vec<D>> {
        if D::BYTES == 0 {
            let present = protobuf::present(content, members.len())?;
            let of = |found: &Occurrences<'_>| found.number() as usize - 1;
            let required = present.iter().filter(|found| !self.may_be_absent(members.ty(of(found)))).count();
            if required == self.required(members) {
                for found in &present {
                    let index = of(found);
                    self.owned(members.ty(index), found).map_err(|error| members.locate(error, index))?;
                }
                return Ok(Vec::new());
            }
        }
        self.count(members.len(), members.names_bytes())?;
        let found = protobuf::fields(content, members.len())?;
        let values = found.iter().enumerate();
        let values = values
            .map(|(index, found)| self.owned(members.ty(index), found).map_err(|error| members.locate(error, index)));
        values.collect()
    }

    /// How many members a message has to have: of those that are absent from it there is no value.
    fn required(&mut self, members: Members<'_>) -> usize {
        if let Some(known) = self.required.get(&members.address()) {
            return *known;
        }
        let required = (0..members.len()).filter(|index| !self.may_be_absent(members.ty(*index))).count();
        self.required.insert(members.address(), required);
        required
    }

    fn may_be_absent(&mut self, ty: &Type) -> bool {
        match &ty.kind {
            TypeKind::Variant(_) | TypeKind::Result { .. } => false,
            TypeKind::Record(fields) => self.required(Members::Fields(fields)) == 0,
            TypeKind::Tuple(types) => self.required(Members::Types(types)) == 0,
            _ => true,
        }
    }

    fn oneof(&mut self, ty: &Type, content: &[u8]) -> Result<D> {
        let count = match &ty.kind {
            TypeKind::Variant(cases) => cases.len(),
            _ => 2,
        };
        let found = protobuf::oneof(content, count)?;
        let (name, payload) = case(&ty.kind, found.number() as usize - 1).expect("`oneof` finds no other fields");
        self.count(1, name.len())?;
        let Some(payload) = payload else {
            found.last().map(protobuf::Field::bytes).transpose()?;
            return Ok(D::case(name, None));
        };
        let value = self.present(payload, &found).map_err(|error: DecodeError| error.within(name))?;
        Ok(D::case(name, Some(value)))
    }

    fn list(&mut self, element: &Type, found: &Occurrences<'_>) -> Result<D> {
        let mut values = Vec::new();
        for field in found.iter() {
            self.elements(element, field?, &mut values).map_err(|error| error.at(values.len()))?;
        }
        Ok(D::list(values))
    }

    /// Reads the elements of a list that are in one field: one, or all that are packed in it.
    fn elements(&mut self, element: &Type, field: protobuf::Field<'_>, values: &mut Vec<D>) -> Result<()> {
        let kind = &element.kind;
        if !is_number(kind) {
            self.count(1, 0)?;
            values.push(self.present(element, &Occurrences::one(field))?);
            return Ok(());
        }
        match (field.value, fixed_size(kind)) {
            (Value::Bytes(block), Some(size)) if block.len().is_multiple_of(size) => {
                self.count(block.len() / size, 0)?;
                D::numbers(kind, size, block, values);
            }
            (Value::Bytes(_), Some(_)) => return Err(FormatError::Truncated.into()),
            (Value::Bytes(block), None) => {
                self.count(block.iter().filter(|byte| **byte < 0x80).count(), 0)?;
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
}

/// The fields of a record, or the values of a tuple.
#[derive(Clone, Copy)]
enum Members<'t> {
    Fields(&'t [Field]),
    Types(&'t [Arc<Type>]),
}

impl<'t> Members<'t> {
    fn len(self) -> usize {
        match self {
            Self::Fields(fields) => fields.len(),
            Self::Types(types) => types.len(),
        }
    }

    fn ty(self, index: usize) -> &'t Type {
        match self {
            Self::Fields(fields) => &fields[index].ty,
            Self::Types(types) => &types[index],
        }
    }

    fn locate(self, error: DecodeError, index: usize) -> DecodeError {
        match self {
            Self::Fields(fields) => error.within(&fields[index].name),
            Self::Types(_) => error.at(index),
        }
    }

    /// Where the members are, which tells them from those of another type.
    fn address(self) -> usize {
        match self {
            Self::Fields(fields) => fields.as_ptr() as usize,
            Self::Types(types) => types.as_ptr() as usize,
        }
    }

    fn names_bytes(self) -> usize {
        match self {
            Self::Fields(fields) => fields.iter().map(|field| field.name.len()).sum(),
            Self::Types(_) => 0,
        }
    }
}
