//! gRPC between processes, on both sides: a [`Carrier`](crate::Carrier) of calls, and the server in front of replicas.
//!
//! The bytes of a message are those that pass within a process, so that neither side knows a type: a request goes from
//! the caller's memory to the wire as it is, and every node is a gRPC service to anyone else. What a call carries beside
//! its message, and how its failures are told, is in `metadata` and `status`. Unix sockets and TCP are in `socket`, TLS
//! between hosts in `tls`.

mod admission;
mod batched;
mod client;
mod codec;
mod connection;
mod leased;
mod metadata;
mod outside;
mod policy;
mod public;
mod seats;
mod server;
mod service;
mod socket;
mod status;
mod stream;
mod tls;
mod workers;

pub use admission::{BadAdmission, Guard};
pub use connection::Connection;
use http::HeaderValue;
pub use outside::{Clients, serve_client};
pub use policy::{ClientPolicy, HANDSHAKE_TIME, IDLE_TIME};
pub use public::{Check, GET_WIT_PATH, Public, PublicSchema, ReflectionError, TYPES_SERVICE};
pub use server::{Audience, serve};
pub use service::{ServedReplica, Service, Services};
pub use socket::{Address, Listener, is_own_user};
pub use tls::{Stranger, TlsListener, TlsPeer, Trouble};
pub use workers::serve_worker;

/// The `content-type` of gRPC messages.
const CONTENT_TYPE_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
