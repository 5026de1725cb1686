//! The examples of `docs/encoding.md`: each row of its table is a case here, and each case a row there.

use wasmtime::component::Type;

use super::super::reference::{encode, same};
use super::*;

const PAGE: &str = include_str!("../../../../../../docs/encoding.md");

#[test]
fn every_example_of_the_page_is_what_the_codec_writes_and_reads() {
    let examples = examples();
    for (ty, value, row) in &examples {
        assert!(PAGE.contains(row), "the page has no row {row}");
        let hex = row.rsplit('|').nth(1).expect("a row has three cells").trim().trim_matches('`');
        let message = bytes(hex.strip_prefix("(empty)").unwrap_or(hex));
        block_on(check_example(ty, value, &message));
    }
    let rows = PAGE.lines().skip_while(|line| *line != "| type | value | bytes |").skip(2);
    assert_eq!(
        rows.take_while(|line| line.starts_with('|')).count(),
        examples.len(),
        "a row of the page is not tested"
    );
}

async fn check_example(ty: &WitType, value: &Val, message: &[u8]) {
    let mut guest = echo(ty).await;
    let types: &[Type] = &guest.types.0;
    assert_eq!(encode(&[(types[0].clone(), value.clone())]), message, "{value:?} by the reference");
    let (received, response) = exchange(&mut guest, message, value).await.unwrap();
    assert!(same(&received, value), "{received:?} instead of {value:?}");
    assert_eq!(response, message, "{value:?}");
}

fn examples() -> Vec<(WitType, Val, &'static str)> {
    let mut all = scalars();
    all.extend(lists());
    all.extend(messages());
    all.extend(options());
    all
}

fn scalars() -> Vec<(WitType, Val, &'static str)> {
    let flags = Val::Flags(names(&["read", "run"]));
    vec![
        (WitType::Bool, Val::Bool(true), "| `bool` | `true` | `08 01` |"),
        (WitType::Bool, Val::Bool(false), "| `bool` | `false` | (empty) |"),
        (WitType::U8, Val::U8(200), "| `u8` | `200` | `08 c8 01` |"),
        (WitType::S8, Val::S8(-1), "| `s8` | `-1` | `08 01` |"),
        (WitType::S32, Val::S32(i32::MIN), "| `s32` | `-2147483648` | `08 ff ff ff ff 0f` |"),
        (WitType::U64, Val::U64(u64::MAX), "| `u64` | `18446744073709551615` | `08 ff ff ff ff ff ff ff ff ff 01` |"),
        (WitType::F32, Val::Float32(1.0), "| `f32` | `1.0` | `0d 00 00 80 3f` |"),
        (WitType::F32, Val::Float32(-0.0), "| `f32` | `-0.0` | `0d 00 00 00 80` |"),
        (WitType::F64, Val::Float64(0.5), "| `f64` | `0.5` | `09 00 00 00 00 00 00 e0 3f` |"),
        (WitType::Char, Val::Char('😀'), "| `char` | `'😀'` | `08 80 ec 07` |"),
        (WitType::String, text("hi"), "| `string` | `\"hi\"` | `0a 02 68 69` |"),
        (color(), Val::Enum("red".to_owned()), "| `color` | `red` | (empty) |"),
        (color(), Val::Enum("blue".to_owned()), "| `color` | `blue` | `08 02` |"),
        (access(), flags, "| `access` | `{read, run}` | `08 05` |"),
    ]
}

fn lists() -> Vec<(WitType, Val, &'static str)> {
    let of = Val::List;
    vec![
        (WitType::list(WitType::U8), bytes_value(&[1, 2, 255]), "| `list<u8>` | `[1, 2, 255]` | `0a 03 01 02 ff` |"),
        (WitType::list(WitType::U8), bytes_value(&[]), "| `list<u8>` | `[]` | (empty) |"),
        (
            WitType::list(WitType::F32),
            of(vec![Val::Float32(1.0), Val::Float32(-1.0)]),
            "| `list<f32>` | `[1.0, -1.0]` | `0a 08 00 00 80 3f 00 00 80 bf` |",
        ),
        (WitType::list(WitType::U32), of(vec![Val::U32(1)]), "| `list<u32>` | `[1]` | `0a 04 01 00 00 00` |"),
        (
            WitType::list(WitType::S64),
            of(vec![Val::S64(-2)]),
            "| `list<s64>` | `[-2]` | `0a 08 fe ff ff ff ff ff ff ff` |",
        ),
        (
            WitType::list(WitType::S16),
            of(vec![Val::S16(-1), Val::S16(300)]),
            "| `list<s16>` | `[-1, 300]` | `0a 03 01 d8 04` |",
        ),
        (
            WitType::list(WitType::Bool),
            of(vec![Val::Bool(true), Val::Bool(false)]),
            "| `list<bool>` | `[true, false]` | `0a 02 01 00` |",
        ),
        (
            WitType::list(WitType::String),
            of(vec![text("a"), text("")]),
            "| `list<string>` | `[\"a\", \"\"]` | `0a 01 61 0a 00` |",
        ),
        (
            WitType::list(WitType::list(WitType::U8)),
            of(vec![bytes_value(&[]), bytes_value(&[7])]),
            "| `list<list<u8>>` | `[[], [7]]` | `0a 00 0a 01 07` |",
        ),
        (
            WitType::list(WitType::list(WitType::U32)),
            of(vec![of(vec![]), of(vec![Val::U32(1)])]),
            "| `list<list<u32>>` | `[[], [1]]` | `0a 00 0a 06 0a 04 01 00 00 00` |",
        ),
        (
            WitType::list(point()),
            of(vec![at(0, 0), at(1, 0)]),
            "| `list<point>` | `[{x: 0, y: 0}, {x: 1, y: 0}]` | `0a 00 0a 02 08 02` |",
        ),
    ]
}

