//! The calls that a replica works on, and what of its mailbox tells whether it stands still.

use std::collections::BTreeMap;
use std::sync::Arc;

use lp_base::calls::{ReplicaIndex, Waiting};

use super::Mailbox;
use crate::{CallError, Standing};

/// The calls that a replica works on.
#[derive(Default)]
pub(super) struct Work {
    calls: u32,
    /// How many calls were taken, answered or failed.
    moved: u64,
    /// How many the replica works on at once, and what they wait for, as its loop says.
    terms: Option<(usize, Arc<dyn Waiting>)>,
}

impl Work {
    pub fn take(&mut self) {
        self.calls += 1;
        self.moved += 1;
    }

    pub fn answer(&mut self) {
        self.moved += 1;
        // The replica may have started anew meanwhile.
        self.calls = self.calls.saturating_sub(1);
    }

    /// Forgets the calls of a life that has ended.
    pub fn clear(&mut self) {
        *self = Self { moved: self.moved + 1, ..Self::default() };
    }
}

impl Mailbox {
    /// Notes how many calls the replica works on at once, and what tells what they wait for. Its loop says so as it begins.
    pub fn begin(&self, concurrent_max: usize, waiting: Arc<dyn Waiting>) {
        let mut state = self.lock();
        state.work.clear();
        state.work.terms = Some((concurrent_max, waiting));
    }

    /// How the replica stands, if it works on calls.
    pub fn standing(&self) -> Option<Standing> {
        let state = self.lock();
        let Work { calls: working @ 1.., moved, terms: Some((concurrent_max, waiting)) } = &state.work else {
            return None;
        };
        let mut queued: BTreeMap<ReplicaIndex, u32> = BTreeMap::new();
        state.queue.callers().for_each(|caller| *queued.entry(caller).or_default() += 1);
        Some(Standing {
            replica: self.replica,
            working: *working,
            full: *working as usize >= *concurrent_max,
            moved: *moved,
            waits: waiting.groups(),
            queued: queued.into_iter().collect(),
        })
    }

    /// Fails the call of `caller` that came last of those in the queue, for this reason.
    pub fn fail_queued(&self, caller: ReplicaIndex, reason: &str) -> bool {
        let call = {
            let mut state = self.lock();
            let Some(call) = state.queue.take_last_of(caller) else { return false };
            state.work.moved += 1;
            if state.outside > 0 {
                self.room.notify_one();
            }
            call
        };
        self.refuse([call].into(), &CallError::Failed(reason.to_owned()));
        true
    }
}
