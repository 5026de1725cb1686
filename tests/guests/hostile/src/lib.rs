//! What the guests that reach for what is not theirs have in common: WASI below the standard library, which would refuse
//! some of it before the host can, and how an attack ends.

pub mod files;
pub mod http;

use std::fmt::Debug;

/// An argument of the node.
pub fn argument(index: usize) -> String {
    std::env::args().nth(index + 1).expect("the test gives the argument")
}

/// Ends the guest as its attack did: with what it got, or failed.
pub fn end<L: Debug, E: Debug>(attack: Result<L, E>) {
    match attack {
        Ok(loot) => println!("loot: {loot:?}"),
        Err(error) => panic!("no loot: {error:?}"),
    }
}
