//! What a caller's store and the courier both have to know of a call: where it came from, and what is kept for it.

mod kept;
mod origin;

pub use kept::{Kept, KeptBytes};
pub use origin::{Origin, ReplicaIndex};
