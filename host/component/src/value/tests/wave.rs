//! Values as WAVE.

use super::super::{decode_wave, encode_wave};
use super::*;

fn written(kind: &TypeKind, wave: &str) -> Result<Vec<u8>, String> {
    encode_wave(&[field("value", kind.clone())], wave).map_err(|error| error.to_string())
}

/// Checks that the text is the value, and is what the value is shown as.
fn check(kind: TypeKind, value: Value, wave: &str) {
    let message = encoded(&kind, &value).expect("a value of its type");
    assert_eq!(written(&kind, wave), Ok(message.clone()), "{wave}");
    assert_eq!(decode_wave(Some(&plain(kind)), &message), Ok(wave.to_owned()));
}

#[test]
fn every_kind_of_value_has_its_text() {
    check(TypeKind::Bool, json!(true), "true");
    check(TypeKind::U8, json!(255), "255");
    check(TypeKind::U16, json!(7), "7");
    check(TypeKind::U32, json!(7), "7");
    check(TypeKind::U64, json!(u64::MAX), "18446744073709551615");
    check(TypeKind::S8, json!(-128), "-128");
    check(TypeKind::S16, json!(-7), "-7");
    check(TypeKind::S32, json!(i32::MIN), "-2147483648");
    check(TypeKind::S64, json!(i64::MIN), "-9223372036854775808");
    check(TypeKind::F32, json!(0.1), "0.1");
    check(TypeKind::F64, json!(-0.0), "-0");
    check(list(TypeKind::F32), json!(["NaN", "Infinity", "-Infinity"]), "[nan, inf, -inf]");
    check(list(TypeKind::F64), json!(["NaN", "Infinity", "-Infinity", 1.0]), "[nan, inf, -inf, 1]");
    check(TypeKind::Char, json!("😀"), "'😀'");
    check(TypeKind::String, json!("a\"\n"), "\"a\\\"\\n\"");
    check(list(TypeKind::U8), json!([1, 2]), "[1, 2]");
    check(list(list(TypeKind::U8)), json!([[], [7]]), "[[], [7]]");
    check(TypeKind::Tuple(vec![plain(TypeKind::U8), plain(TypeKind::String)]), json!([5, "a"]), "(5, \"a\")");
    check(point(), json!({"x": 1, "y": -2}), "{x: 1, y: -2}");
    check(color(), json!("blue"), "blue");
    check(access(), json!(["read", "run"]), "{read, run}");
    check(access(), json!([]), "{}");
    check(shape(), json!("nothing"), "nothing");
    check(shape(), json!({"polygon": [{"x": 1, "y": 2}]}), "polygon([{x: 1, y: 2}])");
    check(result(TypeKind::U32, TypeKind::String), json!({"ok": 0}), "ok(0)");
    check(result(TypeKind::U32, TypeKind::String), json!({"err": "no"}), "err(\"no\")");
    check(TypeKind::Result { ok: None, err: None }, json!("ok"), "ok");
    check(option(TypeKind::U32), json!(null), "none");
    check(option(TypeKind::U32), json!(7), "some(7)");
    check(option(option(TypeKind::U32)), json!([null]), "some(none)");
    check(option(option(TypeKind::U32)), json!([7]), "some(some(7))");
    check(TypeKind::Enum(vec!["none".to_owned(), "x".to_owned()]), json!("none"), "%none");
    assert_eq!(decode_wave(None, &[]), Ok(String::new()));
}

#[test]
fn wave_has_shorter_and_longer_forms() {
    let same =
        |kind: TypeKind, wave: &str, value: Value| assert_eq!(written(&kind, wave), encoded(&kind, &value), "{wave}");
    same(option(TypeKind::U32), "7", json!(7));
    same(option(color()), "red", json!("red"));
    same(result(TypeKind::U32, TypeKind::String), "7", json!({"ok": 7}));
    same(TypeKind::S32, "-0", json!(0));
    same(TypeKind::F32, "1e3", json!(1000.0));
    same(point(), "{y: 2, x: 1} // a comment", json!({"x": 1, "y": 2}));
    same(TypeKind::Record(vec![field("a", option(TypeKind::U8))]), "{:}", json!({}));
    same(TypeKind::String, "\"\"\"\na\nb\n\"\"\"", json!("a\nb"));
    same(access(), "{%run, read}", json!(["run", "read"]));
}

#[test]
fn arguments_are_separated_by_commas_and_options_may_be_left_out_at_the_end() {
    let params = [field("by", TypeKind::U32), field("max", option(TypeKind::U8)), field("min", option(TypeKind::U8))];
    let encode = |arguments: &str| encode_wave(&params, arguments).map_err(|error| error.to_string());
    assert_eq!(encode("5, some(1), none"), Ok(bytes("08 05 10 01")));
    assert_eq!(encode("5, none, 1"), Ok(bytes("08 05 18 01")));
    assert_eq!(encode(" 5 "), Ok(bytes("08 05")));
    let expected = "expected an array or an object with 3 arguments (by: u32, max: option<u8>, min: option<u8>), found";
    assert_eq!(encode(""), Err(format!("{expected} an array of 0")));
    assert_eq!(encode("1, 2, 3, 4"), Err(format!("{expected} an array of 4")));
    assert_eq!(encode_wave(&[], " "), Ok(Vec::new()));
}

#[test]
fn wrong_text_is_refused_with_its_place() {
    let check = |kind: TypeKind, wave: &str, message: &str| {
        assert_eq!(written(&kind, wave), Err(message.to_owned()), "{wave}");
    };
    check(TypeKind::U8, "256", "`value`: expected a whole number from 0 to 255 (`u8`), found `256`");
    check(TypeKind::U8, "1.5", "`value`: expected a whole number from 0 to 255 (`u8`), found `1.5`");
    check(point(), "{x: 1, y: 2, z: 3}", "`value`: there is no `z`; there are `x`, `y`");
    check(point(), "{x: 1}", "`value`: `y` is missing");
    check(color(), "pink", "`value`: there is no `pink`; there are `red`, `green`, `blue`");
    check(list(TypeKind::Bool), "[true, some(1)]", "`value[1]`: expected true or false (`bool`), found an object");
    check(
        option(option(TypeKind::U8)),
        "7",
        "`value`: expected null or an array of one (`option<option<u8>>`), found `7`",
    );
    check(TypeKind::String, "\"é\" )", "trailing characters after value at character 6");
    check(TypeKind::U8, "[1", "unexpected token: ParenClose at character 3");
    check(TypeKind::U8, "$", "invalid token at character 1");
    check(point(), "{x: 1, x: 2}", "duplicate field: \"x\" at character 8");
}
