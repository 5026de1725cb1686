//! Protobuf bytes to guest memory.

mod lowering;
mod place;

use std::sync::Arc;

use lowering::Lowering;
use lp_base::protobuf::{self, Field, FormatError, Occurrences, Reader, Value};
use lp_courier::{Block, CallError, Message};
use place::{Place, store};
use smallvec::SmallVec;
use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LowerContext};
use wasmtime::error::Context as _;
use wasmtime::{Result, ValRaw};

use super::Payload;
use super::error::WireError;
use super::scalar::{Kind, Scalar};
use super::shape::{self, Cases, Fields};
use super::sizes::Sizes;

/// What is lowered, and how much it may become.
pub(super) struct Source<'a> {
    pub(super) payload: &'a Payload,
    pub(super) sizes: &'a Sizes,
    /// `None` where that has been checked.
    pub(super) bytes_max: Option<u64>,
}

impl Source<'_> {
    /// Whether `message`, with one value of the type `ty`, becomes no more than it may.
    fn has_room(&self, types: &ComponentTypes, ty: Option<InterfaceType>, message: &Message) -> bool {
        let (Some(ty), Some(bytes_max)) = (ty, self.bytes_max) else { return true };
        self.sizes.check_value(types, ty, message, bytes_max).is_ok()
    }
}

/// Lowers `source` as the tuple `ty` into core values, or into memory and a pointer where there are too few of them.
pub(super) fn to_flat<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    source: &Source<'_>,
    slots: &mut [ValRaw],
) -> Result<()> {
    match shape::flat_count(cx.types, ty) {
        Some(count) => lower_payload(cx, ty, source, Place::Flat(&mut slots[..count])),
        None => {
            let abi = cx.types.canonical_abi(&ty);
            let (align, size) = (abi.align32, abi.size32 as usize);
            let offset = cx.realloc(0, 0, align, size)?;
            slots[0] = ValRaw::u64(offset as u64);
            lower_payload(cx, ty, source, Place::Memory(offset))
        }
    }
}

/// Lowers `source` as the tuple `ty` at `offset`, whose bounds wasmtime checked.
pub(super) fn to_memory<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    source: &Source<'_>,
    offset: usize,
) -> Result<()> {
    lower_payload(cx, ty, source, Place::Memory(offset))
}

/// Lowers `source` as the result `ty` of a function at `offset`, which nobody has checked yet.
pub(super) fn reply_to_memory<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    source: &Source<'_>,
    offset: usize,
) -> Result<()> {
    let abi = cx.types.canonical_abi(&ty);
    let (align, size) = (abi.align32, abi.size32 as usize);
    let memory = cx.as_slice_mut().len();
    if !offset.is_multiple_of(align as usize) {
        return Err(WireError::Unaligned { what: "result", offset, align }.into());
    }
    if offset.checked_add(size).is_none_or(|end| end > memory) {
        return Err(WireError::OutOfBounds { what: "result", offset, length: size, memory }.into());
    }
    let cx = &mut Lowering { cx, sizes: source.sizes };
    let place = Place::Memory(offset);
    let cases = Cases::of(cx.types(), ty);
    match source.payload {
        Payload::Message(message) if source.has_room(cx.types(), Some(ty), message) => {
            let field = protobuf::only_field(message.head())?;
            lower_field_or_block(cx, ty, &field, message.block(), place)
        }
        payload => lower_outcome(cx, cases, source, payload, place),
    }
}

fn lower_payload<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    source: &Source<'_>,
    place: Place<'_>,
) -> Result<()> {
    let cx = &mut Lowering { cx, sizes: source.sizes };
    let only = Fields::of(cx.types(), ty).filter(|fields| fields.len() == 1).map(|fields| fields.ty(0));
    match source.payload {
        Payload::Message(message) if source.has_room(cx.types(), only, message) => {
            lower_fields(cx, ty, message.head(), message.block(), place)
        }
        payload => lower_outcome(cx, result_of(cx, ty), source, payload, place),
    }
}

/// Lowers what came of a call into the caller's `result`, where that is not the callee's response as it is.
fn lower_outcome<T>(
    cx: &mut Lowering<'_, '_, T>,
    result: Option<Cases<'_>>,
    source: &Source<'_>,
    payload: &Payload,
    place: Place<'_>,
) -> Result<()> {
    let ok = result.as_ref().and_then(|cases| cases.payload(0));
    match payload {
        Payload::Ok(message) if source.has_room(cx.types(), ok, message) => lower_ok(cx, result, message.head(), place),
        Payload::Message(_) | Payload::Ok(_) => lower_error(cx, result, &CallError::TooLarge, place),
        Payload::Failed(error) => lower_error(cx, result, error, place),
    }
}

