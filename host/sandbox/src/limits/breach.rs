//! A limit that was gone beyond where the guest can't be made to trap: noted there, and seen by the replica's loop.

use std::sync::{Arc, OnceLock};

use super::LimitHit;

/// The first limit that a replica went beyond, once it has.
#[derive(Clone, Default)]
pub struct Breach(Arc<OnceLock<LimitHit>>);

impl Breach {
    /// Notes a limit, unless one has been noted before.
    pub fn note(&self, hit: LimitHit) {
        // The first one is why the replica fails; later ones may follow from it.
        let _ = self.0.set(hit);
    }

    /// The limit that has been noted, as the error that a guest traps with.
    pub fn error(&self) -> wasmtime::Error {
        self.check().map_or_else(Into::into, |()| wasmtime::format_err!("a limit was reached that nobody noted"))
    }

    /// Fails if a limit has been noted.
    pub fn check(&self) -> Result<(), LimitHit> {
        self.0.get().map_or(Ok(()), |hit| Err(hit.clone()))
    }
}