fn messages() -> Vec<(WitType, Val, &'static str)> {
    vec![
        (point(), at(0, -3), "| `point` | `{x: 0, y: -3}` | `0a 02 10 05` |"),
        (point(), at(0, 0), "| `point` | `{x: 0, y: 0}` | `0a 00` |"),
        (
            WitType::Tuple(vec![WitType::U32, WitType::String]),
            Val::Tuple(vec![Val::U32(5), text("a")]),
            "| `tuple<u32, string>` | `(5, \"a\")` | `0a 05 08 05 12 01 61` |",
        ),
        (shape(), case("nothing", None), "| `shape` | `nothing` | `0a 02 0a 00` |"),
        (shape(), case("circle", Some(Val::Float32(0.0))), "| `shape` | `circle(0.0)` | `0a 05 15 00 00 00 00` |"),
        (
            shape(),
            case("polygon", Some(Val::List(vec![at(1, 2)]))),
            "| `shape` | `polygon([{x: 1, y: 2}])` | `0a 08 1a 06 0a 04 08 02 10 04` |",
        ),
        (result(WitType::U32, WitType::String), ok(Val::U32(0)), "| `result<u32, string>` | `ok(0)` | `0a 02 08 00` |"),
        (
            result(WitType::U32, WitType::String),
            err(text("no")),
            "| `result<u32, string>` | `err(\"no\")` | `0a 04 12 02 6e 6f` |",
        ),
        (WitType::Result(None, None), Val::Result(Ok(None)), "| `result` | `ok` | `0a 02 0a 00` |"),
    ]
}

fn options() -> Vec<(WitType, Val, &'static str)> {
    let none = || Val::Option(None);
    let nested = || WitType::option(WitType::option(WitType::U32));
    let with_list = || WitType::option(WitType::list(WitType::U32));
    vec![
        (WitType::option(WitType::U32), none(), "| `option<u32>` | `none` | (empty) |"),
        (WitType::option(WitType::U32), some(Val::U32(0)), "| `option<u32>` | `some(0)` | `08 00` |"),
        (WitType::option(WitType::String), some(text("")), "| `option<string>` | `some(\"\")` | `0a 00` |"),
        (WitType::option(point()), some(at(0, 0)), "| `option<point>` | `some({x: 0, y: 0})` | `0a 00` |"),
        (with_list(), some(Val::List(vec![])), "| `option<list<u32>>` | `some([])` | `0a 00` |"),
        (
            with_list(),
            some(Val::List(vec![Val::U32(7)])),
            "| `option<list<u32>>` | `some([7])` | `0a 06 0a 04 07 00 00 00` |",
        ),
        (nested(), some(none()), "| `option<option<u32>>` | `some(none)` | `0a 00` |"),
        (nested(), some(some(Val::U32(0))), "| `option<option<u32>>` | `some(some(0))` | `0a 02 08 00` |"),
        (
            WitType::list(WitType::option(WitType::U32)),
            Val::List(vec![none(), some(Val::U32(0))]),
            "| `list<option<u32>>` | `[none, some(0)]` | `0a 00 0a 02 08 00` |",
        ),
        (
            result(WitType::option(WitType::U32), WitType::list(WitType::String)),
            ok(none()),
            "| `result<option<u32>, list<string>>` | `ok(none)` | `0a 02 0a 00` |",
        ),
        (
            result(WitType::option(WitType::U32), WitType::list(WitType::String)),
            err(Val::List(vec![text("a")])),
            "| `result<option<u32>, list<string>>` | `err([\"a\"])` | `0a 05 12 03 0a 01 61` |",
        ),
    ]
}
