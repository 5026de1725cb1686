//! Messages that are no value of their type: refused by the reference and by the codec, which says why.

use super::super::reference::{DecodeError, decode};
use super::*;

fn check_refused(ty: WitType, cases: &[(&str, DecodeError, &str)]) {
    block_on(async {
        for (hex, reason, says) in cases {
            // A refused message traps the guest that would have received it, so each case has its own.
            let mut guest = echo(&ty).await;
            let message = bytes(hex);
            assert_eq!(decode(&guest.types.0, &message).map(|value| format!("{value:?}")), Err(*reason), "{hex}");
            let error = guest.call(Values::Bytes(message)).await.expect_err(hex);
            let error = format!("{error:?}");
            assert!(error.contains(says), "{hex}: `{says}` is not in {error}");
        }
    });
}

#[test]
fn messages_that_are_cut_short() {
    check_refused(
        WitType::U32,
        &[
            ("08", DecodeError::Truncated, "in the middle of a field"),
            ("08 80", DecodeError::Truncated, "in the middle of a field"),
            ("88", DecodeError::Truncated, "in the middle of a field"),
            ("12 02 00", DecodeError::Truncated, "in the middle of a field"),
            ("15 00 00 00", DecodeError::Truncated, "in the middle of a field"),
            ("11 00 00 00 00 00 00 00", DecodeError::Truncated, "in the middle of a field"),
        ],
    );
    check_refused(
        WitType::list(WitType::U32),
        &[("0a 03 00 00 00", DecodeError::Truncated, "in the middle of a field")],
    );
    check_refused(
        WitType::list(WitType::U64),
        &[("0a 04 00 00 00 00 0a 00", DecodeError::Truncated, "in the middle of a field")],
    );
    check_refused(WitType::list(WitType::S16), &[("0a 01 80", DecodeError::Truncated, "in the middle of a field")]);
    check_refused(WitType::String, &[("0a ff ff ff ff ff ff ff ff ff 01", DecodeError::Truncated, "in the middle")]);
    check_refused(point(), &[("0a 02 08 80", DecodeError::Truncated, "in the middle of a field")]);
}

#[test]
fn varints_of_more_than_64_bits() {
    check_refused(
        WitType::U64,
        &[
            ("08 ff ff ff ff ff ff ff ff ff 02", DecodeError::Varint, "varint"),
            ("08 80 80 80 80 80 80 80 80 80 80 00", DecodeError::Varint, "varint"),
        ],
    );
}

#[test]
fn field_numbers_that_protobuf_does_not_have() {
    check_refused(
        WitType::U32,
        &[
            ("00 01", DecodeError::FieldNumber, "field number 0"),
            ("80 80 80 80 10 01", DecodeError::FieldNumber, "field number 536870912"),
        ],
    );
}

#[test]
fn wire_types_that_the_field_does_not_have() {
    let group = (DecodeError::WireType, "wire type 3");
    check_refused(
        WitType::U32,
        &[
            ("0b 0c", group.0, group.1),
            ("13 14", group.0, group.1),
            ("0c", DecodeError::WireType, "wire type 4"),
            ("0e", DecodeError::WireType, "wire type 6"),
            ("0f", DecodeError::WireType, "wire type 7"),
            ("0d 00 00 00 00", DecodeError::WrongWireType, "wire type 5"),
            ("0a 01 00", DecodeError::WrongWireType, "wire type 2"),
        ],
    );
    check_refused(WitType::F32, &[("08 00", DecodeError::WrongWireType, "wire type 0")]);
    check_refused(WitType::String, &[("08 00", DecodeError::WrongWireType, "wire type 0")]);
    check_refused(WitType::list(WitType::U8), &[("08 00", DecodeError::WrongWireType, "wire type 0")]);
    check_refused(WitType::list(WitType::U32), &[("08 00", DecodeError::WrongWireType, "wire type 0")]);
    check_refused(WitType::list(WitType::U16), &[("0d 00 00 00 00", DecodeError::WrongWireType, "wire type 5")]);
    check_refused(point(), &[("08 00", DecodeError::WrongWireType, "wire type 0")]);
    check_refused(point(), &[("08 00 0a 00", DecodeError::WrongWireType, "wire type 0")]);
    check_refused(
        WitType::option(WitType::option(WitType::U8)),
        &[("08 00", DecodeError::WrongWireType, "wire type 0")],
    );
    check_refused(shape(), &[("0a 02 08 00", DecodeError::WrongWireType, "wire type 0")]);
}

