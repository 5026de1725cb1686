//! Which replicas are blocked on which, so that a ring of them is seen and one of its calls fails.
//!
//! A ring is seen when its last call is made, as far as one process knows of all its calls. Those that go through several
//! processes are found by the launcher, which hears of the holds that last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use lp_base::calls::{Origin, ReplicaIndex};
use serde::{Deserialize, Serialize};

use super::standstill::{Crowd, Crowds};
use super::{CallContext, CallError, Urgency};

/// For every replica, the replica that it is blocked on, if this process has the caller or the callee.
///
/// Only replicas whose exports run one at a time are ever blocked: the others go on with other work.
#[derive(Debug)]
pub struct Exchange {
    callers: Vec<Caller>,
    crowds: Crowds,
}

#[derive(Debug, Default)]
struct Caller {
    /// The number of its latest hold in the upper half, and in the lower one the callee, or nobody once that is over.
    hold: AtomicU64,
    /// The number of a hold that has to end in the upper half, and in the lower one how many calls its ring has.
    broken: AtomicU64,
    /// Wakes the call that has to end.
    waker: AtomicWaker,
}

/// A caller that is blocked on its callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blocked {
    /// The caller.
    pub caller: ReplicaIndex,
    /// The callee.
    pub callee: ReplicaIndex,
    /// Which hold of the caller it is, in the count of one process. As long as it is the same, the hold has not ended.
    pub number: u32,
}

const NOBODY: u32 = u32::MAX;

fn word(upper: u32, lower: u32) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}

/// The upper and the lower half.
fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// A caller that is blocked for as long as this lives, or until its callee has the reply ready.
#[derive(Debug)]
pub struct Hold {
    exchange: Arc<Exchange>,
    caller: ReplicaIndex,
    word: u64,
}

impl Exchange {
    /// An exchange of `replicas` replicas, none of which waits.
    pub fn new(replicas: usize) -> Arc<Self> {
        let caller = || Caller { hold: AtomicU64::new(word(0, NOBODY)), ..Caller::default() };
        Arc::new(Self { callers: (0..replicas).map(|_| caller()).collect(), crowds: Crowds::default() })
    }

    pub(crate) fn crowds(&self) -> &Crowds {
        &self.crowds
    }

    /// The calls of this process that wait for room, in a queue or on a connection.
    pub fn crowded(&self) -> Vec<Crowd> {
        self.crowds.all()
    }

    /// Fails one of them, of those from `caller` to `callee`, for this reason.
    pub fn fail_crowded(&self, caller: ReplicaIndex, callee: ReplicaIndex, reason: &str) -> bool {
        self.crowds.fail(caller, callee, reason)
    }

    fn caller(&self, replica: ReplicaIndex) -> &Caller {
        &self.callers[replica.0 as usize]
    }

    fn callee_of(&self, caller: ReplicaIndex) -> Option<ReplicaIndex> {
        let (_, callee) = halves(self.caller(caller).hold.load(Ordering::SeqCst));
        (callee != NOBODY).then_some(ReplicaIndex(callee))
    }

    /// Notes that `caller` is blocked on `callee` until the hold is dropped.
    pub fn hold(self: &Arc<Self>, caller: ReplicaIndex, callee: ReplicaIndex) -> Hold {
        let next = |word_before| word(halves(word_before).0.wrapping_add(1), callee.0);
        let hold = &self.caller(caller).hold;
        let before = hold.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |before| Some(next(before)));
        let before = before.unwrap_or_else(|before| before);
        Hold { exchange: self.clone(), caller, word: next(before) }
    }

    /// Lets a call to `callee`, called `label`, begin: its caller is held, if it is blocked, until the hold is dropped.
    ///
    /// # Errors
    /// If the call would wait for its own caller.
    pub fn enter(
        self: &Arc<Self>,
        context: &CallContext,
        callee: ReplicaIndex,
        label: &str,
    ) -> Result<Option<Hold>, CallError> {
        let Some(caller) = context.caller.filter(|caller| (caller.0 as usize) < self.callers.len()) else {
            return Ok(None);
        };
        let hold = (context.options.urgency == Urgency::Blocked).then(|| self.hold(caller, callee));
        match self.ring(context.origin.as_ref(), caller, callee) {
            None => Ok(hold),
            Some(ring) => Err(waits_for_itself(label, ring.len())),
        }
    }

    /// Notes that `caller` has its reply and is about to go on.
    pub fn answered(&self, caller: ReplicaIndex) {
        self.caller(caller).hold.fetch_or(word(0, NOBODY), Ordering::SeqCst);
    }

    /// The ring of waiting replicas that a call from `caller` to `callee` closes, if it does.
    ///
    /// `origin` is the chain that led to the call. The caller of a blocking call has noted its hold before, so that of
    /// two calls that close a ring together at least one sees it.
    pub fn ring(
        &self,
        origin: Option<&Arc<Origin>>,
        caller: ReplicaIndex,
        callee: ReplicaIndex,
    ) -> Option<Vec<ReplicaIndex>> {
        if let Some(path) = origin.and_then(|origin| origin.path_to(callee)) {
            return Some(path);
        }
        let mut next = self.callee_of(callee)?;
        let mut path = vec![callee, next];
        // The path visits a replica once at most, unless it goes round a ring that the caller is not part of.
        while next != caller && path.len() <= self.callers.len() {
            next = self.callee_of(next)?;
            path.push(next);
        }
        // A caller that is not blocked can still answer.
        (next == caller).then(|| self.callee_of(caller)).flatten().map(|_| path)
    }

    /// Every hold that there is.
    pub fn blocked(&self) -> Vec<Blocked> {
        let holds = (0..).map(ReplicaIndex).zip(&self.callers).map(|(replica, caller)| (replica, &caller.hold));
        let holds = holds.map(|(caller, hold)| (caller, halves(hold.load(Ordering::SeqCst))));
        let holds = holds.filter(|(_, (_, callee))| *callee != NOBODY);
        holds.map(|(caller, (number, callee))| Blocked { caller, callee: ReplicaIndex(callee), number }).collect()
    }

    /// Ends a hold that is part of a ring of `calls` calls, unless it has ended: see [`Hold::poll_broken`].
    pub fn break_hold(&self, blocked: Blocked, calls: u32) {
        if let Some(caller) = self.callers.get(blocked.caller.0 as usize) {
            caller.broken.store(word(blocked.number, calls), Ordering::SeqCst);
            caller.waker.wake();
        }
    }
}

