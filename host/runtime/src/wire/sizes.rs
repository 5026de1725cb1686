//! What the values of a function's types take in guest memory: how much a message may become, before anything is made of it.
//!
//! A message says little of its size in memory: two bytes are an element of a list, and that may be a record of thousands
//! of fields, all of them zero.

use std::collections::HashMap;

use lp_base::protobuf::{self, Field, Occurrences, Value};
use lp_courier::Message;
use rustc_hash::FxBuildHasher;
use wasmtime::component::__internal::{ComponentTypes, InterfaceType};

use super::scalar::{Kind, Scalar};
use super::shape::{self, Cases, Fields};

/// What an allocator takes for one allocation, beside its content, near enough. Empty strings and lists are allocations too.
const ALLOCATION_BYTES: u64 = 16;
/// A field on the wire that has content of its own takes no less.
const FIELD_BYTES_MIN: u64 = 2;

/// The sizes of all types that a function's parameters or its result are made of.
#[derive(Debug, Default)]
pub(crate) struct Sizes(HashMap<InterfaceType, Size, FxBuildHasher>);

#[derive(Clone, Copy, Debug, Default)]
struct Size {
    /// The bytes of a value where it stands.
    inline: u64,
    /// The bytes that a value allocates that is not in its message.
    absent: u64,
    /// Whether a value that is not in its message is zero in memory, and allocates nothing.
    absent_is_zero: bool,
    /// The most bytes that one byte of the message may become.
    per_byte: u64,
}

/// A message that becomes more bytes than it may.
#[derive(Debug, PartialEq)]
pub(crate) struct TooLarge;

impl Sizes {
    /// Those of the types that `ty` is made of.
    pub(super) fn of(types: &ComponentTypes, ty: InterfaceType) -> Self {
        let mut sizes = Self::default();
        sizes.add(types, ty);
        sizes
    }

    /// Whether a value of the type `ty` that no message has is zero in memory, and allocates nothing.
    pub(super) fn absent_is_zero(&self, ty: InterfaceType) -> bool {
        self.get(ty).absent_is_zero
    }

    /// Whether `message`, whose fields are those of the tuple `ty`, becomes at most `bytes_max` in guest memory.
    ///
    /// # Errors
    /// If it becomes more.
    pub(super) fn check(
        &self,
        types: &ComponentTypes,
        ty: InterfaceType,
        message: &Message,
        bytes_max: u64,
    ) -> Result<(), TooLarge> {
        match self.measure(types, ty, message, bytes_max)? {
            Some(mut measure) => measure.fields(ty, message.head()),
            None => Ok(()),
        }
    }

    /// The same of a message with one value of the type `ty`.
    ///
    /// # Errors
    /// If it becomes more.
    pub(super) fn check_value(
        &self,
        types: &ComponentTypes,
        ty: InterfaceType,
        message: &Message,
        bytes_max: u64,
    ) -> Result<(), TooLarge> {
        match self.measure(types, ty, message, bytes_max)? {
            Some(mut measure) => measure.owned(ty, message.head()),
            None => Ok(()),
        }
    }

    /// What counts a message of `ty`, from its parts that are no fields; `None` for most messages, which are too small to
    /// become too much, whatever they say.
    fn measure<'a>(
        &'a self,
        types: &'a ComponentTypes,
        ty: InterfaceType,
        message: &Message,
        bytes_max: u64,
    ) -> Result<Option<Measure<'a>>, TooLarge> {
        let size = self.get(ty);
        let block = message.block().map_or(0, |block| block.length() as u64);
        let worst = (message.len() as u64).saturating_mul(size.per_byte.max(1)).saturating_add(block);
        if worst.saturating_add(size.inline).saturating_add(size.absent) <= bytes_max {
            return Ok(None);
        }
        let mut measure = Measure { sizes: self, types, left: bytes_max };
        measure.take(size.inline)?;
        measure.take(block)?;
        Ok(Some(measure))
    }

    fn get(&self, ty: InterfaceType) -> Size {
        self.0.get(&ty).copied().unwrap_or_default()
    }

    fn add(&mut self, types: &ComponentTypes, ty: InterfaceType) -> Size {
        if let Some(known) = self.0.get(&ty) {
            return *known;
        }
        let inline = u64::from(types.canonical_abi(&ty).size32);
        let mut size = Size { inline, ..Size::default() };
        // A value in a field of its own, with what it allocates by itself.
        let owning = |value: Size| value.per_byte.max(value.absent.div_ceil(FIELD_BYTES_MIN));
        match ty {
            InterfaceType::String => {
                size.absent = ALLOCATION_BYTES;
                size.per_byte = ALLOCATION_BYTES / FIELD_BYTES_MIN;
            }
            InterfaceType::List(index) => {
                let element = types[index].element;
                let of_element = self.add(types, element);
                size.absent = ALLOCATION_BYTES;
                size.per_byte = match Scalar::of(types, element) {
                    Some(_) => of_element.inline,
                    None => owning(of_element).max((of_element.inline + of_element.absent).div_ceil(FIELD_BYTES_MIN)),
                };
                size.per_byte = size.per_byte.max(ALLOCATION_BYTES / FIELD_BYTES_MIN);
            }
            InterfaceType::Option(index) => {
                size.absent_is_zero = true;
                size.per_byte = owning(self.add(types, types[index].ty));
            }
            _ => {
                if let Some(fields) = Fields::of(types, ty) {
                    size.absent_is_zero = true;
                    for field in fields.iter() {
                        let field = self.add(types, field);
                        size.absent = size.absent.saturating_add(field.absent);
                        size.absent_is_zero &= field.absent_is_zero;
                        size.per_byte = size.per_byte.max(field.per_byte);
                    }
                } else if let Some(cases) = Cases::of(types, ty) {
                    for payload in (0..cases.count()).filter_map(|case| cases.payload(case)) {
                        size.per_byte = size.per_byte.max(owning(self.add(types, payload)));
                    }
                } else {
                    size.absent_is_zero = Scalar::of(types, ty).is_some();
                }
            }
        }
        self.0.insert(ty, size);
        size
    }
}

