//! What senders have sent for items to come. It is in no table, so no remover frees it: all of it together has a limit, and whoever
//! holds most of it pays.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use super::{Service, ServiceError};

/// What a holder has changes by as much before it is counted again: small chunks come often.
const STEP_BYTES: usize = 64 << 10;

/// Counts what all senders hold.
#[derive(Debug)]
pub(super) struct Holders {
    most: usize,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    total: usize,
    next: u64,
    holders: BTreeMap<u64, (usize, Arc<Over>)>,
}

/// Whether a holder has to let go of all that it holds.
#[derive(Debug, Default)]
struct Over {
    is_over: AtomicBool,
    waker: AtomicWaker,
}

/// What one sender holds. Dropping it holds nothing any more.
#[derive(Debug)]
pub struct Held {
    service: Service,
    number: u64,
    counted: usize,
    over: Arc<Over>,
}

impl Holders {
    pub(super) fn new(most: usize) -> Self {
        Self { most, counted: Mutex::default() }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what a holder has now. If all have too much, the one with most of it has to let go.
    fn set(&self, number: u64, bytes: usize) {
        let mut counted = self.counted();
        let Some((held, _)) = counted.holders.get_mut(&number) else { return };
        let before = std::mem::replace(held, bytes);
        counted.total = counted.total - before + bytes;
        while counted.total > self.most {
            let greatest = counted.holders.iter().max_by_key(|(_, (bytes, _))| *bytes).map(|(number, _)| *number);
            let Some((bytes, over)) = greatest.and_then(|number| counted.holders.remove(&number)) else { return };
            counted.total -= bytes;
            over.is_over.store(true, Ordering::Release);
            over.waker.wake();
        }
    }
}

impl Service {
    /// How much all senders may hold together, in bytes.
    pub fn held_bytes_max(&self) -> usize {
        self.0.holders.most
    }

    /// For what one sender holds.
    pub fn held(&self) -> Held {
        let over = Arc::<Over>::default();
        let mut counted = self.0.holders.counted();
        let number = counted.next;
        counted.next += 1;
        counted.holders.insert(number, (0, over.clone()));
        drop(counted);
        Held { service: self.clone(), number, counted: 0, over }
    }
}

impl Held {
    /// The sender holds as much now.
    ///
    /// # Errors
    /// If it has to let go of all of it.
    pub fn set(&mut self, bytes: usize) -> Result<(), ServiceError> {
        if bytes.abs_diff(self.counted) >= STEP_BYTES {
            self.counted = bytes;
            self.service.0.holders.set(self.number, bytes);
        }
        if self.over.is_over.load(Ordering::Acquire) { Err(self.error()) } else { Ok(()) }
    }

    /// Ready once the sender has to let go of all that it holds.
    pub fn poll_over(&self, cx: &mut Context<'_>) -> Poll<ServiceError> {
        self.over.waker.register(cx.waker());
        if self.over.is_over.load(Ordering::Acquire) { Poll::Ready(self.error()) } else { Poll::Pending }
    }

    fn error(&self) -> ServiceError {
        ServiceError::HeldTooMuch { most: self.service.0.holders.most }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counted = self.service.0.holders.counted();
        if let Some((bytes, _)) = counted.holders.remove(&self.number) {
            counted.total -= bytes;
        }
    }
}
