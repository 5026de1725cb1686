//! The count of calls that are under way to one replica.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Has a count of the calls under way to it.
pub(crate) trait CountsPending {
    fn count(&self) -> &AtomicUsize;
}

/// Counts a call for as long as it lives.
pub(crate) struct Pending<P>(P)
where
    P: Deref<Target: CountsPending>;

impl<P: Deref<Target: CountsPending>> Pending<P> {
    pub(crate) fn new(callee: P) -> Self {
        callee.count().fetch_add(1, Ordering::Relaxed);
        Self(callee)
    }

    /// The callee.
    pub(crate) fn callee(&self) -> &P::Target {
        &self.0
    }
}

impl<C: CountsPending> Pending<&C> {
    /// Counts the same call for longer than the borrow.
    pub(crate) fn keep<P: Deref<Target = C>>(self, callee: P) -> Pending<P> {
        std::mem::forget(self);
        Pending(callee)
    }
}

impl<P: Deref<Target: CountsPending>> Drop for Pending<P> {
    fn drop(&mut self) {
        self.0.count().fetch_sub(1, Ordering::Relaxed);
    }
}
