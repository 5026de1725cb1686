#![doc = include_str!("../ARCHITECTURE.md")]

pub mod cli;
pub mod component;
pub mod courier;
pub mod launch;
pub mod node;
pub mod observe;
pub mod plan;
pub mod program;
pub mod proto;
pub mod runtime;
pub mod supervise;
pub mod value;
pub mod worker;
