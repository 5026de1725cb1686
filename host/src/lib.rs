//! lp-host.
pub mod component;
pub mod plan;
pub mod program;
