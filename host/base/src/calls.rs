//! Facts about a call that both the caller's store and the courier need: where it came from, and the bytes kept for it.

mod kept;
mod origin;

pub use kept::{Kept, KeptBytes};
pub use origin::{Origin, ReplicaIndex};
