//! The codec against a reference: random types and values, messages in every legal form, and guests that cheat.

mod arbitrary;
mod forwarder;
mod harness;
mod messages;
mod reference;
mod round_trips;
mod wit_type;
