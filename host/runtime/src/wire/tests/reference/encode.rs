//! `Val` to message to canonical bytes.

use wasmtime::component::{Type, Val};

use super::{Class, Content, Field, Label, Message, Scalar, class};

/// The canonical bytes of a request (its parameters) or a response (its result, if any).
pub fn encode(values: &[(Type, Val)]) -> Vec<u8> {
    let mut out = Vec::new();
    write(&message(values), &mut out);
    out
}

/// The message of a request or response, with the fields that the canonical encoding leaves out.
pub fn message(values: &[(Type, Val)]) -> Message {
    let mut fields = Message::new();
    for (number, (ty, value)) in (1..).zip(values) {
        field(number, ty, value, &mut fields);
    }
    fields
}

/// A value that owns a whole field: a parameter, a result, a member of a record or tuple, the inside of a wrapper.
fn field(number: u32, ty: &Type, value: &Val, out: &mut Message) {
    match (class(ty), ty, value) {
        (Class::Field, Type::Option(option), Val::Option(value)) => {
            if let Some(value) = value {
                out.push(Field { number, label: Label::Singular, content: content(&option.ty(), value) });
            }
        }
        (Class::Field, Type::List(list), Val::List(values)) => elements(number, &list.ty(), values, out),
        _ => {
            let content = content(ty, value);
            let is_default = match &content {
                Content::Scalar(Scalar::Varint(bits) | Scalar::Fixed64(bits)) => *bits == 0,
                Content::Scalar(Scalar::Fixed32(bits)) => *bits == 0,
                Content::Bytes(bytes) => bytes.is_empty(),
                Content::Message(_) | Content::Packed(_) => false,
            };
            let label = if is_default { Label::Default } else { Label::Singular };
            out.push(Field { number, label, content });
        }
    }
}

fn elements(number: u32, ty: &Type, values: &[Val], out: &mut Message) {
    if let Class::Scalar = class(ty) {
        let scalars = values.iter().map(|value| scalar(ty, value, true)).collect();
        out.push(Field { number, label: Label::Repeated, content: Content::Packed(scalars) });
    } else {
        out.extend(values.iter().map(|value| Field { number, label: Label::Repeated, content: content(ty, value) }));
    }
}

/// A value that is surely there: an option's or a case's payload, an element of a list.
fn content(ty: &Type, value: &Val) -> Content {
    match class(ty) {
        Class::Scalar => Content::Scalar(scalar(ty, value, false)),
        Class::Bytes => Content::Bytes(bytes(value)),
        Class::Message => Content::Message(submessage(ty, value)),
        Class::Field => {
            let mut wrapper = Message::new();
            field(1, ty, value, &mut wrapper);
            Content::Message(wrapper)
        }
    }
}

fn bytes(value: &Val) -> Vec<u8> {
    match value {
        Val::String(text) => text.clone().into_bytes(),
        Val::List(values) => {
            values.iter().map(|value| if let Val::U8(byte) = value { *byte } else { unreachable!() }).collect()
        }
        _ => unreachable!("{value:?} is neither a string nor a list"),
    }
}

fn submessage(ty: &Type, value: &Val) -> Message {
    let mut out = Message::new();
    match (ty, value) {
        (Type::Record(record), Val::Record(values)) => {
            for ((number, of), (_, value)) in (1..).zip(record.fields()).zip(values) {
                field(number, &of.ty, value, &mut out);
            }
        }
        (Type::Tuple(tuple), Val::Tuple(values)) => {
            for ((number, of), value) in (1..).zip(tuple.types()).zip(values) {
                field(number, &of, value, &mut out);
            }
        }
        (Type::Variant(variant), Val::Variant(name, value)) => {
            let mut cases = (1..).zip(variant.cases());
            let (number, of) = cases.find(|(_, case)| case.name == name).expect("the case is one of the variant's");
            out.push(case(number, of.ty, value));
        }
        (Type::Result(result), Val::Result(Ok(value))) => out.push(case(1, result.ok(), value)),
        (Type::Result(result), Val::Result(Err(value))) => out.push(case(2, result.err(), value)),
        _ => unreachable!("{value:?} is not a {ty:?}"),
    }
    out
}