/// The error of a call to `label` that is one of `calls` calls that wait for each other.
fn waits_for_itself(label: &str, calls: usize) -> CallError {
    CallError::Failed(format!(
        "`{label}` waits for this caller, {calls} call(s) up the chain, so the call would wait for itself; `async func` \
         exports can take calls while they wait"
    ))
}

impl Hold {
    /// Ready when somebody has found that the call, which is to `label`, waits for itself; mostly never.
    pub fn poll_broken(&self, label: &str, cx: &Context<'_>) -> Poll<CallError> {
        let caller = self.exchange.caller(self.caller);
        caller.waker.register(cx.waker());
        match halves(caller.broken.load(Ordering::SeqCst)) {
            (number, calls) if calls > 0 && number == halves(self.word).0 => {
                Poll::Ready(waits_for_itself(label, calls as usize))
            }
            _ => Poll::Pending,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let over = self.word | word(0, NOBODY);
        // It may be over already, and a later one not.
        let hold = &self.exchange.caller(self.caller).hold;
        let _ = hold.compare_exchange(self.word, over, Ordering::SeqCst, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use lp_base::calls::{Origin, ReplicaIndex};

    use super::{CallError, Exchange, Hold};

    const A: ReplicaIndex = ReplicaIndex(0);
    const B: ReplicaIndex = ReplicaIndex(1);
    const C: ReplicaIndex = ReplicaIndex(2);

    fn broken(hold: &Hold) -> Poll<CallError> {
        hold.poll_broken("b/0", &Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_chain_that_comes_back_to_a_held_replica_is_a_ring() {
        let exchange = Exchange::new(3);
        let origin = Origin::held(B, Some(Origin::held(A, None)));
        assert_eq!(exchange.ring(Some(&origin), C, A), Some(vec![A, B]));
        assert_eq!(exchange.ring(Some(&origin), C, C), None);
    }

    #[test]
    fn two_held_replicas_that_call_each_other_are_a_ring() {
        let exchange = Exchange::new(3);
        let first = exchange.hold(A, B);
        assert_eq!(exchange.ring(None, A, B), None);
        let _second = exchange.hold(B, A);
        assert_eq!(exchange.ring(None, B, A), Some(vec![A, B]));
        exchange.answered(A);
        assert_eq!(exchange.ring(None, B, A), None);
        drop(first);
    }

    #[test]
    fn a_hold_has_a_number_of_its_own_and_ends_alone() {
        let exchange = Exchange::new(2);
        let first = exchange.hold(A, B);
        let [seen] = exchange.blocked()[..] else { panic!("there is one") };
        exchange.answered(A);
        assert_eq!(exchange.blocked(), []);
        let second = exchange.hold(A, B);
        drop(first);
        let [later] = exchange.blocked()[..] else { panic!("there is one") };
        assert_eq!((later.caller, later.callee, later.number), (A, B, seen.number + 1));
        drop(second);
        assert_eq!(exchange.blocked(), []);
    }

    #[test]
    fn only_the_hold_that_is_broken_ends() {
        let exchange = Exchange::new(2);
        let first = exchange.hold(A, B);
        let [seen] = exchange.blocked()[..] else { panic!("there is one") };
        assert!(broken(&first).is_pending());
        exchange.break_hold(seen, 3);
        let Poll::Ready(error) = broken(&first) else { panic!("it is broken") };
        assert!(error.to_string().contains("`b/0` waits for this caller, 3 call(s) up the chain"), "{error}");
        drop(first);
        assert!(broken(&exchange.hold(A, B)).is_pending());
    }
}
