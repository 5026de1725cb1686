//! What is a request and what is none.

use super::super::check;
use super::*;
use crate::component::MethodTypes;

fn params(kinds: Vec<TypeKind>) -> MethodTypes {
    let params = (1..).zip(kinds).map(|(number, kind)| field(&format!("p{number}"), kind)).collect();
    MethodTypes { params, result: None }
}

fn checked(kinds: Vec<TypeKind>, request: &[u8]) -> Result<(), String> {
    check(&params(kinds), request).map_err(|error| error.to_string())
}

#[test]
fn every_example_of_the_page_is_a_request() {
    for (kind, value) in examples() {
        let request = encoded(&kind, &value).expect("an example");
        assert_eq!(checked(vec![kind], &request), Ok(()), "{value}");
    }
    assert_eq!(checked(vec![], &bytes("08 01")), Ok(()));
    assert_eq!(checked(vec![TypeKind::U8, shape()], &bytes("12 02 0a 00")), Ok(()));
}

#[test]
fn what_is_no_request_is_refused_with_its_place() {
    let check = |kind: TypeKind, hex: &str, message: &str| {
        assert_eq!(checked(vec![kind], &bytes(hex)), Err(message.to_owned()), "{hex}");
    };
    check(TypeKind::U8, "08 80 02", "`p1`: 256 does not fit the type `u8`");
    check(TypeKind::S16, "08 80 80 04", "`p1`: 32768 does not fit the type `s16`");
    check(TypeKind::Char, "08 80 80 44", "`p1`: 0x110000 is not a char");
    check(TypeKind::String, "0a 02 c3 28", "`p1`: a string is not valid UTF-8");
    check(list(TypeKind::String), "0a 01 61 0a 01 ff", "`p1[1]`: a string is not valid UTF-8");
    check(list(color()), "0a 02 02 03", "`p1[1]`: 3 is not a case of a type with 3 cases");
    check(list(TypeKind::U32), "0a 03 00 00 00", "`p1[0]`: the message ends in the middle of a field");
    check(
        list(TypeKind::U32),
        "0a 04 00 00 00 00 08 01",
        "`p1[1]`: field 1 has wire type 0, which is not allowed there",
    );
    check(
        list(TypeKind::Record(vec![field("corner", point())])),
        "0a 00 0a 08 0a 06 08 ff ff ff ff 7f",
        "`p1[1].corner.x`: -17179869184 does not fit the type `s32`",
    );
    check(shape(), "0a 06 22 04 ff ff ff ff", "`p1.named`: a string is not valid UTF-8");
    check(option(option(access())), "0a 02 08 08", "`p1`: flags 0b1000 are set of a type with 3 flags");
    check(shape(), "", "`p1`: a variant has no case set");
    check(TypeKind::Tuple(vec![plain(shape())]), "0a 00", "`p1[0]`: a variant has no case set");
    check(TypeKind::U8, "08", "the message ends in the middle of a field");
    check(list(TypeKind::U8), "0a ff ff ff ff 0f 00", "the message ends in the middle of a field");
}

#[test]
fn types_as_deep_as_they_can_be_are_walked() {
    let deep = (0..100).fold(shape(), |kind, _| option(kind));
    let mut request = bytes("0a 02 0a 00");
    for _ in 0..99 {
        let mut outer = Vec::new();
        super::super::encode::write_block(&mut outer, 1, &request);
        request = outer;
    }
    assert_eq!(checked(vec![deep.clone()], &request), Ok(()));
    let wrong = request.len() - 2;
    request[wrong] = 0x08;
    let error = "`p1`: field 1 has wire type 0, which is not allowed there".to_owned();
    assert_eq!(checked(vec![deep], &request), Err(error));
}
