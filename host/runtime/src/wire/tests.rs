//! The codec against a reference: random types and values, messages in every legal form, and guests that cheat.
//!
//! A build for fuzzing has the parts that the fuzz target of `host/fuzz/` needs.

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod bounds;
mod decoding;
mod forwarder;
#[cfg(test)]
mod handles;
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod messages;
mod reference;
#[cfg(test)]
mod round_trips;
mod wit_type;

#[cfg(feature = "fuzzing")]
pub use decoding::check_decoding;
