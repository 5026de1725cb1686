//! A large block of a request that is left in its caller's memory for as long as the caller is known to stand still.
//!
//! A request is mostly taken by its callee within the caller's own poll. A block of numbers can then go from one
//! guest's memory to the other's in one copy instead of two; what is not taken by then is copied out.

#![allow(unsafe_code, reason = "the block's memory belongs to a guest whose borrow can't be told to the compiler")]

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks from this size on are worth it.
pub const BLOCK_BYTES_MIN: usize = 64 * 1024;

/// Bytes that are borrowed at first and owned later.
#[derive(Debug)]
pub struct Block {
    length: usize,
    source: Mutex<Source>,
}

#[derive(Debug)]
enum Source {
    Borrowed(*const u8),
    Owned(Box<[u8]>),
}

// SAFETY: whoever makes a block promises that the borrowed memory is neither freed nor written until `keep` returns,
// on whatever threads the block is read meanwhile.
unsafe impl Send for Source {}

impl Block {
    /// Borrows `bytes`.
    ///
    /// # Safety
    /// The caller must call [`Self::keep`] before the bytes are freed or written, also when it unwinds.
    pub unsafe fn borrow(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self { length: bytes.len(), source: Mutex::new(Source::Borrowed(bytes.as_ptr())) })
    }

    /// The length in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Copies the block into `target`, which must have its length.
    pub fn copy_to(&self, target: &mut [u8]) {
        self.read(|bytes| target.copy_from_slice(bytes));
    }

    /// Lets `read` see the block's bytes. The borrow can't end meanwhile.
    pub fn read<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match &*self.lock() {
            Source::Owned(bytes) => read(bytes),
            // SAFETY: the bytes are valid until `keep`, which waits for this lock, has made them owned.
            Source::Borrowed(start) => read(unsafe { std::slice::from_raw_parts(*start, self.length) }),
        }
    }

    /// Ends the borrow: copies the bytes out if anyone else still holds the block.
    pub fn keep(self: Arc<Self>) {
        if Arc::strong_count(&self) == 1 {
            // What another holder read, it read before the caller goes on to write.
            fence(Ordering::Acquire);
            return;
        }
        let mut source = self.lock();
        if let Source::Borrowed(start) = *source {
            // SAFETY: the bytes are valid until this returns.
            let bytes = unsafe { std::slice::from_raw_parts(start, self.length) };
            *source = Source::Owned(bytes.into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a block when it is dropped, so that its borrow ends also where the caller unwinds.
#[derive(Debug)]
pub struct KeepOnDrop(pub Option<Arc<Block>>);

impl Drop for KeepOnDrop {
    fn drop(&mut self) {
        if let Some(block) = self.0.take() {
            block.keep();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Block;

    #[test]
    fn a_block_that_is_kept_outlives_its_source() {
        let source = vec![7; 100];
        // SAFETY: the block is kept before the source is dropped.
        let block = unsafe { Block::borrow(&source) };
        let other = block.clone();
        block.keep();
        drop(source);
        let mut target = [0; 100];
        other.copy_to(&mut target);
        assert_eq!(target, [7; 100]);
    }
}
