//! The examples of `docs/encoding.md` as text, and what is refused.

mod check;
mod wave;
mod wide;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{decode_json, encode_json};
use crate::component::{Case, Field, Type, TypeKind};

const PAGE: &str = include_str!("../../../../docs/encoding.md");

fn plain(kind: TypeKind) -> Arc<Type> {
    Arc::new(Type { name: None, kind })
}

fn list(element: TypeKind) -> TypeKind {
    TypeKind::List(plain(element))
}

fn option(value: TypeKind) -> TypeKind {
    TypeKind::Option(plain(value))
}

fn result(ok: TypeKind, err: TypeKind) -> TypeKind {
    TypeKind::Result { ok: Some(plain(ok)), err: Some(plain(err)) }
}

fn field(name: &str, kind: TypeKind) -> Field {
    Field { name: name.to_owned(), ty: plain(kind) }
}

fn point() -> TypeKind {
    TypeKind::Record(vec![field("x", TypeKind::S32), field("y", TypeKind::S32)])
}

fn shape() -> TypeKind {
    let case = |name: &str, payload: Option<TypeKind>| Case { name: name.to_owned(), payload: payload.map(plain) };
    TypeKind::Variant(vec![
        case("nothing", None),
        case("circle", Some(TypeKind::F32)),
        case("polygon", Some(list(point()))),
        case("named", Some(TypeKind::String)),
        case("placed", Some(point())),
    ])
}

fn color() -> TypeKind {
    TypeKind::Enum(["red", "green", "blue"].map(str::to_owned).to_vec())
}

fn access() -> TypeKind {
    TypeKind::Flags(["read", "write", "run"].map(str::to_owned).to_vec())
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("two digits")).collect()
}

fn encoded(kind: &TypeKind, value: &Value) -> Result<Vec<u8>, String> {
    encode_json(&[field("value", kind.clone())], &json!([value])).map_err(|error| error.to_string())
}

fn decoded(kind: &TypeKind, hex: &str) -> Result<Value, String> {
    decode_json(Some(&plain(kind.clone())), &bytes(hex)).map_err(|error| error.to_string())
}

/// The row of the page for a type, a value and its bytes, in order.
fn examples() -> Vec<(TypeKind, Value)> {
    vec![
        (TypeKind::Bool, json!(true)),
        (TypeKind::Bool, json!(false)),
        (TypeKind::U8, json!(200)),
        (TypeKind::S8, json!(-1)),
        (TypeKind::S32, json!(i32::MIN)),
        (TypeKind::U64, json!(u64::MAX)),
        (TypeKind::F32, json!(1.0)),
        (TypeKind::F32, json!(-0.0)),
        (TypeKind::F64, json!(0.5)),
        (TypeKind::Char, json!("😀")),
        (TypeKind::String, json!("hi")),
        (color(), json!("red")),
        (color(), json!("blue")),
        (access(), json!(["read", "run"])),
        (list(TypeKind::U8), json!([1, 2, 255])),
        (list(TypeKind::U8), json!([])),
        (list(TypeKind::F32), json!([1.0, -1.0])),
        (list(TypeKind::U32), json!([1])),
        (list(TypeKind::S64), json!([-2])),
        (list(TypeKind::S16), json!([-1, 300])),
        (list(TypeKind::Bool), json!([true, false])),
        (list(TypeKind::String), json!(["a", ""])),
        (list(list(TypeKind::U8)), json!([[], [7]])),
        (list(list(TypeKind::U32)), json!([[], [1]])),
        (list(point()), json!([{"x": 0, "y": 0}, {"x": 1, "y": 0}])),
        (point(), json!({"x": 0, "y": -3})),
        (point(), json!({"x": 0, "y": 0})),
        (TypeKind::Tuple(vec![plain(TypeKind::U32), plain(TypeKind::String)]), json!([5, "a"])),
        (shape(), json!("nothing")),
        (shape(), json!({"circle": 0.0})),
        (shape(), json!({"polygon": [{"x": 1, "y": 2}]})),
        (result(TypeKind::U32, TypeKind::String), json!({"ok": 0})),
        (result(TypeKind::U32, TypeKind::String), json!({"err": "no"})),
        (TypeKind::Result { ok: None, err: None }, json!("ok")),
        (option(TypeKind::U32), json!(null)),
        (option(TypeKind::U32), json!(0)),
        (option(TypeKind::String), json!("")),
        (option(point()), json!({"x": 0, "y": 0})),
        (option(list(TypeKind::U32)), json!([])),
        (option(list(TypeKind::U32)), json!([7])),
        (option(option(TypeKind::U32)), json!([null])),
        (option(option(TypeKind::U32)), json!([0])),
        (list(option(TypeKind::U32)), json!([null, 0])),
        (result(option(TypeKind::U32), list(TypeKind::String)), json!({"ok": null})),
        (result(option(TypeKind::U32), list(TypeKind::String)), json!({"err": ["a"]})),
    ]
}

