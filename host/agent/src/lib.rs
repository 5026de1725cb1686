//! The agent of a host: starts the workers of launchers that it knows, for as long as their leases last.
//!
//! A connection (`serve`) is one lease (`lease`). What comes by it is answered in `requests`: components are kept by their digests
//! (`store`), workers are processes as launch type `processes` starts them (`lease/workers`), and what they are granted is
//! looked up on this host and held to what its operator allows (`ceilings`).

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

mod agent;
mod ceilings;
mod lease;
mod requests;
mod serve;
mod store;

pub use agent::{Agent, AgentOptions, Note, Observer, ReadSecrets};
pub use ceilings::Ceilings;
pub use serve::{serve, serve_streams};

#[cfg(test)]
mod tests;
