//! Any bytes at all sent to a guest: the codec and the reference agree on whether they are a message, and on its value.

use std::cell::RefCell;

use lp_component::component::MethodTypes;
use wasmtime::component::{Component, Val};

use super::forwarder::{Style, component};
use super::harness::{Codec, Concurrency, Guest, Values, block_on, compile, engine};
use super::reference::{decode, same};
use super::wit_type::{Signature, Strings, WitType};

/// A guest that takes messages, and is replaced by a new one whenever a message traps it.
pub struct Receiver {
    component: Component,
    guest: Guest,
    /// What requests from outside are checked against before they get here.
    types: MethodTypes,
}

impl Receiver {
    pub fn new(params: Vec<WitType>, strings: Strings) -> Self {
        let text = component(&Signature { params, result: None, strings }, Style::Sync);
        let component = compile(&text, Concurrency::Off).expect("the guest is valid");
        let guest = instantiate(&component);
        Self { component, guest, types: method_types(&text) }
    }

    /// Sends `request` to the guest.
    ///
    /// # Panics
    ///
    /// If the codec reads another value than the reference, or only one of them or of the check refuses the request.
    pub fn check(&mut self, request: &[u8]) {
        let expected = decode(&self.guest.types.0, request);
        let checked = lp_component::value::check(&self.types, request);
        assert_eq!(checked.is_ok(), expected.is_ok(), "{request:02x?} is {expected:?}, but the check said {checked:?}");
        self.guest.host().reply = Some(Values::Vals(Vec::new()));
        let called = block_on(self.guest.call(Values::Bytes(request.to_vec())));
        let received = self.guest.host().received.take();
        match (&expected, &called, received) {
            (Ok(expected), Ok(_), Some(Values::Vals(received))) => {
                let (received, expected) = (Val::Tuple(received), Val::Tuple(expected.clone()));
                assert!(same(&received, &expected), "{request:02x?} is {received:?} instead of {expected:?}");
            }
            (Err(_), Err(_), None) => self.guest = instantiate(&self.component),
            (_, _, received) => panic!("{request:02x?} is {expected:?}, but the guest got {received:?}: {called:?}"),
        }
    }
}

/// The types of the function that the component exports.
fn method_types(text: &str) -> MethodTypes {
    let bytes = wat::parse_str(text).expect("the guest is valid");
    let component =
        lp_component::component::Component::parse("guest.wasm".as_ref(), &bytes).expect("the guest is valid");
    component.couriers[0].methods[0].types.clone().expect("the encoding carries all types")
}

fn instantiate(component: &Component) -> Guest {
    let guest = Guest::of(component, engine(Concurrency::Off), Concurrency::Off, Codec::Val);
    block_on(guest).expect("the guest has all its imports")
}

/// Sends all bytes but the first one to the guest that the first one chooses; the entry point of the fuzz target.
pub fn check_decoding(data: &[u8]) {
    thread_local! {
        static RECEIVERS: RefCell<Vec<Receiver>> = RefCell::new(receivers());
    }
    if let Some((choice, request)) = data.split_first() {
        RECEIVERS.with_borrow_mut(|receivers| {
            let index = usize::from(*choice) % receivers.len();
            receivers[index].check(request);
        });
    }
}

/// Guests that together take every class of type in every place where it can be.
fn receivers() -> Vec<Receiver> {
    let boxed = |ty: &WitType| Box::new(ty.clone());
    let names = |count: usize| (0..count).map(|i| format!("n{i}")).collect::<Vec<_>>();
    let named = |types: &[WitType]| -> Vec<_> { names(types.len()).into_iter().zip(types.iter().cloned()).collect() };
    let scalars = [
        WitType::Bool,
        WitType::S8,
        WitType::U8,
        WitType::S16,
        WitType::U16,
        WitType::S32,
        WitType::U32,
        WitType::S64,
        WitType::U64,
        WitType::F32,
        WitType::F64,
        WitType::Char,
        WitType::Enum(names(3)),
        WitType::Flags(names(11)),
    ];
    let record = WitType::Record(named(&[WitType::U32, WitType::String, WitType::List(boxed(&WitType::F32))]));
    let single = [WitType::S16, WitType::String, WitType::List(boxed(&WitType::U8)), record.clone()];
    let options: Vec<_> = single.iter().map(|ty| WitType::Option(boxed(ty))).collect();
    let lists: Vec<_> = single.iter().map(|ty| WitType::List(boxed(ty))).collect();
    let all = [&single[..], &options, &lists].concat();
    let mut cases: Vec<_> = named(&all).into_iter().map(|(name, ty)| (name, Some(ty))).collect();
    cases.push(("none".to_owned(), None));
    let variant = WitType::Variant(cases);
    let result = WitType::Result(Some(boxed(&variant)), None);
    [
        scalars.to_vec(),
        scalars.iter().map(|ty| WitType::List(boxed(ty))).collect(),
        scalars.iter().map(|ty| WitType::Option(boxed(ty))).collect(),
        all.clone(),
        all.iter().map(|ty| WitType::Option(boxed(ty))).collect(),
        all.iter().map(|ty| WitType::List(boxed(ty))).collect(),
        vec![variant.clone()],
        vec![WitType::List(boxed(&result)), WitType::Tuple(vec![result, variant]), record],
    ]
    .into_iter()
    .map(|params| Receiver::new(params, Strings::Utf8))
    .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::super::arbitrary::{function, write_freely};
    use super::super::reference::message;
    use super::*;

    /// One change to some bytes.
    #[derive(Clone, Debug)]
    enum Damage {
        Replace(Index, u8),
        Insert(Index, u8),
        Remove(Index),
        Cut(Index),
    }

    fn damage() -> impl Strategy<Value = Damage> {
        // Small numbers are the keys and lengths of small messages.
        let byte = prop_oneof![any::<u8>(), 0u8..0x30];
        prop_oneof![
            (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
            (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Insert(at, byte)),
            any::<Index>().prop_map(Damage::Remove),
            any::<Index>().prop_map(Damage::Cut),
        ]
    }

    fn apply(damage: &Damage, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match damage {
            Damage::Insert(at, byte) => bytes.insert(at.index(length + 1), *byte),
            _ if length == 0 => {}
            Damage::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Damage::Remove(at) => drop(bytes.remove(at.index(length))),
            Damage::Cut(at) => bytes.truncate(at.index(length)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

        #[test]
        fn damaged_messages_mean_the_same_to_the_codec_and_the_reference(
            (signature, calls) in function(),
            damages in proptest::collection::vec(proptest::collection::vec(damage(), 1..4), 16),
        ) {
            let mut receiver = Receiver::new(signature.params.clone(), signature.strings);
            let types = receiver.guest.types.0.clone();
            for call in &calls {
                let typed: Vec<_> = types.iter().cloned().zip(call.params.iter().cloned()).collect();
                let written = write_freely(&message(&typed), call.seed);
                for damages in &damages {
                    let mut bytes = written.clone();
                    damages.iter().for_each(|damage| apply(damage, &mut bytes));
                    receiver.check(&bytes);
                }
            }
        }

        #[test]
        fn random_bytes_mean_the_same_to_the_codec_and_the_reference(
            data in proptest::collection::vec(prop_oneof![any::<u8>(), 0u8..0x30], 0..40),
        ) {
            (0..8).for_each(|choice| check_decoding(&[&[choice], &data[..]].concat()));
        }
    }
}