/// Counts what a message becomes. It walks what the message has and not what its type has, and ends where it is too much.
/// What is wrong with a message is for lowering to say: it counts as nothing here.
struct Measure<'a> {
    sizes: &'a Sizes,
    types: &'a ComponentTypes,
    left: u64,
}

impl Measure<'_> {
    fn take(&mut self, bytes: u64) -> Result<(), TooLarge> {
        self.left = self.left.checked_sub(bytes).ok_or(TooLarge)?;
        Ok(())
    }

    /// The fields of a record or tuple.
    fn fields(&mut self, ty: InterfaceType, message: &[u8]) -> Result<(), TooLarge> {
        let Some(fields) = Fields::of(self.types, ty) else { return Ok(()) };
        let Ok(present) = protobuf::present(message, fields.len()) else { return Ok(()) };
        let mut absent = self.sizes.get(ty).absent;
        for found in &present {
            absent = absent.saturating_sub(self.sizes.get(fields.ty(found.number() as usize - 1)).absent);
        }
        self.take(absent)?;
        present.iter().try_for_each(|found| self.field(fields.ty(found.number() as usize - 1), found))
    }

    /// A value that owns a field and is in it.
    fn field(&mut self, ty: InterfaceType, found: &Occurrences<'_>) -> Result<(), TooLarge> {
        match ty {
            InterfaceType::Option(index) => self.present(self.types[index].ty, found),
            InterfaceType::List(index) if self.types[index].element != InterfaceType::U8 => {
                self.list(self.types[index].element, found)
            }
            _ => self.single(ty, found),
        }
    }

    fn present(&mut self, ty: InterfaceType, found: &Occurrences<'_>) -> Result<(), TooLarge> {
        if !shape::needs_wrapper(self.types, ty) {
            return self.single(ty, found);
        }
        let Ok(body) = found.merged() else { return Ok(()) };
        self.owned(ty, &body)
    }

    /// A value that is the only field of a message.
    fn owned(&mut self, ty: InterfaceType, message: &[u8]) -> Result<(), TooLarge> {
        match protobuf::only_field(message) {
            Ok(field) if field.count() > 0 => self.field(ty, &field),
            _ => self.take(self.sizes.get(ty).absent),
        }
    }

    fn single(&mut self, ty: InterfaceType, found: &Occurrences<'_>) -> Result<(), TooLarge> {
        match ty {
            InterfaceType::String | InterfaceType::List(_) => {
                let content = found.last().and_then(|field| field.bytes().ok()).unwrap_or_default();
                self.take(ALLOCATION_BYTES + content.len() as u64)
            }
            InterfaceType::Record(_) | InterfaceType::Tuple(_) => match found.merged() {
                Ok(content) => self.fields(ty, &content),
                Err(_) => Ok(()),
            },
            _ => {
                let (Some(cases), Ok(content)) = (Cases::of(self.types, ty), found.merged()) else { return Ok(()) };
                let Ok(case) = protobuf::oneof(&content, cases.count()) else { return Ok(()) };
                match cases.payload(case.number() as usize - 1) {
                    Some(payload) => self.present(payload, &case),
                    None => Ok(()),
                }
            }
        }
    }

    fn list(&mut self, element: InterfaceType, found: &Occurrences<'_>) -> Result<(), TooLarge> {
        self.take(ALLOCATION_BYTES)?;
        let inline = self.sizes.get(element).inline;
        if let Some(scalar) = Scalar::of(self.types, element) {
            let counts = found.iter().map_while(Result::ok).map(|field| elements(scalar, field));
            return self.take(counts.sum::<u64>().saturating_mul(inline));
        }
        self.take((found.count() as u64).saturating_mul(inline))?;
        found.iter().map_while(Result::ok).try_for_each(|field| self.present(element, &Occurrences::one(field)))
    }
}

/// The elements of a list of scalars that are in one field.
fn elements(scalar: Scalar, field: Field<'_>) -> u64 {
    let Value::Bytes(chunk) = field.value else { return 1 };
    let count = match scalar.list_kind() {
        // The last byte of each.
        Kind::Varint => chunk.iter().filter(|byte| **byte < 0x80).count(),
        _ => chunk.len() / scalar.size(),
    };
    count as u64
}
