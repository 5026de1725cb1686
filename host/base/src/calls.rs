//! Facts about calls that both stores and the courier need: where they came from, the bytes kept for them, who waits.

mod kept;
mod origin;
mod waiting;

pub use kept::{IN_FLIGHT_BYTES_MIN, InFlight, Kept, KeptBytes};
pub use origin::{Origin, ReplicaIndex};
pub use waiting::{WaitGroup, Waiting};

/// The names of the cases of `lp:courier/types.call-error`, in their order in WIT.
pub const CALL_ERRORS: [&str; 7] =
    ["unavailable", "deadline-exceeded", "cancelled", "denied", "overloaded", "too-large", "failed"];
