//! Carriers, which take a request to another process and bring back its answer: the seam below [`Remote`](crate::Remote).
//!
//! A second carrier is one file. It implements [`Carrier`], and it serves the other end: there it finds the replica by its
//! label, checks the credential against the replica's [`Permits`](crate::Permits), and hands the call to its
//! [`Peer`](crate::Peer). A carrier has to provide:
//!
//! * **A connection.** It connects when the first request comes and again after a loss, with a pause that grows from one
//!   attempt to the next. It tries until its future is dropped.
//! * **The mark.** It calls [`Outgoing::note_handed_over`] when the callee may have got the request, and never sends a
//!   request that has the mark.
//! * **All of the request.** The callee's side gets the message, the credential, and the parts of the context that
//!   `grpc::metadata` lists. It gets the time that is left as a duration, because the clocks of two machines differ.
//! * **The end of a request.** Dropping the future tells the callee's side that nobody waits for the answer.
//! * **Limits.** It receives no message larger than [`RemoteLimits::message_bytes_max`].
//!
//! A carrier does not know deadlines, presence, retries, the limit on calls in flight or rings of calls: they are the same
//! for every carrier, and [`Remote`](crate::Remote) keeps them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderValue;
use http::uri::PathAndQuery;
use lp_base::scheduler::Stopwatch;

use crate::{CallContext, CallError, Message};

/// The path of a method: `/a.b.v1.Counter/Add`. Every carrier names methods by it.
pub type RemoteMethod = PathAndQuery;

/// How much one process may ask of another one.
#[derive(Clone, Copy, Debug)]
pub struct RemoteLimits {
    /// The most calls that may be under way to the process at the same time; more wait, or are refused.
    pub in_flight_max: u32,
    /// The largest request or response in bytes.
    pub message_bytes_max: usize,
}

/// Takes requests to one process.
///
/// A trait object, so that no other file of this crate names a carrier. The box of its future costs nothing more than an
/// enum of carriers would: a call to another process is too large to stand unboxed in [`Peer::call`](crate::Peer::call), and
/// this box takes out the part that is too large.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// Sends a request and waits for its answer. A failure without the mark of [`Outgoing::note_handed_over`] means that
    /// the callee can't have got the request, which may then be sent again.
    ///
    /// # Errors
    /// If the answer is an error, or if the connection was lost.
    fn send<'a>(&'a self, request: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Message, SendError>>;
}

/// Why a request brought no response.
#[derive(Debug)]
pub enum SendError {
    /// The connection was lost.
    Lost,
    /// The call failed on its way or at the callee.
    Call(CallError),
}

/// One request as its carrier gets it. Its texts are values of the `http` crate, checked once and cheap to clone.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The name of the replica; empty for whichever the server picks.
    pub label: &'a HeaderValue,
    /// The method.
    pub method: &'a RemoteMethod,
    /// The parameters.
    pub message: &'a Message,
    /// The caller, the calls that led to this one, and the options.
    pub context: &'a CallContext,
    /// The proof of who the caller is.
    pub credential: Option<&'a HeaderValue>,
    /// The time since the call began, from which its timeout counts.
    pub start: &'a Stopwatch,
    /// The limits of the callee's process.
    pub limits: RemoteLimits,
    handed_over: AtomicBool,
}

impl<'a> Outgoing<'a> {
    /// A request of `method` with the parameters `message`, which nobody has sent.
    pub(crate) fn new(
        label: &'a HeaderValue,
        method: &'a RemoteMethod,
        message: &'a Message,
        context: &'a CallContext,
        credential: Option<&'a HeaderValue>,
        start: &'a Stopwatch,
        limits: RemoteLimits,
    ) -> Self {
        let handed_over = AtomicBool::new(false);
        Self { label, method, message, context, credential, start, limits, handed_over }
    }

    /// How much time is left for the call, if it has a deadline.
    pub fn left(&self) -> Option<Duration> {
        self.context.options.timeout.map(|timeout| timeout.saturating_sub(self.start.elapsed()))
    }

    /// Marks the request as one that the callee may have got.
    pub fn note_handed_over(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    /// Whether the callee may have got the request.
    pub fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed)
    }
}
