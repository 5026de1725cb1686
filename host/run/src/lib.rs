//! The run of a plan: replicas of any kind, the workers that hold them, how those are launched, supervised and observed.
//!
//! Each module uses those above it in this list and none below:
//!
//! * [`node`]: the life of one replica, as events
//! * [`worker`]: the replicas that one process runs: where all launch types meet
//! * [`launch`]: how a plan's workers come to run, a file per launch type
//! * [`supervise`]: the run as a whole: one loop over one kind of event
//! * [`observe`]: what is shown of a run: output by line, the control socket, tables

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

#[cfg(test)]
mod fixture;
pub mod launch;
pub mod node;
pub mod observe;
mod run;
pub mod supervise;
pub mod worker;

pub use run::{RunError, RunOptions, run};
