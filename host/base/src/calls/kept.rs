//! The bytes that the host keeps for one caller: of its calls that are not answered, and of results that it has not taken.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the bytes that are kept for one caller.
pub struct Kept {
    bytes: AtomicU64,
    bytes_max: u64,
    /// Told when there are too many.
    exceeded: Box<dyn Fn() + Send + Sync>,
}

/// Bytes that are kept until this is dropped.
#[derive(Debug)]
pub struct KeptBytes {
    bytes: u64,
    of: Arc<Kept>,
}

impl Kept {
    /// Counts up to `bytes_max`, and calls `exceeded` for what would be more.
    pub fn new(bytes_max: u64, exceeded: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicU64::new(0), bytes_max, exceeded: Box::new(exceeded) })
    }

    /// Counts so many bytes, unless they are too many.
    pub fn keep(self: &Arc<Self>, bytes: u64) -> Option<KeptBytes> {
        let all = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let kept = KeptBytes { bytes, of: self.clone() };
        if all <= self.bytes_max {
            return Some(kept);
        }
        (self.exceeded)();
        None
    }
}

impl Drop for KeptBytes {
    fn drop(&mut self) {
        self.of.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} of {} bytes)", self.bytes.load(Ordering::Relaxed), self.bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Kept;

    #[test]
    fn bytes_count_until_they_are_dropped() {
        let exceeded = Arc::new(AtomicU32::new(0));
        let told = exceeded.clone();
        let kept = Kept::new(10, move || {
            told.fetch_add(1, Ordering::Relaxed);
        });
        let first = kept.keep(6).expect("it is within the limit");
        let second = kept.keep(4).expect("it is at the limit");
        assert!(kept.keep(1).is_none());
        assert_eq!(exceeded.load(Ordering::Relaxed), 1);
        drop(first);
        let third = kept.keep(6).expect("the first was dropped");
        drop((second, third));
        assert!(kept.keep(10).is_some());
    }
}
