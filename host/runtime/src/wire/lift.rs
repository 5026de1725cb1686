//! Guest memory to protobuf bytes, back to front.

mod lifting;

use std::sync::Arc;

use lifting::Lifting;
use lp_courier::{BLOCK_BYTES_MIN, Block, Message};
use smallvec::SmallVec;
use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::error::Context as _;
use wasmtime::{Result, ValRaw};

use super::error::WireError;
use super::scalar::{Kind, Scalar};
use super::shape::{self, Cases, Fields};

/// Where a guest keeps a value: in core values or at an offset of its memory.
#[derive(Clone, Copy)]
enum Place<'a> {
    Flat(&'a [ValRaw]),
    Memory(usize),
}

/// The message of the fields of the tuple `ty` from field `skip` on, where wasmtime passes them in core values.
///
/// A single core value for a type that has more is a pointer to the tuple in memory.
pub(super) fn message_from_flat(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    values: &[ValRaw],
    part: Part,
) -> Result<Message> {
    if shape::flat_count(cx.types, ty) == Some(values.len()) {
        return message(cx, ty, Place::Flat(values), part);
    }
    message_from_memory(cx, ty, values[0].get_u32() as usize, part)
}

/// The message of the fields of the tuple `ty` from field `skip` on, at `offset` of the guest's memory.
pub(super) fn message_from_memory(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    offset: usize,
    part: Part,
) -> Result<Message> {
    let abi = cx.types.canonical_abi(&ty);
    aligned("result", offset, abi.align32)?;
    bytes_of(cx.memory(), "result", offset, abi.size32 as usize)?;
    message(cx, ty, Place::Memory(offset), part)
}

fn message(cx: &mut LiftContext<'_>, ty: InterfaceType, place: Place<'_>, part: Part) -> Result<Message> {
    let mut cx = Lifting::new(cx);
    let mut message = Message::default();
    lift_fields(&mut cx, &mut message, ty, place, part)?;
    cx.charge_encoded(message.encoded_len())?;
    Ok(message)
}

/// A list of fixed-width numbers as a block that stays where it is, if it is large enough for that.
fn lift_block(cx: &mut Lifting<'_, '_>, ty: InterfaceType, place: Place<'_>) -> Result<Option<Arc<Block>>> {
    let InterfaceType::List(index) = ty else { return Ok(None) };
    let Some(size) = shape::block_element(cx.types(), cx.types()[index].element) else { return Ok(None) };
    let (offset, count) = pointer(cx, place)?;
    let length = count.checked_mul(size).ok_or(WireError::ListTooLong { count, size })?;
    if length < BLOCK_BYTES_MIN {
        return Ok(None);
    }
    cx.charge(length)?;
    aligned("list", offset, size as u32)?;
    let bytes = bytes_of(cx.memory(), "list", offset, length)?;
    // SAFETY: only arguments are lifted with `Part::Args`, and `import::link_as` keeps their block before the guest
    // that owns the memory goes on.
    Ok(Some(unsafe { Block::borrow(bytes) }))
}

/// The `length` bytes at `offset`, for a caller that knows what they are only as a value.
pub(super) fn bytes_at(memory: &[u8], offset: usize, length: usize) -> Result<&[u8], WireError> {
    bytes_of(memory, "value", offset, length)
}

fn bytes_of<'a>(memory: &'a [u8], what: &'static str, offset: usize, length: usize) -> Result<&'a [u8], WireError> {
    let bytes = memory.get(offset..).and_then(|tail| tail.get(..length));
    bytes.ok_or(WireError::OutOfBounds { what, offset, length, memory: memory.len() })
}

fn aligned(what: &'static str, offset: usize, align: u32) -> Result<(), WireError> {
    match offset.is_multiple_of(align as usize) {
        true => Ok(()),
        false => Err(WireError::Unaligned { what, offset, align }),
    }
}

/// What of a tuple or record a message is made of, and how.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// All fields, copied.
    Whole,
    /// The arguments of an imported function without the first `handles` ones; a large block may stay where it is.
    Args { handles: usize },
}

