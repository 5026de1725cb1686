//! What a replica's store takes at most: memories, tables, handles; and the one way to say which limit was reached.

mod aside;
mod breach;
mod holdings;
mod open;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use aside::{Aside, Hold};
pub use breach::Breach;
pub use holdings::Holdings;
use lp_base::calls::Kept;
use lp_base::plan::LimitsPlan;
use lp_base::words::Limit;
pub use open::Open;
use wasmtime::component::ResourceTableError;
use wasmtime::{ResourceLimiter, Result, Trap};

/// A limit that a guest went beyond, so that its replica fails.
#[derive(Clone, Debug, thiserror::Error)]
#[error("it reached its limit `{limit}` = {value}")]
pub struct LimitHit {
    limit: Limit,
    value: String,
}

impl LimitHit {
    /// The limit of that value, in its unit.
    pub fn new(limit: Limit, value: u64) -> Self {
        Self { limit, value: limit.show(value) }
    }

    /// A limit of time.
    pub fn duration(limit: Limit, value: Duration) -> Self {
        Self::new(limit, u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    /// Fails for a host function that is asked to make more bytes than a message may have.
    pub fn check_message(limits: &LimitsPlan, bytes: u64) -> std::result::Result<(), Self> {
        if bytes <= limits.message_bytes { Ok(()) } else { Err(Self::new(Limit::Message, limits.message_bytes)) }
    }

    /// The limit behind an error that wasmtime or WASI made, where it is one of a replica's.
    pub fn behind(error: &wasmtime::Error, limits: &LimitsPlan) -> Option<Self> {
        let traps = [
            (Trap::StackOverflow, Limit::Stack, Some(limits.stack_bytes)),
            (Trap::OutOfFuel, Limit::Fuel, limits.fuel),
        ];
        if let Some(trap) = error.downcast_ref::<Trap>() {
            let hit = traps.into_iter().find(|(known, _, _)| known == trap);
            return hit.and_then(|(_, limit, value)| Some(Self::new(limit, value?)));
        }
        // wasmtime has no type for a table of handles that is full, nor for a lift that takes too much.
        let says = |text: &str| error.chain().any(|cause| cause.to_string().contains(text));
        let full = matches!(error.downcast_ref(), Some(ResourceTableError::Full));
        if full || says("store handle limit exceeded") || says("resource table has no free keys") {
            return Some(Self::new(Limit::Handles, limits.handles));
        }
        // What WASI 0.2 makes of headers that the guest goes on adding to.
        if says("total size of fields exceeds limit") {
            return Some(Self::new(Limit::HttpHeaders, limits.http_header_bytes));
        }
        says("too much data is being copied between the host and the guest")
            .then(|| Self::new(Limit::Message, limits.message_bytes))
    }
}

/// Counts what the host keeps of the calls that a guest makes and of their results.
pub fn kept(limits: &LimitsPlan, breach: &Breach) -> Arc<Kept> {
    let (breach, max) = (breach.clone(), limits.made_bytes);
    // Results come while the guest waits or does something else, so that it can't be made to trap there.
    Kept::of_caller(max, max.saturating_mul(2), move || breach.note(LimitHit::new(Limit::MadeBytes, max)))
}

/// Counts the memories and the tables of a replica together and refuses growth past the node's limits.
pub struct Growth {
    bytes: u64,
    /// The bytes with which the guest has started.
    bytes_at_start: u64,
    bytes_max: u64,
    shown: Arc<AtomicU64>,
    pub peak: u64,
    elements: u64,
    elements_max: u64,
    /// The limit for which growth was refused last: most guests abort then, and the reason should be known.
    refused: Option<Limit>,
}

impl Growth {
    pub fn new(limits: &LimitsPlan, shown: Arc<AtomicU64>) -> Self {
        Self {
            bytes: 0,
            bytes_at_start: 0,
            bytes_max: limits.memory_bytes,
            shown,
            peak: 0,
            elements: 0,
            elements_max: limits.table_elements,
            refused: None,
        }
    }

    /// Notes that the guest has started.
    pub fn note_started(&mut self) {
        self.bytes_at_start = self.bytes;
    }

    /// The bytes that the guest may have beside those with which it started. How many of them are free, only its
    /// allocator knows.
    pub fn room(&self) -> u64 {
        self.bytes_max.saturating_sub(self.bytes_at_start)
    }

    /// What to add to the failure of a guest that was refused growth before.
    pub fn refusal(&self) -> Option<String> {
        let limit = self.refused?;
        let (what, max) = match limit {
            Limit::Memory => ("memory", self.bytes_max),
            _ => ("table elements", self.elements_max),
        };
        Some(format!("; it had been refused {what} beyond its limit `{limit}` = {}", limit.show(max)))
    }
}

impl ResourceLimiter for Growth {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let bytes = self.bytes + (desired - current) as u64;
        if bytes > self.bytes_max {
            self.refused = Some(Limit::Memory);
            return Ok(false);
        }
        self.bytes = bytes;
        self.shown.store(bytes, Ordering::Relaxed);
        self.peak = self.peak.max(bytes);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let elements = self.elements + (desired - current) as u64;
        if elements > self.elements_max {
            self.refused = Some(Limit::TableElements);
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }
}
