//! The ground floor of `lp-host`: the types that all other crates share. Nothing here runs.
//!
//! * [`words`]: the words of a program, such as its limits, grants and restart policies
//! * [`plan`]: the program lowered for a launch type, which is all that a worker gets
//! * [`replica`]: replicas of any kind of node
//! * [`calls`]: where a call came from, and the bytes kept for it
//! * [`interfaces`]: the interfaces that the host itself serves to guests
//! * [`protobuf`]: fields of protobuf messages, read without a schema
//! * [`shown`]: untrusted text with its control characters escaped
//! * [`suggest`]: what a mistyped name was meant to be
//! * [`own_dir`]: folders that are deleted again, told apart from the user's

pub mod calls;
pub mod interfaces;
pub mod own_dir;
pub mod plan;
pub mod protobuf;
pub mod replica;
pub mod shown;
pub mod suggest;
pub mod words;