/// The `result` that is the whole result of a function, as its cases.
fn result_of<'a, T>(cx: &Lowering<'_, 'a, T>, ty: InterfaceType) -> Option<Cases<'a>> {
    let fields = Fields::of(cx.types(), ty).filter(|fields| fields.len() == 1)?;
    Some(fields.ty(0)).filter(|ty| matches!(ty, InterfaceType::Result(_))).and_then(|ty| Cases::of(cx.types(), ty))
}

/// Lowers the response of a call as the `ok` of the caller's `result`.
fn lower_ok<T>(
    cx: &mut Lowering<'_, '_, T>,
    result: Option<Cases<'_>>,
    response: &[u8],
    mut place: Place<'_>,
) -> Result<()> {
    let cases = result.ok_or(WireError::Type)?;
    place.put_discriminant(cx, 0, 1)?;
    let Some(ok) = cases.payload(0) else {
        return Ok(());
    };
    let field = protobuf::only_field(response)?;
    lower_field(cx, ok, &field, narrowed(cx, ok, place.payload(cases.info.payload_offset32))?)
}

/// Lowers a failed call as the `err` of the caller's `result`: a `call-error`, or a variant with a case for one.
fn lower_error<T>(
    cx: &mut Lowering<'_, '_, T>,
    result: Option<Cases<'_>>,
    error: &CallError,
    mut place: Place<'_>,
) -> Result<()> {
    let no_case = || WireError::NoErrorCase(error.to_string());
    let cases = result.ok_or_else(no_case)?;
    let mut variant = cases.payload(1).ok_or_else(no_case)?;
    place.put_discriminant(cx, 1, 1)?;
    let mut place = place.payload(cases.info.payload_offset32);
    if !is_call_error(cx.types(), variant) {
        let outer = Cases::of(cx.types(), variant).ok_or_else(no_case)?;
        let (case, payload) = (0..outer.count())
            .filter_map(|case| Some((case, outer.payload(case)?)))
            .find(|(_, payload)| is_call_error(cx.types(), *payload))
            .ok_or_else(no_case)?;
        place.put_discriminant(cx, case, outer.info.size.byte_size())?;
        place = place.payload(outer.info.payload_offset32);
        variant = payload;
    }
    let cases = Cases::of(cx.types(), variant).ok_or(WireError::Type)?;
    place.put_discriminant(cx, error.case(), cases.info.size.byte_size())?;
    match error.message() {
        Some(message) => lower_text(cx, message, place.payload(cases.info.payload_offset32)),
        None => Ok(()),
    }
}

/// Whether `ty` is `lp:courier/types.call-error`: types have no names here, so its cases are compared.
fn is_call_error(types: &ComponentTypes, ty: InterfaceType) -> bool {
    let InterfaceType::Variant(index) = ty else {
        return false;
    };
    let cases = types[index].cases.iter().map(|(name, payload)| (name.as_str(), *payload));
    cases.eq(CallError::CASES.iter().map(|&name| (name, (name == "failed").then_some(InterfaceType::String))))
}