#[test]
fn every_example_of_the_page_is_written_and_read_as_json() {
    let rows: Vec<_> = PAGE.lines().skip_while(|line| *line != "| type | value | bytes |").skip(2).collect();
    let rows = rows.into_iter().take_while(|line| line.starts_with('|'));
    let (rows, examples): (Vec<_>, _) = (rows.collect(), examples());
    assert_eq!(rows.len(), examples.len(), "a row of the page is not tested");
    for ((kind, value), row) in examples.iter().zip(rows) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
        let named = ["point", "shape", "color", "access"];
        assert!(cells[0] == kind.to_string() || named.iter().any(|name| cells[0].contains(name)), "{row} for {kind}");
        let hex = if cells[2] == "(empty)" { "" } else { cells[2] };
        assert_eq!(encoded(kind, value), Ok(bytes(hex)), "{row}");
        let read = decoded(kind, hex).expect(row);
        assert_eq!(read, *value, "{row}");
        assert_eq!(read.to_string(), value.to_string(), "{row}");
    }
}

#[test]
fn other_forms_of_a_message_are_read_as_the_page_says() {
    let check = |kind: TypeKind, hex: &str, value: Value| assert_eq!(decoded(&kind, hex), Ok(value), "{hex}");
    check(TypeKind::U32, "08 01 08 02", json!(2));
    check(list(TypeKind::U32), "0d 01 00 00 00 0a 04 02 00 00 00", json!([1, 2]));
    check(point(), "0a 02 08 02 0a 02 10 04", json!({"x": 1, "y": 2}));
    check(shape(), "0a 07 15 00 00 80 3f 0a 00", json!("nothing"));
    check(point(), "", json!({"x": 0, "y": 0}));
    check(TypeKind::Bool, "10 ff 01 08 01", json!(true));
    check(list(TypeKind::S64), "09 fe ff ff ff ff ff ff ff", json!([-2]));
    check(option(option(TypeKind::U32)), "0a 02 08 01 0a 00", json!([1]));
    assert_eq!(decode_json(None, &bytes("08 01")), Ok(Value::Null));
}

#[test]
fn numbers_keep_what_json_can_say_of_them() {
    let check = |kind: TypeKind, value: Value| {
        let message = encoded(&kind, &value).expect("a value of its type");
        assert_eq!(decode_json(Some(&plain(kind)), &message).map(|value| value.to_string()), Ok(value.to_string()));
    };
    check(TypeKind::F32, json!(0.1));
    check(TypeKind::F32, json!(3.4028235e38));
    check(TypeKind::F64, json!(0.1));
    check(TypeKind::F64, json!(-0.0));
    check(list(TypeKind::F32), json!(["NaN", "Infinity", "-Infinity"]));
    check(list(TypeKind::S32), json!([i32::MIN, -1, i32::MAX]));
    check(list(TypeKind::U64), json!([u64::MAX]));
    check(TypeKind::S64, json!(i64::MIN));
    check(TypeKind::U16, json!(65535));
}