#[test]
fn numbers_that_do_not_fit_their_type() {
    let range = DecodeError::Range;
    check_refused(WitType::U8, &[("08 80 02", range, "256 does not fit the type `u8`")]);
    check_refused(WitType::U16, &[("08 80 80 04", range, "65536 does not fit the type `u16`")]);
    check_refused(WitType::U32, &[("08 80 80 80 80 10", range, "4294967296 does not fit the type `u32`")]);
    check_refused(
        WitType::S8,
        &[
            ("08 80 02", range, "128 does not fit the type `s8`"),
            ("08 81 02", range, "-129 does not fit the type `s8`"),
        ],
    );
    check_refused(WitType::S16, &[("08 80 80 04", range, "32768 does not fit the type `s16`")]);
    check_refused(WitType::S32, &[("08 80 80 80 80 10", range, "2147483648 does not fit the type `s32`")]);
    check_refused(WitType::list(WitType::U16), &[("0a 03 80 80 04", range, "65536 does not fit the type `u16`")]);
}

#[test]
fn numbers_without_a_meaning() {
    let not_a_char = |hex| [(hex, DecodeError::Char, "is not a char")];
    check_refused(WitType::Char, &not_a_char("08 80 b0 03"));
    check_refused(WitType::Char, &not_a_char("08 80 80 44"));
    check_refused(WitType::Char, &not_a_char("08 80 80 80 80 10"));
    check_refused(WitType::list(WitType::Char), &not_a_char("0a 03 80 b0 03"));
    check_refused(
        color(),
        &[
            ("08 03", DecodeError::EnumCase, "3 is not a case of a type with 3 cases"),
            ("08 ff ff ff ff ff ff ff ff ff 01", DecodeError::EnumCase, "is not a case of a type with 3 cases"),
        ],
    );
    check_refused(
        access(),
        &[
            ("08 08", DecodeError::Flag, "flags 0b1000 are set"),
            ("08 81 80 80 80 80 10", DecodeError::Flag, "are set of a type with 3 flags"),
        ],
    );
}

#[test]
fn strings_that_are_not_utf_8() {
    check_refused(
        WitType::String,
        &[
            ("0a 01 ff", DecodeError::Utf8, "not valid UTF-8"),
            ("0a 03 ed a0 80", DecodeError::Utf8, "not valid UTF-8"),
            ("0a 02 c0 80", DecodeError::Utf8, "not valid UTF-8"),
        ],
    );
    check_refused(WitType::list(WitType::String), &[("0a 01 61 0a 01 ff", DecodeError::Utf8, "not valid UTF-8")]);
}

#[test]
fn an_error_names_the_field_that_was_wrong() {
    check_refused(point(), &[("0a 07 08 02 10 80 80 80 80", DecodeError::Truncated, "in value 1")]);
    check_refused(point(), &[("0a 08 08 02 10 80 80 80 80 10", DecodeError::Range, "in field `y`")]);
}

#[test]
fn variants_and_results_without_a_case() {
    check_refused(
        shape(),
        &[
            ("", DecodeError::NoCase, "no case set"),
            ("0a 00", DecodeError::NoCase, "no case set"),
            ("0a 02 30 00", DecodeError::NoCase, "no case set"),
        ],
    );
    check_refused(result(WitType::U8, WitType::U8), &[("0a 02 18 00", DecodeError::NoCase, "no case set")]);
    check_refused(WitType::list(shape()), &[("0a 00", DecodeError::NoCase, "no case set")]);
}
