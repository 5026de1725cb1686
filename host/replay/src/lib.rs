//! The replay service: tables of experience that actors write to and learners sample from, as Reverb has them.
//!
//! * [`table`]: one table, without anything that waits
//! * [`service`]: the tables of a node, with those who wait for them
//! * [`checkpoint`]: tables on a disk, in the format of Reverb
//! * [`grpc`]: the service for clients of Reverb
//! * [`guest`]: the service for guests

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "see `lp_base::scheduler`"))]

pub mod checkpoint;
pub mod grpc;
pub mod guest;
pub mod service;
pub mod table;
mod wire;

#[cfg(test)]
mod tests;
