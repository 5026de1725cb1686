//! lp-host
pub mod courier;
pub mod launch;
pub mod node;
pub mod plan;
pub mod runtime;
pub mod supervise;
pub mod worker;
