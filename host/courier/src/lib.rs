//! Calls between nodes: the request, the queue it waits in, and who may be waiting for whom.
//!
//! A caller's side holds a [`Mailbox`] of every replica that it has a handle of and queues [`Call`]s there; the
//! replica's event loop takes them out one by one and answers. Nothing here knows what runs a replica, or how.

mod block;
mod callers;
mod error;
mod exchange;
pub mod grpc;
mod mailbox;
mod message;
mod options;
mod peer;
mod pump;

pub use block::{BLOCK_BYTES_MIN, Block, KeepOnDrop};
pub use callers::Callers;
pub use error::CallError;
pub use exchange::{Blocked, Exchange, Hold};
pub use mailbox::{Answering, Call, Mailbox, Room, Served};
pub use message::Message;
pub use options::{CallContext, CallOptions};
pub use peer::Peer;
pub use pump::{Clock, Pump, Urgency};