/// Writes the fields of a record or tuple, the last one first.
fn lift_fields(
    cx: &mut Lifting<'_, '_>,
    out: &mut Message,
    ty: InterfaceType,
    place: Place<'_>,
    part: Part,
) -> Result<()> {
    let (skip, share) = match part {
        Part::Whole => (0, false),
        Part::Args { handles } => (handles, true),
    };
    let types = cx.types();
    let fields = Fields::of(types, ty).ok_or(WireError::Type)?;
    if let (Place::Memory(offset), Part::Whole) = (place, part) {
        let size = types.canonical_abi(&ty).size32 as usize;
        if cx.is_omitted(ty, bytes_of(cx.memory(), "value", offset, size)?) {
            return Ok(());
        }
    }
    let mut offset = 0;
    let mut places = SmallVec::<[Place<'_>; 8]>::new();
    for field in fields.iter() {
        let abi = types.canonical_abi(&field);
        places.push(match place {
            Place::Memory(base) => Place::Memory(base + abi.next_field32(&mut offset) as usize),
            Place::Flat(values) => {
                let start = offset as usize;
                offset += u32::from(abi.flat_count.ok_or(WireError::Type)?);
                Place::Flat(&values[start..offset as usize])
            }
        });
    }
    for (index, (field, place)) in fields.iter().zip(places).enumerate().skip(skip).rev() {
        if share
            && index + 1 == fields.len()
            && let Some(block) = lift_block(cx, field, place).with_context(|| shape::field_name(types, ty, index))?
        {
            out.set_block((index - skip + 1) as u32, block);
            continue;
        }
        lift_field(cx, out, (index - skip + 1) as u32, field, place)
            .with_context(|| shape::field_name(types, ty, index))?;
    }
    Ok(())
}

/// Writes a parameter, a result or a field of a record: the places where options and lists need no wrapper.
fn lift_field(
    cx: &mut Lifting<'_, '_>,
    out: &mut Message,
    number: u32,
    ty: InterfaceType,
    place: Place<'_>,
) -> Result<()> {
    match ty {
        InterfaceType::Option(index) => {
            let types = cx.types();
            let option = &types[index];
            let present = discriminant(cx, place, option.info.size.byte_size())?;
            if present > 1 {
                return Err(WireError::Discriminant { value: present, cases: 2 }.into());
            }
            if present == 0 {
                return Ok(());
            }
            let place = payload_place(place, option.info.payload_offset32);
            lift_present(cx, out, number, option.ty, place)
        }
        InterfaceType::List(index) if cx.types()[index].element != InterfaceType::U8 => {
            lift_list(cx, out, number, cx.types()[index].element, place)
        }
        _ => lift_single(cx, out, number, ty, place, false),
    }
}

/// Writes a value whose presence says something: a payload, a list element, an option's value.
fn lift_present(
    cx: &mut Lifting<'_, '_>,
    out: &mut Message,
    number: u32,
    ty: InterfaceType,
    place: Place<'_>,
) -> Result<()> {
    if !shape::needs_wrapper(cx.types(), ty) {
        return lift_single(cx, out, number, ty, place, true);
    }
    let end = out.len();
    lift_field(cx, out, 1, ty, place)?;
    close(out, number, end);
    Ok(())
}

/// Writes the header of a length-delimited field whose content was written since the message had `end` bytes.
fn close(out: &mut Message, number: u32, end: usize) {
    out.prepend_varint((out.len() - end) as u64);
    out.prepend_varint(u64::from(number) << 3 | 2);
}

/// Writes a value that is one wire value: a number, a string, bytes or a message.
fn lift_single(
    cx: &mut Lifting<'_, '_>,
    out: &mut Message,
    number: u32,
    ty: InterfaceType,
    place: Place<'_>,
    optional: bool,
) -> Result<()> {
    if let Some(scalar) = Scalar::of(cx.types(), ty) {
        let bits = scalar.check_guest(load(cx, place, scalar)?)?;
        scalar.write_field(out, number, bits, optional);
        return Ok(());
    }
    let end = out.len();
    match ty {
        InterfaceType::String => lift_string(cx, out, place)?,
        InterfaceType::List(_) => {
            let (offset, length) = pointer(cx, place)?;
            cx.charge(length)?;
            out.prepend(bytes_of(cx.memory(), "list", offset, length)?);
        }
        InterfaceType::Record(_) | InterfaceType::Tuple(_) => {
            lift_fields(cx, out, ty, place, Part::Whole)?;
            close(out, number, end);
            return Ok(());
        }
        _ => {
            lift_case(cx, out, ty, place)?;
            close(out, number, end);
            return Ok(());
        }
    }
    if optional || out.len() > end {
        close(out, number, end);
    }
    Ok(())
}

/// Writes the case of a variant or result that is set.
fn lift_case(cx: &mut Lifting<'_, '_>, out: &mut Message, ty: InterfaceType, place: Place<'_>) -> Result<()> {
    let cases = Cases::of(cx.types(), ty).ok_or(WireError::Type)?;
    let case = cases.check(discriminant(cx, place, cases.info.size.byte_size())?)?;
    let number = case as u32 + 1;
    let Some(payload) = cases.payload(case) else {
        let end = out.len();
        close(out, number, end);
        return Ok(());
    };
    let place = payload_place(place, cases.info.payload_offset32);
    // The payload's own core values come first in the slots that all cases share.
    let place = match place {
        Place::Flat(values) => {
            let count = cx.types().canonical_abi(&payload).flat_count.ok_or(WireError::Type)?;
            Place::Flat(&values[..count.into()])
        }
        memory => memory,
    };
    lift_present(cx, out, number, payload, place)
}

/// Writes a list other than of bytes as a repeated field.
fn lift_list(
    cx: &mut Lifting<'_, '_>,
    out: &mut Message,
    number: u32,
    element: InterfaceType,
    place: Place<'_>,
) -> Result<()> {
    let (offset, count) = pointer(cx, place)?;
    let abi = cx.types().canonical_abi(&element);
    let (size, align) = (abi.size32 as usize, abi.align32);
    let length = count.checked_mul(size).ok_or(WireError::ListTooLong { count, size })?;
    cx.charge(length)?;
    aligned("list", offset, align)?;
    let bytes = bytes_of(cx.memory(), "list", offset, length)?;
    let Some(scalar) = Scalar::of(cx.types(), element) else {
        for index in (0..count).rev() {
            lift_present(cx, out, number, element, Place::Memory(offset + index * size))?;
            cx.charge_encoded(out.len())?;
        }
        return Ok(());
    };
    if count == 0 {
        return Ok(());
    }
    let end = out.len();
    if scalar.list_kind() == Kind::Varint {
        for element in bytes.chunks_exact(size).rev() {
            let bits = scalar.check_guest(little_endian(element))?;
            out.prepend_varint(scalar.varint(bits));
        }
    } else {
        out.prepend(bytes);
    }
    close(out, number, end);
    Ok(())
}

fn lift_string(cx: &mut Lifting<'_, '_>, out: &mut Message, place: Place<'_>) -> Result<()> {
    const UTF16_TAG: usize = 1 << 31;
    let (offset, length) = pointer(cx, place)?;
    let encoding = cx.options().string_encoding;
    let utf16 = match encoding {
        StringEncoding::Utf8 => {
            cx.charge(length)?;
            let bytes = bytes_of(cx.memory(), "string", offset, length)?;
            std::str::from_utf8(bytes).map_err(|_| WireError::String { encoding: "UTF-8" })?;
            out.prepend(bytes);
            return Ok(());
        }
        StringEncoding::Utf16 => true,
        StringEncoding::CompactUtf16 => length & UTF16_TAG != 0,
    };
    aligned("string", offset, 2)?;
    let text = if utf16 {
        let length = 2 * (length & !UTF16_TAG);
        cx.charge(length)?;
        let units = bytes_of(cx.memory(), "string", offset, length)?.chunks_exact(2);
        let units = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| WireError::String { encoding: "UTF-16" })?
    } else {
        cx.charge(length)?;
        bytes_of(cx.memory(), "string", offset, length)?.iter().map(|&byte| char::from(byte)).collect()
    };
    out.prepend(text.as_bytes());
    Ok(())
}

