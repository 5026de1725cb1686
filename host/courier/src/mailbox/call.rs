//! A call on its way through a mailbox, and where its answer goes.

use std::sync::Arc;
use std::time::Instant;

use lp_base::calls::{Kept, Origin, ReplicaIndex};
use tokio::sync::oneshot;

use super::super::{CallError, Exchange, Message};

/// One call that waits for its replica or is worked on.
#[derive(Debug)]
pub struct Call {
    /// The method: its index among the methods of all couriers of the node, in the order of the plan.
    pub method: usize,
    /// The parameters.
    pub request: Message,
    /// The replicas that can't take another call until this one returns.
    pub origin: Option<Arc<Origin>>,
    pub(super) reply: oneshot::Sender<Result<Message, CallError>>,
    pub(super) kept: Option<Arc<Kept>>,
    /// Who made it, if it was a replica.
    pub(super) caller: Option<ReplicaIndex>,
    pub(super) blocked: Option<(Arc<Exchange>, ReplicaIndex)>,
    pub(super) queued_at: Instant,
    pub(super) wait_for_ready: bool,
}

/// The part of a call that is left while it is worked on: where its answer goes.
#[derive(Debug)]
pub struct Answering {
    reply: oneshot::Sender<Result<Message, CallError>>,
    kept: Option<Arc<Kept>>,
    blocked: Option<(Arc<Exchange>, ReplicaIndex)>,
    pub(super) queued_at: Instant,
}

impl Answering {
    pub(super) fn send(self, result: Result<Message, CallError>) {
        if let Some((exchange, caller)) = self.blocked {
            exchange.answered(caller);
        }
        // The caller may have stopped waiting.
        let _ = self.reply.send(result.and_then(|response| response.kept_for(self.kept.as_ref())));
    }
}

impl Call {
    /// Who made it, if it was a replica.
    pub fn caller(&self) -> Option<ReplicaIndex> {
        self.caller
    }

    /// Splits the call into what the replica's function gets and where its answer goes.
    pub fn split(self) -> (usize, Message, Option<Arc<Origin>>, Answering) {
        let Self { method, request, origin, reply, kept, caller: _, blocked, queued_at, wait_for_ready: _ } = self;
        (method, request, origin, Answering { reply, kept, blocked, queued_at })
    }
}