fn case(number: u32, ty: Option<Type>, value: &Option<Box<Val>>) -> Field {
    let content = match (ty, value) {
        (Some(ty), Some(value)) => content(&ty, value),
        _ => Content::Message(Message::new()),
    };
    Field { number, label: Label::Singular, content }
}

fn scalar(ty: &Type, value: &Val, in_list: bool) -> Scalar {
    let zigzag = |value: i64| Scalar::Varint((value << 1 ^ value >> 63) as u64);
    match value {
        Val::Bool(value) => Scalar::Varint(u64::from(*value)),
        Val::U8(value) => Scalar::Varint(u64::from(*value)),
        Val::U16(value) => Scalar::Varint(u64::from(*value)),
        Val::S8(value) => zigzag(i64::from(*value)),
        Val::S16(value) => zigzag(i64::from(*value)),
        Val::U32(value) if in_list => Scalar::Fixed32(*value),
        Val::S32(value) if in_list => Scalar::Fixed32(*value as u32),
        Val::U64(value) if in_list => Scalar::Fixed64(*value),
        Val::S64(value) if in_list => Scalar::Fixed64(*value as u64),
        Val::U32(value) => Scalar::Varint(u64::from(*value)),
        Val::S32(value) => zigzag(i64::from(*value)),
        Val::U64(value) => Scalar::Varint(*value),
        Val::S64(value) => zigzag(*value),
        Val::Float32(value) => Scalar::Fixed32(value.to_bits()),
        Val::Float64(value) => Scalar::Fixed64(value.to_bits()),
        Val::Char(value) => Scalar::Varint(u64::from(u32::from(*value))),
        Val::Enum(name) => {
            let index = ty.unwrap_enum().names().position(|case| case == name);
            Scalar::Varint(index.expect("the case is one of the enum's") as u64)
        }
        Val::Flags(names) => {
            let is_set = |flag: &str| names.iter().any(|name| name == flag);
            let bits = (0..).zip(ty.unwrap_flags().names()).map(|(bit, flag)| u64::from(is_set(flag)) << bit);
            Scalar::Varint(bits.sum())
        }
        _ => unreachable!("{value:?} is not a scalar"),
    }
}

fn write(message: &Message, out: &mut Vec<u8>) {
    for field in message {
        match &field.content {
            _ if field.label == Label::Default => {}
            Content::Scalar(scalar) => {
                let wire_type = match scalar {
                    Scalar::Varint(_) => 0,
                    Scalar::Fixed64(_) => 1,
                    Scalar::Fixed32(_) => 5,
                };
                write_varint(u64::from(field.number) << 3 | wire_type, out);
                write_scalar(*scalar, out);
            }
            Content::Bytes(bytes) => write_len(field.number, bytes, out),
            Content::Message(message) => {
                let mut payload = Vec::new();
                write(message, &mut payload);
                write_len(field.number, &payload, out);
            }
            Content::Packed(scalars) if scalars.is_empty() => {}
            Content::Packed(scalars) => {
                let mut payload = Vec::new();
                scalars.iter().for_each(|scalar| write_scalar(*scalar, &mut payload));
                write_len(field.number, &payload, out);
            }
        }
    }
}

fn write_len(number: u32, payload: &[u8], out: &mut Vec<u8>) {
    write_varint(u64::from(number) << 3 | 2, out);
    write_varint(payload.len() as u64, out);
    out.extend_from_slice(payload);
}

fn write_scalar(scalar: Scalar, out: &mut Vec<u8>) {
    match scalar {
        Scalar::Varint(value) => write_varint(value, out),
        Scalar::Fixed32(bits) => out.extend_from_slice(&bits.to_le_bytes()),
        Scalar::Fixed64(bits) => out.extend_from_slice(&bits.to_le_bytes()),
    }
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
