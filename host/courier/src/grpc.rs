//! Calls between processes: the courier's edge to gRPC, on both sides.
//!
//! The bytes of a message are those that pass within a process, so that neither side knows a type: a request goes from
//! the caller's memory to the wire as it is, and every node is a gRPC service to anyone else. What a call carries beside
//! its message, and how its failures are told, is in `metadata` and `status`.

mod client;
mod codec;
mod connection;
mod credential;
mod metadata;
mod public;
mod server;
mod status;
mod stream;
mod workers;

pub use client::{Presence, Remote, RemoteMethod};
pub use connection::{Address, Connection, ConnectionOptions};
pub use credential::{Bearer, Credential, Passes, Permits};
use http::HeaderValue;
pub use public::{GET_WIT_PATH, Public, PublicSchema, ReflectionError, TYPES_SERVICE};
pub use server::{Check, Listener, ServedReplica, Service, Services, is_own_user, serve, serve_client};
pub use workers::serve_worker;

/// The `content-type` of gRPC messages.
const CONTENT_TYPE_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