/// Lowers a record or tuple. `block` is the content of its last field, where that is not in the message.
fn lower_fields<T>(
    cx: &mut Lowering<'_, '_, T>,
    ty: InterfaceType,
    message: &[u8],
    block: Option<&Arc<Block>>,
    place: Place<'_>,
) -> Result<()> {
    let types = cx.types();
    let fields = Fields::of(types, ty).ok_or(WireError::Type)?;
    let block_of = |index: usize| block.filter(|_| index + 1 == fields.len());
    match place {
        Place::Memory(base) => lower_fields_to_memory(cx, ty, message, block, base),
        Place::Flat(mut slots) => {
            let mut found: SmallVec<[Occurrences<'_>; 8]> = SmallVec::from_elem(Occurrences::default(), fields.len());
            protobuf::fill(message, &mut found)?;
            for (index, (field, found)) in fields.iter().zip(&found).enumerate() {
                let count = types.canonical_abi(&field).flat_count.ok_or(WireError::Type)?;
                let (these, rest) = slots.split_at_mut(count.into());
                lower_field_or_block(cx, field, found, block_of(index), Place::Flat(these))
                    .with_context(|| shape::field_name(types, ty, index))?;
                slots = rest;
            }
            Ok(())
        }
    }
}

/// Lowers a record or tuple at `base`. A type may have many more fields than the message says anything of: where these are
/// zero in memory, they are made so at once.
fn lower_fields_to_memory<T>(
    cx: &mut Lowering<'_, '_, T>,
    ty: InterfaceType,
    message: &[u8],
    block: Option<&Arc<Block>>,
    base: usize,
) -> Result<()> {
    let types = cx.types();
    let fields = Fields::of(types, ty).ok_or(WireError::Type)?;
    let present = protobuf::present(message, fields.len())?;
    let said = present.len() + usize::from(block.is_some());
    let zeroed = said < fields.len() && {
        cx.bytes_mut("value", base, types.canonical_abi(&ty).size32 as usize)?.fill(0);
        true
    };
    if zeroed && present.is_empty() && block.is_none() && cx.sizes.absent_is_zero(ty) {
        return Ok(());
    }
    let mut present = present.iter().peekable();
    let mut offset = 0;
    for (index, field) in fields.iter().enumerate() {
        let at = types.canonical_abi(&field).next_field32(&mut offset) as usize;
        let found = present.next_if(|found| found.number() as usize == index + 1).copied().unwrap_or_default();
        let block = block.filter(|_| index + 1 == fields.len());
        if zeroed && found.count() == 0 && block.is_none() && cx.sizes.absent_is_zero(field) {
            continue;
        }
        lower_field_or_block(cx, field, &found, block, Place::Memory(base + at))
            .with_context(|| shape::field_name(types, ty, index))?;
    }
    Ok(())
}

fn lower_field_or_block<T>(
    cx: &mut Lowering<'_, '_, T>,
    ty: InterfaceType,
    found: &Occurrences<'_>,
    block: Option<&Arc<Block>>,
    mut place: Place<'_>,
) -> Result<()> {
    let Some(block) = block else { return lower_field(cx, ty, found, place) };
    let InterfaceType::List(index) = ty else { return Err(WireError::Type.into()) };
    let size = shape::block_element(cx.types(), cx.types()[index].element).ok_or(WireError::Type)?;
    if !block.length().is_multiple_of(size) {
        return Err(FormatError::Truncated.into());
    }
    // Allocation runs the guest, which may yield: the block is not held meanwhile.
    let offset = cx.allocate(size as u32, block.length())?;
    block.copy_to(cx.bytes_mut("list", offset, block.length())?);
    place.put_pointer(cx, offset, block.length() / size)
}

/// Lowers a parameter, a result or a field of a record from its occurrences in the message.
fn lower_field<T>(
    cx: &mut Lowering<'_, '_, T>,
    ty: InterfaceType,
    found: &Occurrences<'_>,
    mut place: Place<'_>,
) -> Result<()> {
    match ty {
        InterfaceType::Option(index) => {
            let types = cx.types();
            let option = &types[index];
            let size = option.info.size.byte_size();
            place.put_discriminant(cx, usize::from(found.count() > 0), size)?;
            if found.count() == 0 {
                return Ok(());
            }
            let place = place.payload(option.info.payload_offset32);
            lower_present(cx, option.ty, found, place)
        }
        InterfaceType::List(index) if cx.types()[index].element != InterfaceType::U8 => {
            lower_list(cx, cx.types()[index].element, found, place)
        }
        _ => lower_single(cx, ty, found, place),
    }
}

/// Lowers a value whose presence says something, out of its wrapper message where it has one.
fn lower_present<T>(
    cx: &mut Lowering<'_, '_, T>,
    ty: InterfaceType,
    found: &Occurrences<'_>,
    place: Place<'_>,
) -> Result<()> {
    if !shape::needs_wrapper(cx.types(), ty) {
        return lower_single(cx, ty, found, place);
    }
    let body = found.merged()?;
    let field = protobuf::only_field(&body)?;
    lower_field(cx, ty, &field, place)
}

/// Lowers a value that is one wire value; without an occurrence it is the default of its type.
fn lower_single<T>(
    cx: &mut Lowering<'_, '_, T>,
    ty: InterfaceType,
    found: &Occurrences<'_>,
    mut place: Place<'_>,
) -> Result<()> {
    if let Some(scalar) = Scalar::of(cx.types(), ty) {
        let bits = found.last().map_or(Ok(0), |field| scalar.read_field(field))?;
        return place.put(cx, scalar, bits);
    }
    match ty {
        InterfaceType::String => {
            let bytes = found.last().map_or(Ok(&[][..]), Field::bytes)?;
            let text = std::str::from_utf8(bytes).map_err(|_| WireError::String { encoding: "UTF-8" })?;
            lower_text(cx, text, place)
        }
        InterfaceType::List(_) => {
            let bytes = found.last().map_or(Ok(&[][..]), Field::bytes)?;
            lower_block(cx, bytes, bytes.len(), 1, place)
        }
        InterfaceType::Record(_) | InterfaceType::Tuple(_) => lower_fields(cx, ty, &found.merged()?, None, place),
        _ => lower_case(cx, ty, &found.merged()?, place),
    }
}

fn lower_case<T>(cx: &mut Lowering<'_, '_, T>, ty: InterfaceType, message: &[u8], mut place: Place<'_>) -> Result<()> {
    let cases = Cases::of(cx.types(), ty).ok_or(WireError::Type)?;
    let found = protobuf::oneof(message, cases.count())?;
    let case = found.number() as usize - 1;
    place.put_discriminant(cx, case, cases.info.size.byte_size())?;
    let Some(payload) = cases.payload(case) else {
        found.last().map(Field::bytes).transpose()?;
        return Ok(());
    };
    let place = narrowed(cx, payload, place.payload(cases.info.payload_offset32))?;
    lower_present(cx, payload, &found, place)
}

/// The core values of one case among the slots that all cases share.
fn narrowed<'a, T>(cx: &Lowering<'_, '_, T>, payload: InterfaceType, place: Place<'a>) -> Result<Place<'a>> {
    Ok(match place {
        Place::Flat(slots) => {
            let count = cx.types().canonical_abi(&payload).flat_count.ok_or(WireError::Type)?;
            Place::Flat(&mut slots[..count.into()])
        }
        memory => memory,
    })
}

