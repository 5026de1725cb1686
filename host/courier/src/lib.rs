//! Calls between nodes: the request, the queue it waits in, and who may be waiting for whom.
//!
//! A caller's side holds a [`Peer`] for every replica that it has a handle of. In the same process that is a [`Mailbox`],
//! where it queues [`Call`]s that the replica's event loop takes out one by one and answers; in another one it is a
//! [`Remote`], whose [`Carrier`] takes the call there. Nothing here knows what runs a replica, or how.

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

mod block;
mod called;
mod callers;
mod carrier;
mod credential;
mod error;
mod exchange;
pub mod grpc;
mod mailbox;
mod message;
mod options;
mod peer;
mod pending;
mod pump;
mod remote;
mod standstill;

pub use block::{BLOCK_BYTES_MIN, Block, KeepOnDrop};
pub use called::{Called, UnderWay};
pub use callers::Callers;
pub use carrier::{Carrier, Outgoing, RemoteLimits, RemoteMethod, SendError};
pub use credential::{Bearer, Credential, Passes, Permits};
pub use error::CallError;
pub use exchange::{Blocked, Exchange, Hold};
pub use mailbox::{Answering, Call, Mailbox, Room, Served};
pub use message::Message;
pub use options::{CallContext, CallOptions};
pub use peer::Peer;
pub use pump::{Pump, Urgency};
pub use remote::{Presence, Remote, RemoteProcess};
pub use standstill::{Crowd, Standing, StandingWatch, Standstill, standstill, standstill_reason};
