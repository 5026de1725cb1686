//! Bytes to fields to `Val`, with every check of the specification.

use wasmtime::component::{Type, Val};

use super::{Class, class, scalar_wire_type};

/// Why bytes are no message of the type they were read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the message ends inside a field")]
    Truncated,
    #[error("a varint does not fit 64 bits")]
    Varint,
    #[error("no field has this number")]
    FieldNumber,
    #[error("group wire types are not carried")]
    WireType,
    #[error("the field's wire type is not its type's")]
    WrongWireType,
    #[error("the value does not fit its type")]
    Range,
    #[error("the number is no Unicode scalar value")]
    Char,
    #[error("the string is not UTF-8")]
    Utf8,
    #[error("the enum has no such case")]
    EnumCase,
    #[error("the flags have no such flag")]
    Flag,
    #[error("no case is set")]
    NoCase,
}

type Result<T> = std::result::Result<T, DecodeError>;

/// One occurrence of a field.
#[derive(Clone, Copy)]
struct Occurrence<'a> {
    number: u64,
    value: Wire<'a>,
}

#[derive(Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Len(&'a [u8]),
}

/// Reads a request (the types of its parameters) or a response (the type of its result, if any).
pub fn decode(types: &[Type], bytes: &[u8]) -> Result<Vec<Val>> {
    let fields = parse(bytes)?;
    (1..).zip(types).map(|(number, ty)| field(number, ty, &fields)).collect()
}

fn parse(mut bytes: &[u8]) -> Result<Vec<Occurrence<'_>>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let number = key >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return Err(DecodeError::FieldNumber);
        }
        let value = match key & 7 {
            0 => Wire::Varint(varint(&mut bytes)?),
            1 => Wire::Fixed64(u64::from_le_bytes(array(&mut bytes)?)),
            2 => {
                let len = usize::try_from(varint(&mut bytes)?).map_err(|_| DecodeError::Truncated)?;
                Wire::Len(take(&mut bytes, len)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(array(&mut bytes)?)),
            _ => return Err(DecodeError::WireType),
        };
        fields.push(Occurrence { number, value });
    }
    Ok(fields)
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len).ok_or(DecodeError::Truncated)?;
    *bytes = rest;
    Ok(taken)
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    Ok(take(bytes, N)?.try_into().expect("`take` returns as many bytes as it is asked for"))
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        if shift == 63 && byte > 1 {
            return Err(DecodeError::Varint);
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    Ok(value)
}

