//! The boundary tests: a file or a component in, a screen or a value out.

mod component;
mod config;
