//! Strategies for WIT types: every class of them, nested to depth 4, at the limits of the canonical ABI.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::wit_type::Strings;
use super::{Signature, WitType, name};

/// Functions whose parameters and results are passed flat as well as in memory.
pub fn signature() -> impl Strategy<Value = Signature> {
    let params = prop_oneof![
        6 => vec(wit_type(), 0..=4),
        1 => vec(scalar(), 5..=16),
        1 => vec(prop_oneof![scalar(), wit_type()], 17..=20),
    ];
    let result = prop_oneof![
        1 => Just(None),
        2 => scalar().prop_map(Some),
        5 => wit_type().prop_map(Some),
        1 => vec(scalar(), 17..=20).prop_map(|types| Some(WitType::Tuple(types))),
    ];
    let strings = prop_oneof![2 => Just(Strings::Utf8), 1 => Just(Strings::Utf16), 1 => Just(Strings::Latin1OrUtf16)];
    (params, result, strings).prop_map(|(params, result, strings)| Signature { params, result, strings })
}

fn wit_type() -> impl Strategy<Value = WitType> {
    let leaf = prop_oneof![
        4 => scalar(),
        1 => Just(WitType::String),
        1 => scalar().prop_map(|element| WitType::List(Box::new(element))),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let payload = proptest::option::of(inner.clone());
        let boxed = inner.clone().prop_map(Box::new);
        let boxed_payload = proptest::option::of(boxed.clone());
        prop_oneof![
            2 => boxed.clone().prop_map(WitType::List),
            2 => boxed.prop_map(WitType::Option),
            1 => vec(inner.clone(), 1..=4).prop_map(|types| WitType::Record(named(types))),
            1 => vec(inner, 1..=4).prop_map(WitType::Tuple),
            2 => vec(payload, 1..=4).prop_map(|payloads| WitType::Variant(named(payloads))),
            1 => (boxed_payload.clone(), boxed_payload).prop_map(|(ok, err)| WitType::Result(ok, err)),
        ]
    })
}

fn scalar() -> impl Strategy<Value = WitType> {
    // The counts where a discriminant or a set of flags becomes wider.
    let cases = prop_oneof![4 => 1..=4usize, 1 => Just(256usize), 1 => Just(257usize)];
    let flags = prop_oneof![1..=32usize, Just(8), Just(9), Just(16), Just(17), Just(32)];
    prop_oneof![
        Just(WitType::Bool),
        Just(WitType::S8),
        Just(WitType::U8),
        Just(WitType::S16),
        Just(WitType::U16),
        Just(WitType::S32),
        Just(WitType::U32),
        Just(WitType::S64),
        Just(WitType::U64),
        Just(WitType::F32),
        Just(WitType::F64),
        Just(WitType::Char),
        cases.prop_map(|count| WitType::Enum((0..count).map(name).collect())),
        flags.prop_map(|count| WitType::Flags((0..count).map(name).collect())),
    ]
}

fn named<T>(types: Vec<T>) -> Vec<(String, T)> {
    types.into_iter().enumerate().map(|(i, ty)| (name(i), ty)).collect()
}
