//! The ground floor of `lp-host`: what all other crates talk about, and nothing that runs.
//!
//! * [`words`]: the words of a program, such as its limits, grants and restart policies
//! * [`plan`]: the program lowered for a launch type, which is all that a worker gets
//! * [`replica`]: what is true of a replica of any kind
//! * [`calls`]: what a caller's store and the courier both have to know of a call
//! * [`interfaces`]: the interfaces that the host itself serves to guests
//! * [`protobuf`]: fields of protobuf messages, read without a schema
//! * [`shown`]: text of others, as people can look at it
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
