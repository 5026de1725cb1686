//! Strategies for values of a WIT type: limits, every kind of float, every kind of char, and lists of all sizes.

use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;
use wasmtime::component::Val;

use super::WitType;

/// Any value of the type.
pub fn value(ty: &WitType) -> BoxedStrategy<Val> {
    match ty {
        WitType::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        WitType::S8 => limits(i8::MIN, -1, i8::MAX).prop_map(Val::S8).boxed(),
        WitType::U8 => limits(0, 1, u8::MAX).prop_map(Val::U8).boxed(),
        WitType::S16 => limits(i16::MIN, -1, i16::MAX).prop_map(Val::S16).boxed(),
        WitType::U16 => limits(0, 128, u16::MAX).prop_map(Val::U16).boxed(),
        WitType::S32 => limits(i32::MIN, -1, i32::MAX).prop_map(Val::S32).boxed(),
        WitType::U32 => limits(0, 128, u32::MAX).prop_map(Val::U32).boxed(),
        WitType::S64 => limits(i64::MIN, -1, i64::MAX).prop_map(Val::S64).boxed(),
        WitType::U64 => limits(0, 128, u64::MAX).prop_map(Val::U64).boxed(),
        WitType::F32 => f32_bits().prop_map(|bits| Val::Float32(f32::from_bits(bits))).boxed(),
        WitType::F64 => f64_bits().prop_map(|bits| Val::Float64(f64::from_bits(bits))).boxed(),
        WitType::Char => character().prop_map(Val::Char).boxed(),
        WitType::String => vec(character(), sizes(40)).prop_map(|text| Val::String(text.iter().collect())).boxed(),
        WitType::List(element) => list(element),
        WitType::Record(fields) => {
            let names: Vec<_> = fields.iter().map(|(name, _)| name.clone()).collect();
            let values: Vec<_> = fields.iter().map(|(_, ty)| value(ty)).collect();
            values.prop_map(move |values| Val::Record(names.iter().cloned().zip(values).collect())).boxed()
        }
        WitType::Tuple(types) => types.iter().map(value).collect::<Vec<_>>().prop_map(Val::Tuple).boxed(),
        WitType::Variant(cases) => proptest::sample::select(cases.clone())
            .prop_flat_map(|(name, ty)| payload(ty.as_ref()).prop_map(move |value| Val::Variant(name.clone(), value)))
            .boxed(),
        WitType::Enum(names) => proptest::sample::select(names.clone()).prop_map(Val::Enum).boxed(),
        WitType::Flags(names) => {
            let count = names.len();
            proptest::sample::subsequence(names.clone(), 0..=count).prop_map(Val::Flags).boxed()
        }
        WitType::Option(some) => {
            proptest::option::weighted(0.7, value(some)).prop_map(|some| Val::Option(some.map(Box::new))).boxed()
        }
        WitType::Result(ok, err) => {
            let ok = payload(ok.as_deref()).prop_map(|ok| Val::Result(Ok(ok)));
            let err = payload(err.as_deref()).prop_map(|err| Val::Result(Err(err)));
            prop_oneof![ok, err].boxed()
        }
    }
}

fn payload(ty: Option<&WitType>) -> BoxedStrategy<Option<Box<Val>>> {
    match ty {
        Some(ty) => value(ty).prop_map(|value| Some(Box::new(value))).boxed(),
        None => Just(None).boxed(),
    }
}

fn list(element: &WitType) -> BoxedStrategy<Val> {
    let is_small = element.members().is_none() && element.cases().is_none_or(|cases| cases.len() > 2);
    match element {
        // Long enough that the guest's memory has to grow.
        WitType::U8 => prop_oneof![
            8 => vec(any::<u8>(), sizes(40)),
            1 => vec(any::<u8>(), 70_000..70_100),
        ]
        .prop_map(|bytes| Val::List(bytes.into_iter().map(Val::U8).collect()))
        .boxed(),
        WitType::String | WitType::List(_) => vec(value(element), sizes(4)).prop_map(Val::List).boxed(),
        _ if is_small => vec(value(element), sizes(200)).prop_map(Val::List).boxed(),
        _ => vec(value(element), sizes(4)).prop_map(Val::List).boxed(),
    }
}

fn sizes(max: usize) -> SizeRange {
    (0..=max).into()
}

fn limits<T>(min: T, edge: T, max: T) -> impl Strategy<Value = T>
where
    T: Arbitrary + Clone + Default + 'static,
    T::Strategy: 'static,
{
    prop_oneof![
        4 => any::<T>(),
        1 => Just(T::default()),
        1 => Just(min),
        1 => Just(edge),
        1 => Just(max),
    ]
}

fn f32_bits() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => any::<u32>(),
        // NaNs of either sign, quiet and signalling, with any payload.
        2 => (any::<bool>(), 1u32..=0x7f_ffff).prop_map(|(sign, payload)| u32::from(sign) << 31 | 0x7f80_0000 | payload),
        1 => proptest::sample::select(std::vec![0.0f32, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, f32::MAX])
            .prop_map(f32::to_bits),
    ]
}

fn f64_bits() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => any::<u64>(),
        2 => (any::<bool>(), 1u64..=0xf_ffff_ffff_ffff)
            .prop_map(|(sign, payload)| u64::from(sign) << 63 | 0x7ff0_0000_0000_0000 | payload),
        1 => proptest::sample::select(std::vec![0.0f64, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::MAX])
            .prop_map(f64::to_bits),
    ]
}

fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        3 => any::<char>(),
        3 => (0x20u8..0x7f).prop_map(char::from),
        1 => proptest::sample::select(std::vec!['\0', '\u{7f}', '\u{80}', '\u{7ff}', '\u{d7ff}', '\u{e000}', '\u{10000}', '\u{10ffff}']),
    ]
}
