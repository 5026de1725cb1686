//! Messages that say little of types with many parts.

use super::super::{check, decode_json};
use super::*;
use crate::component::MethodTypes;

/// A tuple of 2^14 zeros, as pairs of pairs.
fn dag() -> Arc<Type> {
    (0..14).fold(plain(TypeKind::U8), |half, _| plain(TypeKind::Tuple(vec![half.clone(), half])))
}

fn record(fields: usize, kind: TypeKind) -> TypeKind {
    TypeKind::Record((0..fields).map(|index| field(&format!("a-field-{index}"), kind.clone())).collect())
}

#[test]
fn a_request_costs_what_it_says_and_not_what_its_type_has() {
    let params = |element: Arc<Type>| MethodTypes {
        params: vec![Field { name: "p1".to_owned(), ty: plain(TypeKind::List(element)) }],
        result: None,
    };
    // With 2^35 and 10^11 parts, looking at each would take minutes.
    let elements = [0x0a, 0].repeat(2 << 20);
    assert_eq!(check(&params(dag()), &elements), Ok(()));
    let types = params(plain(record(50_000, TypeKind::U8)));
    assert_eq!(check(&types, &elements), Ok(()));
    // A part that has to be there is missed all the same.
    let mut fields = match record(1000, TypeKind::U8) {
        TypeKind::Record(fields) => fields,
        _ => unreachable!("it is a record"),
    };
    fields[700].ty = plain(shape());
    let types = params(plain(TypeKind::Record(fields)));
    let error = check(&types, &bytes("0a 02 08 01")).expect_err("a variant is missing").to_string();
    assert_eq!(error, "`p1[0].a-field-700`: a variant has no case set");
    assert_eq!(check(&types, &bytes("0a 05 ea 2b 02 0a 00")), Ok(()));
}

#[test]
fn a_result_that_becomes_much_more_than_its_message_is_not_made() {
    let ty = Type { name: None, kind: TypeKind::List(dag()) };
    let error = decode_json(Some(&ty), &[0x0a, 0].repeat(2000)).expect_err("4 KB become 4 GiB").to_string();
    let bytes_max = (128 << 20) + 4000 * 256;
    assert!(error.contains(&format!("the value takes more than {bytes_max} bytes")), "{error}");
    assert!(decode_json(Some(&ty), &[0x0a, 0].repeat(8)).is_ok());
    // Names of fields are made again for each record.
    let names = TypeKind::Record(vec![field(&"a".repeat(100_000), TypeKind::U8)]);
    let ty = Type { name: None, kind: TypeKind::List(plain(names)) };
    assert!(decode_json(Some(&ty), &[0x0a, 0].repeat(1000)).is_ok());
    assert!(decode_json(Some(&ty), &[0x0a, 0].repeat(2000)).is_err());
}
