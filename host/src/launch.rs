//! Starts a plan's workers, one file per launch type.

mod threads;

pub use threads::launch_threads;
