//! Programs on a cluster: what its engine is given to run.
//!
//! The engine places, limits, restarts and cleans *processes*; lp-host runs the nodes. So a plan becomes [`units`], each of
//! them one process of the engine, in groups that start and are named together. Nothing here runs anything.

pub mod units;