#[test]
fn arguments_come_in_order_or_by_name() {
    let params = [field("by", TypeKind::U32), field("max-items", option(TypeKind::U8))];
    let encode = |arguments: Value| encode_json(&params, &arguments).map_err(|error| error.to_string());
    assert_eq!(encode(json!([5, 1])), Ok(bytes("08 05 10 01")));
    assert_eq!(encode(json!({"max-items": 1, "by": 5})), Ok(bytes("08 05 10 01")));
    assert_eq!(encode(json!({"by": 5})), Ok(bytes("08 05")));
    assert_eq!(encode(json!({})), Err("`by` is missing".to_owned()));
    assert_eq!(encode(json!({"by": 5, "x": 1})), Err("there is no `x`; there are `by`, `max-items`".to_owned()));
    assert_eq!(
        encode(json!([5])),
        Err("expected an array or an object with 2 arguments (by: u32, max-items: option<u8>), found an array of 1"
            .to_owned())
    );
    assert_eq!(encode_json(&[], &json!([])), Ok(Vec::new()));
    assert_eq!(encode_json(&[], &json!({})), Ok(Vec::new()));
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    let check = |kind: TypeKind, value: Value, message: &str| {
        assert_eq!(encoded(&kind, &value), Err(message.to_owned()), "{value}");
    };
    let pair = TypeKind::Tuple(vec![plain(TypeKind::U8), plain(TypeKind::Char)]);
    check(TypeKind::U8, json!(256), "`value`: expected a whole number from 0 to 255 (`u8`), found `256`");
    check(TypeKind::S8, json!(-129), "`value`: expected a whole number from -128 to 127 (`s8`), found `-129`");
    check(
        TypeKind::U64,
        json!(1.5),
        "`value`: expected a whole number from 0 to 18446744073709551615 (`u64`), found `1.5`",
    );
    check(TypeKind::F32, json!(1e39), "`value`: expected a number within `f32`, found `1e+39`");
    check(TypeKind::Bool, json!(0), "`value`: expected true or false (`bool`), found `0`");
    check(TypeKind::Char, json!("ab"), "`value`: expected a string of one character (`char`), found `\"ab\"`");
    check(TypeKind::String, json!(["a"]), "`value`: expected a string (`string`), found an array of 1");
    check(list(TypeKind::U8), json!([1, 300]), "`value[1]`: expected a whole number from 0 to 255 (`u8`), found `300`");
    check(
        list(point()),
        json!([{"x": 1, "y": "2"}]),
        "`value[0].y`: expected a whole number from -2147483648 to 2147483647 (`s32`), found `\"2\"`",
    );
    check(list(point()), json!([{"x": 1}]), "`value[0]`: `y` is missing");
    check(point(), json!({"x": 1, "y": 2, "z": 3}), "`value`: there is no `z`; there are `x`, `y`");
    check(point(), json!([1, 2]), "`value`: expected an object with x, y, found an array of 2");
    check(pair, json!([1]), "`value`: expected an array of 2 (`tuple<u8, char>`), found an array of 1");
    check(color(), json!("pink"), "`value`: there is no `pink`; there are `red`, `green`, `blue`");
    check(
        access(),
        json!(["read", 1]),
        "`value[1]`: expected the name of one of `flags { read, write, run }`, found `1`",
    );
    check(shape(), json!("circle"), "`value.circle`: `{\"circle\": …}` is missing");
    check(shape(), json!({"nothing": 1}), "`value.nothing`: expected no payload, found `1`");
    check(
        shape(),
        json!({"circle": 1, "named": ""}),
        "`value`: expected a case of `variant { nothing, circle(f32), polygon(list<record { x: s32, y: s32 }>), named(string), placed(record { x: s32, y: s32 }) }`, such as {\"nothing\": …}, found an object",
    );
    check(
        option(option(TypeKind::U8)),
        json!(1),
        "`value`: expected null or an array of one (`option<option<u8>>`), found `1`",
    );
    check(TypeKind::String, json!(7.0), "`value`: expected a string (`string`), found `7.0`");
    check(
        TypeKind::U8,
        json!("x".repeat(100)),
        &format!("`value`: expected a whole number from 0 to 255 (`u8`), found `\"{}…`", "x".repeat(59)),
    );
}

#[test]
fn a_message_that_is_no_value_is_refused_as_the_page_says() {
    let check = |kind: TypeKind, hex: &str, message: &str| {
        assert_eq!(decoded(&kind, hex), Err(message.to_owned()), "{hex}");
    };
    check(TypeKind::U32, "08", "the message ends in the middle of a field");
    check(list(TypeKind::U32), "0a 03 00 00 00", "`[0]`: the message ends in the middle of a field");
    check(TypeKind::U64, "08 ff ff ff ff ff ff ff ff ff 02", "a varint is longer than ten bytes");
    check(TypeKind::U32, "00 01", "field number 0 is not valid");
    check(TypeKind::Bool, "13 14", "field 2 has wire type 3, which is not allowed there");
    check(TypeKind::U32, "0d 00 00 00 00", "field 1 has wire type 5, which is not allowed there");
    check(TypeKind::F32, "08 00", "field 1 has wire type 0, which is not allowed there");
    check(list(TypeKind::U16), "0d 00 00 00 00", "`[0]`: field 1 has wire type 5, which is not allowed there");
    check(shape(), "0a 02 08 00", "field 1 has wire type 0, which is not allowed there");
    check(TypeKind::U8, "08 80 02", "256 does not fit the type `u8`");
    check(TypeKind::S8, "08 81 02", "-129 does not fit the type `s8`");
    check(TypeKind::Char, "08 80 b0 03", "0xd800 is not a char");
    check(color(), "08 03", "3 is not a case of a type with 3 cases");
    check(access(), "08 08", "flags 0b1000 are set of a type with 3 flags");
    check(TypeKind::String, "0a 01 ff", "a string is not valid UTF-8");
    check(shape(), "", "a variant has no case set");
}
