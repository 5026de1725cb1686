//! Runs the tests of a program: each alone, in a sandbox of its own, and says what was not as expected.
//!
//! * [`run()`]: one test from its launch to its [`Report`]
//! * [`Trial`]: one run as a function of a seed, in virtual time, with faults
//! * [`listed()`]: the tests that the nodes of a test have
//! * [`ProgramTest`]: a test that is written in Rust
//! * [`shrink()`]: less of what makes a run fail

mod interfering;
mod isolation;
mod listing;
mod observed;
mod program_test;
mod report;
mod run;
mod script;
mod shrink;
mod timeline;
mod trial;

pub use listing::{ListingError, listed};
pub use program_test::{CallFailure, ProgramTest, Ran, TestFailure, Tested};
pub use report::{Answer, Came, Found, ReplicaOutput, Report};
pub use run::{Error, LINES_SHOWN_MAX, Options, run};
pub use shrink::{Shrunk, shrink};
pub use timeline::{Call, Timeline};
pub use trial::{Happenings, NoHappenings, Order, STEPS, Trial, Tried};
