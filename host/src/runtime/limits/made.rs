//! The bytes of the calls that a guest has made and that are not answered: the host keeps them until they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::LimitHit;
use crate::plan::LimitsPlan;
use crate::program::Limit;

/// Counts the bytes of one replica's calls.
pub(in crate::runtime) struct Made {
    bytes: Arc<AtomicU64>,
    bytes_max: u64,
}

/// A call that has been made. Dropped when it is answered, or when nobody waits for it any more.
pub(in crate::runtime) struct MadeCall {
    bytes: u64,
    all: Arc<AtomicU64>,
}

impl Made {
    pub(in crate::runtime) fn new(limits: &LimitsPlan) -> Self {
        Self { bytes: Arc::default(), bytes_max: limits.made_bytes }
    }

    /// Counts a call whose request has so many bytes.
    pub(in crate::runtime) fn call(&self, bytes: u64) -> Result<MadeCall, LimitHit> {
        let all = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let call = MadeCall { bytes, all: self.bytes.clone() };
        if all > self.bytes_max { Err(LimitHit::new(Limit::MadeBytes, self.bytes_max)) } else { Ok(call) }
    }
}

impl Drop for MadeCall {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Made;
    use crate::plan::LimitsPlan;

    #[test]
    fn calls_count_until_they_are_answered() {
        let made = Made::new(&LimitsPlan { made_bytes: 10, ..LimitsPlan::default() });
        let first = made.call(6).expect("it is within the limit");
        let second = made.call(4).expect("it is at the limit");
        assert!(made.call(1).is_err());
        drop(first);
        let third = made.call(6).expect("the first was answered");
        drop((second, third));
        assert!(made.call(10).is_ok());
    }
}
