//! The calls that wait for a replica, and how much may wait.

use std::collections::VecDeque;

use lp_base::calls::ReplicaIndex;

use super::Call;

/// How much may wait for a replica.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// The calls.
    pub calls: u32,
    /// The bytes of their requests. A single call always has room.
    pub bytes: u64,
}

/// Calls in the order in which they came.
pub(super) struct Queue {
    calls: VecDeque<Call>,
    bytes: u64,
    room: Room,
}

impl Queue {
    pub(super) fn new(room: Room) -> Self {
        Self { calls: VecDeque::new(), bytes: 0, room }
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there is no room for `call`.
    pub(super) fn is_full(&self, call: &Call) -> bool {
        let too_large = !self.calls.is_empty() && self.bytes + bytes(call) > self.room.bytes;
        too_large || self.calls.len() >= self.room.calls as usize
    }

    pub(super) fn push(&mut self, call: Call) {
        self.bytes += bytes(&call);
        self.calls.push_back(call);
    }

    pub(super) fn pop(&mut self) -> Option<Call> {
        let call = self.calls.pop_front()?;
        self.bytes -= bytes(&call);
        Some(call)
    }

    /// The callers of the calls that somebody waits for.
    pub(super) fn callers(&self) -> impl Iterator<Item = ReplicaIndex> {
        self.calls.iter().filter(|call| !call.reply.is_closed()).filter_map(|call| call.caller)
    }

    /// Takes out the call of `caller` that came last.
    pub(super) fn take_last_of(&mut self, caller: ReplicaIndex) -> Option<Call> {
        let place = self.calls.iter().rposition(|call| call.caller == Some(caller) && !call.reply.is_closed())?;
        let call = self.calls.remove(place)?;
        self.bytes -= bytes(&call);
        Some(call)
    }

    /// Takes out the calls for which `stays` does not hold.
    pub(super) fn take_unless(&mut self, stays: impl Fn(&Call) -> bool) -> VecDeque<Call> {
        let (waiting, taken) = std::mem::take(&mut self.calls).into_iter().partition(stays);
        self.calls = waiting;
        self.bytes = self.calls.iter().map(bytes).sum();
        taken
    }
}

fn bytes(call: &Call) -> u64 {
    call.request.kept_bytes()
}
