//! Who called whom on the way to a call, so that a call that would wait for itself fails instead of hanging.
//!
//! A replica whose exports run one at a time is *held* by the call it works on. Two things can make such a replica
//! wait for itself: a chain of calls that comes back to it, which the call carries along as its [`Origin`]; and two
//! replicas, each held by work of its own, that call each other, which the [`Exchange`] sees as a ring of holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{CallContext, CallError, Urgency};

/// A replica's number in the program, dense from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaIndex(pub u32);

/// The replicas that a call has passed on its way and that can't take another call until it returns, and the trace
/// that it belongs to.
#[derive(Debug)]
pub struct Origin {
    step: Step,
    parent: Option<Arc<Origin>>,
}

#[derive(Debug)]
enum Step {
    Held(ReplicaIndex),
    Traced(Box<str>),
}

impl Origin {
    /// The origin of the calls that `replica` makes while the call with origin `parent` holds it.
    pub fn held(replica: ReplicaIndex, parent: Option<Arc<Origin>>) -> Arc<Self> {
        Arc::new(Self { step: Step::Held(replica), parent })
    }

    /// The origin of a call that its caller counts to `trace`, a W3C `traceparent`.
    pub fn traced(trace: &str, parent: Option<Arc<Origin>>) -> Arc<Self> {
        Arc::new(Self { step: Step::Traced(trace.into()), parent })
    }

    /// The held replicas, the last caller first.
    pub fn held_replicas(&self) -> impl Iterator<Item = ReplicaIndex> {
        self.steps().filter_map(|origin| match origin.step {
            Step::Held(replica) => Some(replica),
            Step::Traced(_) => None,
        })
    }

    /// The trace that the call belongs to, if its callers said so.
    pub fn trace(&self) -> Option<&str> {
        self.steps().find_map(|origin| match &origin.step {
            Step::Held(_) => None,
            Step::Traced(trace) => Some(&**trace),
        })
    }

    fn steps(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |origin| origin.parent.as_deref())
    }

    /// The held replicas, the first caller first, if `replica` is one of them.
    fn path_to(&self, replica: ReplicaIndex) -> Option<Vec<ReplicaIndex>> {
        let mut path: Vec<_> = self.held_replicas().collect();
        let start = path.iter().position(|&held| held == replica)?;
        path.truncate(start + 1);
        path.reverse();
        Some(path)
    }
}

/// For every replica of this process, the replica that it is blocked on, if any.
///
/// Only replicas whose exports run one at a time are ever blocked: the others go on with other work.
#[derive(Debug)]
pub struct Exchange {
    blocked_on: Vec<AtomicU32>,
}

const NOBODY: u32 = u32::MAX;

/// A caller that is blocked for as long as this lives, or until its callee has the reply ready.
#[derive(Debug)]
pub struct Hold {
    exchange: Arc<Exchange>,
    caller: ReplicaIndex,
}

impl Exchange {
    /// An exchange of `replicas` replicas, none of which waits.
    pub fn new(replicas: usize) -> Arc<Self> {
        Arc::new(Self { blocked_on: (0..replicas).map(|_| AtomicU32::new(NOBODY)).collect() })
    }

    /// Notes that `caller` is blocked on `callee` until the hold is dropped.
    pub fn hold(self: &Arc<Self>, caller: ReplicaIndex, callee: ReplicaIndex) -> Hold {
        self.blocked_on[caller.0 as usize].store(callee.0, Ordering::SeqCst);
        Hold { exchange: self.clone(), caller }
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
        let Some(caller) = context.caller.filter(|caller| (caller.0 as usize) < self.blocked_on.len()) else {
            return Ok(None);
        };
        let hold = (context.options.urgency == Urgency::Blocked).then(|| self.hold(caller, callee));
        match self.ring(context.origin.as_ref(), caller, callee) {
            None => Ok(hold),
            Some(ring) => Err(CallError::Failed(format!(
                "`{label}` waits for this caller, {} call(s) up the chain, so the call would wait for itself; \
                 `async func` exports can take calls while they wait",
                ring.len()
            ))),
        }
    }

    /// Notes that `caller` has its reply and is about to go on.
    pub fn answered(&self, caller: ReplicaIndex) {
        self.blocked_on[caller.0 as usize].store(NOBODY, Ordering::SeqCst);
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
        let mut path = vec![callee];
        let mut next = callee;
        // The path visits a replica once at most, unless it goes round a ring that the caller is not part of.
        while path.len() <= self.blocked_on.len() {
            next = match self.blocked_on[next.0 as usize].load(Ordering::SeqCst) {
                NOBODY => return None,
                blocked_on => ReplicaIndex(blocked_on),
            };
            path.push(next);
            if next == caller {
                // A caller that is not blocked can still answer.
                let blocked = self.blocked_on[caller.0 as usize].load(Ordering::SeqCst) != NOBODY;
                return blocked.then_some(path);
            }
        }
        None
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.exchange.answered(self.caller);
    }
}

#[cfg(test)]
mod tests {
    use super::{Exchange, Origin, ReplicaIndex};

    const A: ReplicaIndex = ReplicaIndex(0);
    const B: ReplicaIndex = ReplicaIndex(1);
    const C: ReplicaIndex = ReplicaIndex(2);

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
}
