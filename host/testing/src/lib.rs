//! Runs the tests of a program: each alone, in a sandbox of its own, and says what was not as expected.
//!
//! * [`run()`]: one test from its launch to its [`Report`]
//! * [`Trial`]: one run as a function of a seed, in virtual time, with faults
//! * [`shrink()`]: less of what makes a run fail

mod interfering;
mod isolation;
mod observed;
mod report;
mod run;
mod script;
mod shrink;
mod timeline;
mod trial;

pub use report::{Found, ReplicaOutput, Report};
pub use run::{Error, Options, run};
pub use shrink::{Shrunk, shrink};
pub use timeline::Timeline;
pub use trial::{Happenings, NoHappenings, Order, STEPS, Trial, Tried};
