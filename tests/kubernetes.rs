//! Programs on Kubernetes: what is submitted, and what becomes of it.

mod launches;
mod render;
mod server;
