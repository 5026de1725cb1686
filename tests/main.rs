//! The boundary tests: a file or a component in, a screen or a value out.

mod architecture;
mod cache;
mod cli;
mod colocation;
mod component;
mod config;
mod edges;
mod examples;
mod grpc;
mod handles;
mod hardening;
mod host;
mod hostile;
mod https;
mod languages;
mod launch;
mod logs;
mod matrix;
mod meeting;
mod processes;
mod proto;
mod python;
mod restart;
mod run;
mod runs;
mod sandbox;
