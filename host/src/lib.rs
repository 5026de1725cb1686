#![doc = include_str!("../ARCHITECTURE.md")]

pub use lp_base::{calls, plan, protobuf, replica, words};
pub use lp_build as build;
pub use lp_component::{component, proto, value};
pub use lp_courier as courier;
pub use lp_program::{lower, program};
pub use lp_run::{launch, node, observe, supervise, worker};
pub use lp_runtime as runtime;
pub use lp_sandbox as sandbox;

pub mod cli;
