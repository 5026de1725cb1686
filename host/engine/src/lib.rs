//! Programs on a cluster: what its engine is given to run.
//!
//! The engine places, limits, restarts and cleans *processes*; lp-host runs the nodes. So a plan becomes [`units`], each of
//! them one process of the engine, in groups that start and are named together. [`image`] has lp-host itself, the plan and the
//! components, for engines that run containers. Nothing here runs anything.
//!
//! In the cluster, a coordinator is the launcher of the program, and the units are its hosts: they come to it by themselves. What
//! all of them need is in a [`directory`], and what the coordinator tells is a [`journal`].

pub mod directory;
pub mod image;
pub mod journal;
pub mod kubernetes;
pub mod slurm;
pub mod units;
