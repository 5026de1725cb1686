//! What the host keeps for a guest that is in none of the tables of WASI's resources: counted from where it is made until it
//! is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a listing of a directory keeps, at most: what the system gave of it at once, 48 KiB, and a part of its entries.
const LISTING_BYTES: u64 = 64 << 10;

/// What is kept aside for one replica. Clones share the counts.
#[derive(Clone, Default)]
pub struct Aside(Arc<Counts>);

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    files: AtomicU64,
}

impl Aside {
    /// The bytes of it.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// The files that are open for it.
    pub fn files(&self) -> u64 {
        self.0.files.load(Ordering::Relaxed)
    }

    /// Counts a datagram of at most so many bytes.
    pub fn datagram(&self, bytes: u64) -> Hold {
        self.hold(bytes, 0)
    }

    /// Counts a listing of a directory, which has a file open.
    pub fn listing(&self) -> Hold {
        self.hold(LISTING_BYTES, 1)
    }

    fn hold(&self, bytes: u64, files: u64) -> Hold {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.files.fetch_add(files, Ordering::Relaxed);
        Hold { aside: self.clone(), bytes, files }
    }
}

/// Something that is kept aside, until this is dropped.
pub struct Hold {
    aside: Aside,
    bytes: u64,
    files: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.aside.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.aside.0.files.fetch_sub(self.files, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use lp_base::plan::LimitsPlan;
    use wasmtime::component::ResourceTable;

    use super::{Aside, LISTING_BYTES};
    use crate::limits::{Breach, Holdings, Open};

    #[test]
    fn what_is_kept_aside_counts_until_it_is_dropped() {
        let limits = LimitsPlan { host_memory_bytes: 2 * LISTING_BYTES, open_files: 1, ..LimitsPlan::default() };
        let (aside, breach, mut table) = (Aside::default(), Breach::default(), ResourceTable::new());
        let mut holdings = Holdings::new(&limits, aside.clone(), breach.clone());
        let mut open = Open::new(&limits, 0, aside.clone(), breach.clone());
        let mut look = || {
            holdings.look(&mut table);
            open.look(&mut table);
            breach.check().map_err(|hit| hit.to_string())
        };
        // As much as there may be, over and over.
        for _ in 0..3 {
            let _held = [aside.listing(), aside.datagram(LISTING_BYTES)];
            assert_eq!(look(), Ok(()));
        }
        let held = [aside.listing(), aside.datagram(LISTING_BYTES), aside.datagram(1)];
        assert_eq!(look(), Err("it reached its limit `limits.host-memory` = 128KiB".to_owned()));
        drop(held);

        let breach = Breach::default();
        let mut open = Open::new(&limits, 0, aside.clone(), breach.clone());
        let _held = [aside.listing(), aside.listing()];
        open.look(&mut table);
        let hit = breach.check().map_err(|hit| hit.to_string());
        assert_eq!(hit, Err("it reached its limit `limits.open-files` = 1".to_owned()));
    }
}