/// Lowers a list other than of bytes from a repeated field.
fn lower_list<T>(
    cx: &mut Lowering<'_, '_, T>,
    element: InterfaceType,
    found: &Occurrences<'_>,
    place: Place<'_>,
) -> Result<()> {
    let Some(scalar) = Scalar::of(cx.types(), element) else {
        let abi = cx.types().canonical_abi(&element);
        let (size, align) = (abi.size32 as usize, abi.align32);
        let count = found.count();
        let length = count.checked_mul(size).filter(|length| u32::try_from(*length).is_ok());
        let length = length.ok_or(WireError::ListTooLong { count, size })?;
        let offset = cx.allocate(align, length)?;
        for (index, field) in found.iter().enumerate() {
            let one = Occurrences::one(field?);
            lower_present(cx, element, &one, Place::Memory(offset + index * size))?;
        }
        let mut place = place;
        return place.put_pointer(cx, offset, count);
    };
    let size = scalar.size();
    if let (1, Some(Field { value: Value::Bytes(block), .. }), true) =
        (found.count(), found.last(), scalar.list_kind() != Kind::Varint)
    {
        return match block.len().is_multiple_of(size) {
            true => lower_block(cx, block, block.len() / size, size as u32, place),
            false => Err(FormatError::Truncated.into()),
        };
    }
    let elements = scalar_elements(scalar, found)?;
    lower_block(cx, &elements, elements.len() / size, size as u32, place)
}

/// The elements of a list of scalars in the layout of guest memory, from packed chunks and single fields alike.
fn scalar_elements(scalar: Scalar, found: &Occurrences<'_>) -> Result<Vec<u8>> {
    let size = scalar.size();
    let mut elements = Vec::new();
    for field in found.iter() {
        let field = field?;
        match (field.value, scalar.list_kind()) {
            (Value::Bytes(chunk), Kind::Varint) => {
                let mut reader = Reader(chunk);
                while !reader.0.is_empty() {
                    let bits = scalar.check_varint(reader.varint()?)?;
                    elements.extend_from_slice(&bits.to_le_bytes()[..size]);
                }
            }
            (Value::Bytes(chunk), _) if chunk.len().is_multiple_of(size) => elements.extend_from_slice(chunk),
            (Value::Bytes(_), _) => return Err(FormatError::Truncated.into()),
            _ => elements.extend_from_slice(&scalar.read_element(field)?.to_le_bytes()[..size]),
        }
    }
    Ok(elements)
}

fn lower_text<T>(cx: &mut Lowering<'_, '_, T>, text: &str, place: Place<'_>) -> Result<()> {
    const UTF16_TAG: usize = 1 << 31;
    let tag = match cx.options().string_encoding {
        StringEncoding::Utf8 => return lower_block(cx, text.as_bytes(), text.len(), 1, place),
        StringEncoding::Utf16 => 0,
        StringEncoding::CompactUtf16 => UTF16_TAG,
    };
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    lower_block(cx, &units, (units.len() / 2) | tag, 2, place)
}

/// Copies `block` into newly allocated guest memory and puts its pointer and `length` in `place`.
fn lower_block<T>(
    cx: &mut Lowering<'_, '_, T>,
    block: &[u8],
    length: usize,
    align: u32,
    mut place: Place<'_>,
) -> Result<()> {
    let offset = cx.allocate(align, block.len())?;
    store(cx, offset, block)?;
    place.put_pointer(cx, offset, length)
}
