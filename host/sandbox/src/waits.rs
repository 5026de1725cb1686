//! Which of the calls that a replica works on wait for calls of their own, and to whom.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use lp_base::calls::{ReplicaIndex, WaitGroup, Waiting};
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use wasmtime::component::GuestTaskId;

use super::CallKey;

/// The callees of each call, of which most wait for one.
type Made = HashMap<CallKey, SmallVec<[ReplicaIndex; 2]>, FxBuildHasher>;

/// The calls that a replica makes for calls that it works on. Those of its `run` are not among them: whatever becomes of
/// these, the replica goes on answering.
#[derive(Debug, Default)]
pub struct Waits {
    serving: AtomicU32,
    run: OnceLock<GuestTaskId>,
    made: Mutex<Made>,
    /// The entries of `made`, so that it need not be locked to see that there are none.
    waiting: AtomicUsize,
}

/// A call that is worked on, until this is dropped.
#[derive(Debug)]
pub struct Serving<'a>(&'a Waits);

/// A call that was made and is not answered, until this is dropped.
#[derive(Debug)]
pub struct WaitsFor {
    waits: Arc<Waits>,
    key: CallKey,
    callee: ReplicaIndex,
}

impl Waits {
    /// Notes which task is that of `run`.
    pub fn set_run(&self, task: GuestTaskId) {
        // A life has one `run`.
        let _ = self.run.set(task);
    }

    /// Notes that a call is worked on. Only the replica's loop does, so that no other thread counts at the same time.
    pub fn serve(&self) -> Serving<'_> {
        self.serving.store(self.serving.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Serving(self)
    }

    /// Whether any call is worked on, which alone makes [`Self::wait`] worth its cost.
    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed) > 0
    }

    /// Notes a call to `callee`, made by a task or, in a store that works on one call at a time, by the only one there is.
    pub fn wait(self: &Arc<Self>, key: CallKey, callee: ReplicaIndex) -> Option<WaitsFor> {
        if key.is_some() && self.run.get().copied() == key {
            return None;
        }
        let mut made = self.lock();
        made.entry(key).or_default().push(callee);
        self.waiting.store(made.len(), Ordering::Relaxed);
        Some(WaitsFor { waits: self.clone(), key, callee })
    }

    /// Forgets what a call that was answered has left behind.
    pub fn end(&self, key: CallKey) {
        // Whoever waits for calls of its own noted that before, on a thread that this one follows.
        if self.waiting.load(Ordering::Relaxed) > 0 {
            let mut made = self.lock();
            made.remove(&key);
            self.waiting.store(made.len(), Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting for Waits {
    fn groups(&self) -> Vec<WaitGroup> {
        let mut groups: BTreeMap<Vec<ReplicaIndex>, u32> = BTreeMap::new();
        for callees in self.lock().values() {
            let mut callees = callees.to_vec();
            callees.sort_unstable();
            callees.dedup();
            *groups.entry(callees).or_default() += 1;
        }
        groups.into_iter().map(|(callees, calls)| WaitGroup { calls, callees }).collect()
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.serving.store(self.0.serving.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
    }
}

impl Drop for WaitsFor {
    fn drop(&mut self) {
        let mut made = self.waits.lock();
        let Some(callees) = made.get_mut(&self.key) else { return };
        if let Some(place) = callees.iter().position(|callee| *callee == self.callee) {
            callees.swap_remove(place);
        }
        if callees.is_empty() {
            made.remove(&self.key);
            self.waits.waiting.store(made.len(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lp_base::calls::{ReplicaIndex, WaitGroup, Waiting};

    use super::Waits;

    #[test]
    fn a_call_waits_for_all_that_it_has_made_until_they_are_answered() {
        let waits = Arc::new(Waits::default());
        assert!(!waits.is_serving());
        let serving = waits.serve();
        assert!(waits.is_serving());
        let [a, b] = [ReplicaIndex(1), ReplicaIndex(2)];
        let (first, second, third) = (waits.wait(None, b), waits.wait(None, a), waits.wait(None, b));
        assert_eq!(waits.groups(), [WaitGroup { calls: 1, callees: vec![a, b] }]);
        drop((first, second));
        assert_eq!(waits.groups(), [WaitGroup { calls: 1, callees: vec![b] }]);
        waits.end(None);
        assert_eq!(waits.groups(), []);
        drop((third, serving));
        assert!(!waits.is_serving());
    }
}
