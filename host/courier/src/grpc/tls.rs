//! Connections between workers of a run on different hosts: TCP, and TLS 1.3 with a certificate on both ends.
//!
//! Who a certificate belongs to is `lp-trust`'s matter. Here is how such connections are opened, what becomes of strangers
//! who knock, and what happens as a worker moves to another host.

mod link;
mod listener;
mod peer;
mod stranger;

pub use listener::TlsListener;
pub use peer::{Moved, TlsPeer, Trouble};
pub use stranger::Stranger;

#[cfg(test)]
mod tests;
