//! The count of calls that are under way to one replica.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts a call for as long as it lives.
pub(crate) struct Pending<'a>(&'a AtomicUsize);

impl<'a> Pending<'a> {
    pub(crate) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
