//! Legal messages that the codec itself would write in another way.

use super::super::reference::{decode, same};
use super::*;

fn check_accepted(ty: WitType, cases: &[(&str, Val)]) {
    block_on(async {
        let mut guest = echo(&ty).await;
        for (hex, value) in cases {
            let message = bytes(hex);
            let decoded = decode(&guest.types.0, &message).unwrap_or_else(|error| panic!("{hex}: {error}"));
            assert!(same(&decoded[0], value), "{hex} is {decoded:?} to the reference, not {value:?}");
            let (received, _) =
                exchange(&mut guest, &message, value).await.unwrap_or_else(|error| panic!("{hex}: {error:?}"));
            assert!(same(&received, value), "{hex} is {received:?}, not {value:?}");
        }
    });
}

#[test]
fn the_last_of_several_scalars_counts() {
    check_accepted(WitType::U32, &[("08 01 08 02", Val::U32(2)), ("08 01 08 00", Val::U32(0))]);
    check_accepted(WitType::String, &[("0a 01 61 0a 01 62", text("b"))]);
    check_accepted(WitType::list(WitType::U8), &[("0a 01 61 0a 01 62", bytes_value(b"b"))]);
    check_accepted(WitType::option(WitType::U32), &[("08 01 08 00", some(Val::U32(0)))]);
}

#[test]
fn an_occurrence_that_a_later_one_replaces_is_not_looked_at() {
    check_accepted(WitType::U8, &[("08 80 02 08 02", Val::U8(2)), ("0d 00 00 00 00 08 02", Val::U8(2))]);
    check_accepted(WitType::String, &[("0a 01 ff 0a 01 62", text("b"))]);
    check_accepted(shape(), &[("0a 05 22 01 ff 0a 00", case("nothing", None))]);
}

#[test]
fn several_occurrences_of_a_message_are_one() {
    let cases = [("0a 02 08 02 0a 02 10 04", at(1, 2)), ("0a 02 08 02 0a 04 10 04 08 06", at(3, 2))];
    check_accepted(point(), &cases);
    check_accepted(
        WitType::option(WitType::list(WitType::Bool)),
        &[("0a 03 0a 01 01 0a 03 0a 01 00", { some(Val::List(vec![Val::Bool(true), Val::Bool(false)])) })],
    );
    check_accepted(WitType::option(WitType::option(WitType::U32)), &[("0a 02 08 01 0a 00", some(some(Val::U32(1))))]);
    // The payloads are put together before they are read.
    check_accepted(point(), &[("0a 01 08 0a 01 02", at(1, 0))]);
}

#[test]
fn the_last_case_that_is_set_counts_and_merges_only_with_itself() {
    let placed = |x, y| case("placed", Some(at(x, y)));
    let cases = [
        ("0a 02 0a 00 0a 05 15 00 00 80 3f", case("circle", Some(Val::Float32(1.0)))),
        ("0a 07 15 00 00 80 3f 0a 00", case("nothing", None)),
        ("0a 08 2a 02 08 02 2a 02 10 04", placed(1, 2)),
        ("0a 0a 2a 02 08 02 0a 00 2a 02 10 04", placed(0, 2)),
        ("0a 04 2a 02 08 02 0a 04 2a 02 10 04", placed(1, 2)),
        // A field that is no case does not come between.
        ("0a 0c 2a 02 08 02 a2 06 01 00 2a 02 10 04", placed(1, 2)),
    ];
    check_accepted(shape(), &cases);
}

#[test]
fn a_list_of_scalars_may_be_packed_unpacked_or_both() {
    let values = |values: &[u32]| Val::List(values.iter().copied().map(Val::U32).collect());
    let cases = [
        ("0d 01 00 00 00 0d 02 00 00 00", values(&[1, 2])),
        ("0a 04 01 00 00 00 0d 02 00 00 00 0a 00 0a 04 03 00 00 00", values(&[1, 2, 3])),
        ("0a 00", values(&[])),
    ];
    check_accepted(WitType::list(WitType::U32), &cases);
    let colors = Val::List(vec![Val::Enum("green".to_owned()), Val::Enum("blue".to_owned())]);
    check_accepted(WitType::list(color()), &[("08 01 0a 01 02", colors)]);
}

#[test]
fn a_required_message_that_is_absent_is_empty() {
    check_accepted(point(), &[("", at(0, 0))]);
    check_accepted(WitType::Tuple(vec![WitType::Bool, point()]), &[("", Val::Tuple(vec![Val::Bool(false), at(0, 0)]))]);
}

#[test]
fn unknown_fields_are_skipped_at_every_level() {
    check_accepted(
        WitType::Bool,
        &[
            ("10 ff 01 08 01", Val::Bool(true)),
            ("08 01 19 00 00 00 00 00 00 00 00", Val::Bool(true)),
            ("12 03 ff ff ff 1d 00 00 00 00 08 01", Val::Bool(true)),
        ],
    );
    check_accepted(
        WitType::option(WitType::option(WitType::Bool)),
        &[("0a 04 10 05 08 01", some(some(Val::Bool(true))))],
    );
    check_accepted(shape(), &[("0a 04 0a 02 08 01", case("nothing", None)), ("0a 03 0a 01 ff", case("nothing", None))]);
}

#[test]
fn any_varint_but_zero_is_true_and_any_length_of_varint_will_do() {
    let cases = [
        ("08 02", Val::Bool(true)),
        ("08 ff ff ff ff ff ff ff ff ff 01", Val::Bool(true)),
        ("08 80 80 80 80 80 80 80 80 80 00", Val::Bool(false)),
        ("88 00 01", Val::Bool(true)),
    ];
    check_accepted(WitType::Bool, &cases);
    check_accepted(WitType::String, &[("0a 81 80 00 61", text("a"))]);
}
