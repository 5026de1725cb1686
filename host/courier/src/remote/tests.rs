//! What becomes of calls whose carrier fails, and of calls to replicas that are gone.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use lp_base::calls::ReplicaIndex;
use lp_base::scheduler::Scheduler;

use super::{Presence, Remote, RemoteProcess};
use crate::{
    CallContext, CallError, CallOptions, Carrier, Exchange, Message, Outgoing, Passes, RemoteLimits, RemoteMethod,
    SendError,
};

/// What the carrier makes of a request.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// It has no connection yet.
    Connecting,
    /// It lost the connection before the callee can have got the request.
    LostBefore,
    /// The callee may have got the request when the connection was lost.
    LostAfter,
    /// The callee works on the call.
    Working,
    Answered,
}

/// A carrier with an outcome for each request, in their order.
#[derive(Debug)]
struct Scripted(Arc<Mutex<VecDeque<Outcome>>>);

impl Carrier for Scripted {
    fn send<'a>(&'a self, request: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Message, SendError>> {
        let outcome = self.0.lock().expect("no test panics with the lock").pop_front().expect("one more request");
        if matches!(outcome, Outcome::LostAfter | Outcome::Working | Outcome::Answered) {
            request.note_handed_over();
        }
        match outcome {
            Outcome::Connecting | Outcome::Working => pending().boxed(),
            Outcome::LostBefore | Outcome::LostAfter => async { Err(SendError::Lost) }.boxed(),
            Outcome::Answered => async { Ok(Message::default()) }.boxed(),
        }
    }
}

/// Checks the result of a call whose requests have these outcomes, and that it makes one request for each of them. The
/// replica becomes gone once the call waits.
fn check(outcomes: &[Outcome], wait_for_ready: bool, result: Result<(), CallError>) {
    let script = Arc::new(Mutex::new(outcomes.iter().copied().collect()));
    let limits = RemoteLimits { in_flight_max: 1, message_bytes_max: 100 };
    let process = RemoteProcess::new(Scripted(script.clone()), limits, Scheduler::default());
    let method = RemoteMethod::from_static("/a.b.v1.Counter/Add");
    let (exchange, passes) = (Exchange::new(1), Arc::<Passes>::default());
    let remote = Remote::new("b/0".to_owned(), ReplicaIndex(0), exchange, process, passes, Arc::from([method]));
    let options = CallOptions { wait_for_ready, ..CallOptions::default() };
    let context = CallContext { origin: None, caller: None, kept: None, options };
    let mut call = Box::pin(remote.call(0, Message::default(), context));
    let answer = (&mut call).now_or_never().or_else(|| {
        remote.set_presence(Presence::Gone);
        call.now_or_never()
    });
    assert_eq!(answer.expect("the call ends").map(drop), result, "{outcomes:?}");
    assert_eq!(script.lock().expect("no test panics with the lock").len(), 0, "{outcomes:?}");
}

#[test]
fn only_a_request_that_the_callee_cannot_have_got_is_sent_again() {
    let lost = || Err(CallError::Failed("`b/0` was lost while it worked on the call".to_owned()));
    check(&[Outcome::Answered], true, Ok(()));
    check(&[Outcome::LostBefore, Outcome::LostBefore, Outcome::Answered], true, Ok(()));
    check(&[Outcome::LostAfter], true, lost());
    check(&[Outcome::LostBefore, Outcome::LostAfter], true, lost());
}

#[test]
fn a_replica_that_is_gone_is_unavailable_unless_it_may_have_the_request() {
    let lost = || Err(CallError::Failed("`b/0` was lost while it worked on the call".to_owned()));
    check(&[Outcome::Connecting], true, Err(CallError::Unavailable));
    check(&[Outcome::LostBefore, Outcome::Connecting], true, Err(CallError::Unavailable));
    check(&[Outcome::Working], true, lost());
}

#[test]
fn a_call_that_does_not_wait_for_a_start_sends_nothing_before() {
    check(&[], false, Err(CallError::Unavailable));
}
