//! Runs the tests of a program: each alone, in a sandbox of its own, and says what was not as expected.
//!
//! * [`run()`]: one test from its launch to its [`Report`]
//! * [`run_simulated`]: the same as a function of a seed, in virtual time

mod isolation;
mod observed;
mod report;
mod run;
mod script;

pub use report::{ReplicaOutput, Report};
pub use run::{Error, Options, run, run_simulated};
