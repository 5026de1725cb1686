//! The store of a replica: what it holds for its guest, and the interfaces that the host itself serves to guests.
//!
//! It knows nothing of calls between nodes and nothing of how components are compiled: those are the runtime's. It is a
//! crate of its own because most of wasmtime's glue is compiled here, and nothing of it changes when calls do.

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

mod clock;
mod denials;
mod errors;
mod files;
mod host;
mod http;
mod limits;
mod lookups;
mod meter;
mod output;
mod random;
mod sockets;
mod state;
mod streams;
mod style;
mod waits;

use std::path::PathBuf;
use std::time::Duration;

pub use denials::Denials;
pub use host::add_to_linker;
pub use limits::{Breach, LimitHit};
pub use meter::{Alarm, CallKey, Meter, Ticks, Turns};
pub use output::LineWriter;
pub use state::{MessageRoom, State};
pub use style::CallStyle;
pub use waits::{Waits, WaitsFor};

/// How long a guest may keep a thread before it yields to other work.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);

/// Which components an engine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Components that use nothing of the component model's concurrency: calls cost them less without it.
    Plain,
    /// Components with `async` imports or exports, futures or streams.
    Concurrent,
}

/// A granted file or directory that can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to open the granted `{}`", .path.display())]
pub struct GrantError {
    /// The file or directory on the host.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}
