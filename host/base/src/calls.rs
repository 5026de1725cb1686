//! Facts about calls that both stores and the courier need: where they came from, the bytes kept for them, who waits.

mod kept;
mod origin;
mod waiting;

pub use kept::{IN_FLIGHT_BYTES_MIN, InFlight, Kept, KeptBytes};
pub use origin::{Origin, ReplicaIndex};
pub use waiting::{WaitGroup, Waiting};
