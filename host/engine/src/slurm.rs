//! Programs on Slurm: from a plan to the job that runs it, and from what Slurm says of a job to its state.
//!
//! A program is one job. Its batch step is the coordinator, and each group is one step of as many tasks as it has units,
//! within the job's allocation. [`render`] says all of it as text before anything is submitted; nothing here runs a command.

pub mod job;
pub mod needs;
pub mod parts;
pub mod state;
pub mod steps;

pub use job::{Job, Placed, RenderError, render};
pub use state::{JobState, Status};
pub use steps::Step;
