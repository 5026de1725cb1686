//! Random values of random types through guests, against the reference: to the byte and to the bit.

use proptest::prelude::*;
use wasmtime::component::{Type, Val};

use super::arbitrary::{Call, function, write_freely};
use super::forwarder::{Style, component};
use super::harness::{Codec, Concurrency, Guest, Values, block_on, compile, engine};
use super::reference::{decode, encode, message, same};

/// Every way in which a guest can be built and run.
const GUESTS: [(Style, Concurrency); 4] = [
    (Style::Sync, Concurrency::Off),
    (Style::Sync, Concurrency::On),
    (Style::AsyncBlocking, Concurrency::On),
    (Style::Async, Concurrency::On),
];

proptest! {
    #[test]
    fn values_pass_through_guests_unchanged((signature, calls) in function()) {
        for (style, concurrency) in GUESTS {
            let compiled = compile(&component(&signature, style), concurrency).unwrap();
            for codec in [Codec::Val, Codec::Wire] {
                block_on(async {
                    let mut guest = Guest::of(&compiled, engine(concurrency), concurrency, codec).await.unwrap();
                    for call in &calls {
                        for caller in [Codec::Val, Codec::Wire] {
                            check_call(&mut guest, call, caller, codec).await;
                        }
                    }
                });
            }
        }
    }
}

/// Calls the guest once, from `caller` to `host`, and checks what arrives at either end.
async fn check_call(guest: &mut Guest, call: &Call, caller: Codec, host: Codec) {
    let (params, results) = guest.types.clone();
    let result: Vec<_> = call.result.iter().cloned().collect();
    guest.host().reply = Some(values(host, &results, &result, call.seed));
    guest.host().yields = call.seed & 4 != 0;
    let returned = guest.call(values(caller, &params, &call.params, !call.seed)).await;
    let returned = returned.unwrap_or_else(|error| panic!("{caller:?} to {host:?}: {error:?}"));
    let received = guest.host().received.take().expect("the guest called its import");
    check_values(&received, &params, &call.params);
    check_values(&returned, &results, &result);
}

/// Values for a codec. Messages are written in the canonical form or in any other, and the reference reads them all.
fn values(codec: Codec, types: &[Type], values: &[Val], seed: u64) -> Values {
    let typed: Vec<_> = types.iter().cloned().zip(values.iter().cloned()).collect();
    let bytes = if seed & 3 == 0 { encode(&typed) } else { write_freely(&message(&typed), seed) };
    let decoded = decode(types, &bytes).unwrap_or_else(|error| panic!("{bytes:02x?}: {error}"));
    assert!(same(&Val::Tuple(decoded), &Val::Tuple(values.to_vec())), "the reference misreads {bytes:02x?}");
    match codec {
        Codec::Val => Values::Vals(values.to_vec()),
        Codec::Wire => Values::Bytes(bytes),
    }
}

fn check_values(found: &Values, types: &[Type], expected: &[Val]) {
    match found {
        Values::Vals(found) => {
            assert!(
                same(&Val::Tuple(found.clone()), &Val::Tuple(expected.to_vec())),
                "{found:?} instead of {expected:?}"
            );
        }
        Values::Bytes(found) => {
            let typed: Vec<_> = types.iter().cloned().zip(expected.iter().cloned()).collect();
            let expected = encode(&typed);
            assert_eq!(found, &expected, "{found:02x?} instead of {expected:02x?}");
        }
    }
}