/// The pointer and the length of a string or list.
fn pointer(cx: &Lifting<'_, '_>, place: Place<'_>) -> Result<(usize, usize)> {
    Ok(match place {
        Place::Flat(values) => (values[0].get_u32() as usize, values[1].get_u32() as usize),
        Place::Memory(offset) => {
            let pair = bytes_of(cx.memory(), "value", offset, 8)?;
            (little_endian(&pair[..4]) as usize, little_endian(&pair[4..]) as usize)
        }
    })
}

fn discriminant(cx: &Lifting<'_, '_>, place: Place<'_>, size: u32) -> Result<u64> {
    Ok(match place {
        Place::Flat(values) => values[0].get_u32().into(),
        Place::Memory(offset) => little_endian(bytes_of(cx.memory(), "value", offset, size as usize)?),
    })
}

fn payload_place(place: Place<'_>, offset32: u32) -> Place<'_> {
    match place {
        Place::Flat(values) => Place::Flat(&values[1..]),
        Place::Memory(offset) => Place::Memory(offset + offset32 as usize),
    }
}

/// The bits of a scalar, zero-extended from its size.
fn load(cx: &Lifting<'_, '_>, place: Place<'_>, scalar: Scalar) -> Result<u64> {
    let size = scalar.size();
    Ok(match place {
        Place::Memory(offset) => little_endian(bytes_of(cx.memory(), "value", offset, size)?),
        Place::Flat(values) if size == 8 => values[0].get_u64(),
        Place::Flat(values) => {
            let bits = values[0].get_u32();
            match (scalar, size) {
                // A bool is true, and a discriminant out of range, by all bits of its core value.
                (Scalar::Bool | Scalar::Enum(_), _) | (_, 4) => bits.into(),
                (_, 2) => (bits as u16).into(),
                _ => (bits as u8).into(),
            }
        }
    })
}

fn little_endian(bytes: &[u8]) -> u64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(wide)
}
