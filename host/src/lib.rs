//! lp-host
pub mod courier;
pub mod runtime;
