//! The codec against a reference: random types and values, messages in every legal form, and guests that cheat.

mod arbitrary;
mod decoding;
mod forwarder;
mod harness;
mod hostile;
mod messages;
mod reference;
mod round_trips;
mod wit_type;