/// A value that owns a whole field: a parameter, a result, a member of a record or tuple, the inside of a wrapper.
fn field(number: u64, ty: &Type, fields: &[Occurrence<'_>]) -> Result<Val> {
    let found: Vec<_> = fields.iter().filter(|field| field.number == number).map(|field| field.value).collect();
    match ty {
        Type::Option(_) if found.is_empty() => Ok(Val::Option(None)),
        Type::Option(option) => Ok(Val::Option(Some(Box::new(content(&option.ty(), &found)?)))),
        Type::List(list) if matches!(class(ty), Class::Field) => elements(&list.ty(), &found),
        _ => content(ty, &found),
    }
}

fn elements(ty: &Type, found: &[Wire<'_>]) -> Result<Val> {
    let mut values = Vec::new();
    for value in found {
        match value {
            Wire::Len(packed) if matches!(class(ty), Class::Scalar) => {
                let mut packed = *packed;
                while !packed.is_empty() {
                    let one = match scalar_wire_type(ty, true) {
                        0 => Wire::Varint(varint(&mut packed)?),
                        1 => Wire::Fixed64(u64::from_le_bytes(array(&mut packed)?)),
                        _ => Wire::Fixed32(u32::from_le_bytes(array(&mut packed)?)),
                    };
                    values.push(scalar(ty, one, true)?);
                }
            }
            value if matches!(class(ty), Class::Scalar) => values.push(scalar(ty, *value, true)?),
            value => values.push(content(ty, &[*value])?),
        }
    }
    Ok(Val::List(values))
}

/// A value that stands by itself, from all occurrences of its field; from none it is the default.
fn content(ty: &Type, found: &[Wire<'_>]) -> Result<Val> {
    match (class(ty), found.last()) {
        (Class::Scalar, Some(last)) => scalar(ty, *last, false),
        (Class::Scalar, None) => scalar(ty, default(ty), false),
        (Class::Bytes, Some(last)) => bytes(ty, *last),
        (Class::Bytes, None) => bytes(ty, Wire::Len(&[])),
        (Class::Message, _) => submessage(ty, &parse(&merge(found)?)?),
        (Class::Field, _) => field(1, ty, &parse(&merge(found)?)?),
    }
}

fn default(ty: &Type) -> Wire<'static> {
    match scalar_wire_type(ty, false) {
        0 => Wire::Varint(0),
        1 => Wire::Fixed64(0),
        _ => Wire::Fixed32(0),
    }
}

/// The payloads of all occurrences of one message, one after the other.
fn merge(found: &[Wire<'_>]) -> Result<Vec<u8>> {
    let payloads = found.iter().map(|value| match value {
        Wire::Len(payload) => Ok(*payload),
        _ => Err(DecodeError::WrongWireType),
    });
    Ok(payloads.collect::<Result<Vec<_>>>()?.concat())
}

fn bytes(ty: &Type, value: Wire<'_>) -> Result<Val> {
    let Wire::Len(payload) = value else {
        return Err(DecodeError::WrongWireType);
    };
    match ty {
        Type::String => {
            let text = std::str::from_utf8(payload).map_err(|_| DecodeError::Utf8)?;
            Ok(Val::String(text.to_owned()))
        }
        _ => Ok(Val::List(payload.iter().copied().map(Val::U8).collect())),
    }
}

fn submessage(ty: &Type, fields: &[Occurrence<'_>]) -> Result<Val> {
    match ty {
        Type::Record(record) => {
            let members = (1..).zip(record.fields());
            let values = members.map(|(number, of)| Ok((of.name.to_owned(), field(number, &of.ty, fields)?)));
            Ok(Val::Record(values.collect::<Result<_>>()?))
        }
        Type::Tuple(tuple) => {
            let members = (1..).zip(tuple.types());
            Ok(Val::Tuple(members.map(|(number, of)| field(number, &of, fields)).collect::<Result<_>>()?))
        }
        Type::Variant(variant) => {
            let cases: Vec<_> = variant.cases().map(|case| case.ty).collect();
            let (index, payload) = oneof(&cases, fields)?;
            let case = variant.cases().nth(index).expect("`oneof` returns one of the cases");
            Ok(Val::Variant(case.name.to_owned(), payload))
        }
        Type::Result(result) => match oneof(&[result.ok(), result.err()], fields)? {
            (0, payload) => Ok(Val::Result(Ok(payload))),
            (_, payload) => Ok(Val::Result(Err(payload))),
        },
        _ => unreachable!("{ty:?} is no message"),
    }
}

/// The case that is set last; occurrences of it from before another case was set do not count.
fn oneof(cases: &[Option<Type>], fields: &[Occurrence<'_>]) -> Result<(usize, Option<Box<Val>>)> {
    let known: Vec<_> = fields.iter().filter(|field| field.number <= cases.len() as u64).collect();
    let run = known.chunk_by(|a, b| a.number == b.number).next_back().ok_or(DecodeError::NoCase)?;
    let index = run[0].number as usize - 1;
    let found: Vec<_> = run.iter().map(|field| field.value).collect();
    match &cases[index] {
        Some(ty) => Ok((index, Some(Box::new(content(ty, &found)?)))),
        // A case without payload is a message without fields, so all of its content is unknown fields.
        None => merge(&found[found.len() - 1..]).map(|_| (index, None)),
    }
}

fn scalar(ty: &Type, value: Wire<'_>, in_list: bool) -> Result<Val> {
    let fixed = |signed: bool, value: Wire<'_>| match value {
        Wire::Fixed32(bits) if signed => Ok(i128::from(bits as i32)),
        Wire::Fixed32(bits) => Ok(i128::from(bits)),
        Wire::Fixed64(bits) if signed => Ok(i128::from(bits as i64)),
        Wire::Fixed64(bits) => Ok(i128::from(bits)),
        _ => Err(DecodeError::WrongWireType),
    };
    let number = match (ty, value) {
        (Type::Float32, Wire::Fixed32(bits)) => return Ok(Val::Float32(f32::from_bits(bits))),
        (Type::Float64, Wire::Fixed64(bits)) => return Ok(Val::Float64(f64::from_bits(bits))),
        (ty, Wire::Fixed32(_)) if scalar_wire_type(ty, in_list) == 5 => fixed(*ty == Type::S32, value)?,
        (ty, Wire::Fixed64(_)) if scalar_wire_type(ty, in_list) == 1 => fixed(*ty == Type::S64, value)?,
        (ty, Wire::Varint(bits)) if scalar_wire_type(ty, in_list) == 0 => match ty {
            Type::S8 | Type::S16 | Type::S32 | Type::S64 => i128::from((bits >> 1) as i64 ^ -((bits & 1) as i64)),
            _ => i128::from(bits),
        },
        _ => return Err(DecodeError::WrongWireType),
    };
    let range = |_| DecodeError::Range;
    Ok(match ty {
        Type::Bool => Val::Bool(number != 0),
        Type::U8 => Val::U8(number.try_into().map_err(range)?),
        Type::U16 => Val::U16(number.try_into().map_err(range)?),
        Type::U32 => Val::U32(number.try_into().map_err(range)?),
        Type::U64 => Val::U64(number.try_into().map_err(range)?),
        Type::S8 => Val::S8(number.try_into().map_err(range)?),
        Type::S16 => Val::S16(number.try_into().map_err(range)?),
        Type::S32 => Val::S32(number.try_into().map_err(range)?),
        Type::S64 => Val::S64(number.try_into().map_err(range)?),
        Type::Char => {
            let code = u32::try_from(number).map_err(|_| DecodeError::Char)?;
            Val::Char(char::from_u32(code).ok_or(DecodeError::Char)?)
        }
        Type::Enum(of) => {
            let index = usize::try_from(number).map_err(|_| DecodeError::EnumCase)?;
            Val::Enum(of.names().nth(index).ok_or(DecodeError::EnumCase)?.to_owned())
        }
        Type::Flags(of) => {
            if number >> of.names().len() != 0 {
                return Err(DecodeError::Flag);
            }
            let names = (0..).zip(of.names()).filter(|(bit, _)| number >> bit & 1 == 1);
            Val::Flags(names.map(|(_, name)| name.to_owned()).collect())
        }
        _ => unreachable!("{ty:?} is not a scalar"),
    })
}
