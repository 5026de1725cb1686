//! Messages one by one: the examples of `docs/encoding.md`, other legal forms of them, and those that are refused.

mod accepted;
mod examples;
mod refused;

use wasmtime::component::Val;

use super::forwarder::{Style, component};
use super::harness::{Codec, Concurrency, Guest, Values, block_on};
use super::wit_type::{Signature, Strings, WitType};

/// A guest whose `f` takes and returns a value of the type, called with messages, its import served with `Val`.
async fn echo(ty: &WitType) -> Guest {
    let signature = Signature { params: vec![ty.clone()], result: Some(ty.clone()), strings: Strings::Utf8 };
    Guest::new(&component(&signature, Style::Sync), Concurrency::Off, Codec::Val).await.unwrap()
}

/// Sends `request` through the guest; returns what its import was called with, and the response to `reply`.
async fn exchange(guest: &mut Guest, request: &[u8], reply: &Val) -> wasmtime::Result<(Val, Vec<u8>)> {
    guest.host().reply = Some(Values::Vals(vec![reply.clone()]));
    let returned = guest.call(Values::Bytes(request.to_vec())).await?;
    match (guest.host().received.take(), returned) {
        (Some(Values::Vals(mut received)), Values::Bytes(response)) => Ok((received.remove(0), response)),
        (received, returned) => panic!("{received:?}, {returned:?}"),
    }
}

/// Bytes written as hexadecimal digits with spaces between them.
fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn result(ok: WitType, err: WitType) -> WitType {
    WitType::Result(Some(Box::new(ok)), Some(Box::new(err)))
}

/// `record point { x: s32, y: s32 }`
fn point() -> WitType {
    WitType::Record(vec![("x".to_owned(), WitType::S32), ("y".to_owned(), WitType::S32)])
}

/// `variant shape { nothing, circle(f32), polygon(list<point>), named(string), placed(point) }`
fn shape() -> WitType {
    let case = |name: &str, payload| (name.to_owned(), payload);
    WitType::Variant(vec![
        case("nothing", None),
        case("circle", Some(WitType::F32)),
        case("polygon", Some(WitType::list(point()))),
        case("named", Some(WitType::String)),
        case("placed", Some(point())),
    ])
}

/// `enum color { red, green, blue }`
fn color() -> WitType {
    WitType::Enum(names(&["red", "green", "blue"]))
}

/// `flags access { read, write, run }`
fn access() -> WitType {
    WitType::Flags(names(&["read", "write", "run"]))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn some(value: Val) -> Val {
    Val::Option(Some(Box::new(value)))
}

fn text(value: &str) -> Val {
    Val::String(value.to_owned())
}

fn bytes_value(value: &[u8]) -> Val {
    Val::List(value.iter().copied().map(Val::U8).collect())
}

fn at(x: i32, y: i32) -> Val {
    Val::Record(vec![("x".to_owned(), Val::S32(x)), ("y".to_owned(), Val::S32(y))])
}

fn case(name: &str, payload: Option<Val>) -> Val {
    Val::Variant(name.to_owned(), payload.map(Box::new))
}

fn ok(value: Val) -> Val {
    Val::Result(Ok(Some(Box::new(value))))
}

fn err(value: Val) -> Val {
    Val::Result(Err(Some(Box::new(value))))
}
