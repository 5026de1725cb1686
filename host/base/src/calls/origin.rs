//! Who called whom on the way to a call, so that a call that would wait for itself fails instead of hanging.
//!
//! A replica whose exports run one at a time is *held* by the call it works on. Two things can make such a replica
//! wait for itself: a chain of calls that comes back to it, which the call carries along as its [`Origin`]; and replicas
//! that are held by work of their own and call each other, which the courier's `Exchange` sees as a ring of holds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A replica's number in the program, dense from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    pub fn path_to(&self, replica: ReplicaIndex) -> Option<Vec<ReplicaIndex>> {
        let mut path: Vec<_> = self.held_replicas().collect();
        let start = path.iter().position(|&held| held == replica)?;
        path.truncate(start + 1);
        path.reverse();
        Some(path)
    }
}
