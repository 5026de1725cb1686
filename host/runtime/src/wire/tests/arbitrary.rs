//! Random WIT signatures, random values of them, and random legal ways to write a message.

mod messages;
mod types;
mod values;

pub use messages::write_freely;
use proptest::collection::vec;
use proptest::prelude::*;
pub use types::signature;
pub use values::value;
use wasmtime::component::Val;

use super::wit_type::{Signature, WitType};

/// One call of a function: its arguments, what it returns, and the seed for the form in which the messages are written.
#[derive(Clone, Debug)]
pub struct Call {
    pub params: Vec<Val>,
    pub result: Option<Val>,
    pub seed: u64,
}

/// A function and some calls of it, so that a component is compiled once for several values.
pub fn function() -> impl Strategy<Value = (Signature, Vec<Call>)> {
    signature().prop_flat_map(|signature| {
        let calls = vec(call(&signature), 4);
        (Just(signature), calls)
    })
}

fn call(signature: &Signature) -> impl Strategy<Value = Call> + use<> {
    let params: Vec<_> = signature.params.iter().map(value).collect();
    let result: Vec<_> = signature.result.iter().map(value).collect();
    (params, result, any::<u64>()).prop_map(|(params, mut result, seed)| Call { params, result: result.pop(), seed })
}

/// Names as WIT has them; the index makes them differ within one type.
fn name(index: usize) -> String {
    const WORDS: [&str; 5] = ["a", "value", "max-retry-count", "x-y", "error"];
    format!("{}{index}", WORDS[index % WORDS.len()])
}
