//! The ground floor of `lp-host`: the types that all other crates share, and where their time and tasks come from.
//!
//! * [`words`]: the words of a program, such as its limits, grants and restart policies
//! * [`plan`]: the program lowered for a launch type, which is all that a worker gets
//! * [`replica`]: replicas of any kind of node
//! * [`lease`]: until when a worker on another host may live
//! * [`calls`]: where a call came from, and the bytes kept for it
//! * [`interfaces`]: the interfaces that the host itself serves to guests
//! * [`protobuf`]: fields of protobuf messages, read without a schema
//! * [`shown`]: untrusted text with its control characters escaped
//! * [`suggest`]: what a mistyped name was meant to be
//! * [`scheduler`]: time, randomness and tasks: the system's, or simulated
//! * [`own_dir`]: folders that are deleted again, told apart from the user's

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

pub mod calls;
pub mod interfaces;
pub mod lease;
pub mod own_dir;
pub mod plan;
pub mod protobuf;
pub mod replica;
pub mod scheduler;
pub mod shown;
pub mod suggest;
pub mod words;
