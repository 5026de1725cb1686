//! A program before it runs: what its file says, checked, and the plan that follows.
//!
//! * [`program`]: the graph that the user wrote, in a file or in Rust, its imports bound
//! * [`lower()`]: from a linked program to its plan

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

mod lower;
pub mod program;

pub use lower::lower;
