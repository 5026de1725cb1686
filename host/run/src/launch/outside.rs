//! Calls of replicas by whoever runs the program, in the process that has launched it.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lp_base::calls::ReplicaIndex;
use lp_base::plan::ReplicaId;
use lp_base::scheduler::Scheduler;
use lp_courier::grpc::{Address, Connection};
use lp_courier::{
    CallContext, CallError, CallOptions, Credential, Exchange, Mailbox, Message, Passes, Remote, RemoteLimits,
    RemoteMethod, RemoteProcess,
};
use tokio::sync::oneshot;

/// A call by whoever runs the program. Dropping what waits for its answer gives the call up.
#[derive(Debug)]
pub struct OutsideCall {
    /// The replica. It may not have started yet.
    pub callee: ReplicaId,
    /// The method: its place among the methods of all couriers of the node, in the order of the plan.
    pub method: usize,
    /// Its name where the replica is called by gRPC: `/a.b.v1.Counter/Add`.
    pub path: RemoteMethod,
    /// The parameters.
    pub request: Message,
    /// How long it may take.
    pub timeout: Duration,
    /// Takes the answer.
    pub answer: oneshot::Sender<Result<Message, CallError>>,
}

impl OutsideCall {
    /// Refuses the call.
    pub(super) fn refuse(self) -> BoxFuture<'static, ()> {
        // Nobody has to wait for it.
        async move { drop(self.answer.send(Err(CallError::Unavailable))) }.boxed()
    }

    /// Makes the call at a replica of this process.
    pub(super) fn at(self, mailbox: Arc<Mailbox>) -> BoxFuture<'static, ()> {
        let Self { method, request, timeout, mut answer, .. } = self;
        async move {
            let called = mailbox.call(method, request, context(timeout));
            tokio::select! {
                biased;
                result = called => drop(answer.send(result)),
                () = answer.closed() => {}
            }
        }
        .boxed()
    }

    /// Makes the call at a replica called `label`, behind `address`, which asks for `credential`.
    pub(super) fn through(
        self,
        address: Address,
        label: String,
        credential: Credential,
        message_bytes_max: usize,
        scheduler: Scheduler,
    ) -> BoxFuture<'static, ()> {
        let Self { path, request, timeout, mut answer, .. } = self;
        let limits = RemoteLimits { in_flight_max: 1, message_bytes_max };
        let process = RemoteProcess::new(Connection::new(address, scheduler.clone()), limits, scheduler);
        let passes = Arc::new(Passes::from_iter([(None, credential)]));
        let remote = Remote::new(label, ReplicaIndex(0), Exchange::new(0), process, passes, Arc::from([path]));
        async move {
            let called = remote.call(0, request, context(timeout));
            tokio::select! {
                biased;
                result = called => drop(answer.send(result)),
                () = answer.closed() => {}
            }
        }
        .boxed()
    }
}

fn context(timeout: Duration) -> CallContext {
    let options = CallOptions { timeout: Some(timeout), ..CallOptions::default() };
    CallContext { origin: None, caller: None, kept: None, options }
}
