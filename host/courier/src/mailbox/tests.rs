//! What a mailbox makes of calls that nobody takes.

use std::sync::Arc;

use futures::FutureExt;
use lp_base::calls::{ReplicaIndex, WaitGroup, Waiting};
use lp_base::scheduler::Scheduler;
use lp_base::words::WhenFull;

use super::{Mailbox, Room};
use crate::{CallContext, CallError, CallOptions, Callers, Exchange, Message};

/// Checks whether a call of so many bytes finds room behind waiting calls of so many.
fn check(room: Room, waiting: &[usize], bytes: usize, fits: bool) {
    let (callers, exchange, scheduler) = (Callers::default(), Exchange::new(1), Scheduler::default());
    let mailbox = Arc::new(Mailbox::new("a/0".to_owned(), ReplicaIndex(0), callers, room, exchange, scheduler));
    let options = CallOptions { when_full: WhenFull::Fail, ..CallOptions::default() };
    let context = CallContext { origin: None, caller: None, kept: None, options };
    let call = |bytes: usize| Box::pin(mailbox.call(0, Message::from(vec![7; bytes].as_slice()), context.clone()));
    let mut calls: Vec<_> = waiting.iter().map(|&bytes| call(bytes)).collect();
    assert!(calls.iter_mut().all(|call| call.now_or_never().is_none()), "{waiting:?} should wait");
    let answer = call(bytes).now_or_never();
    match fits {
        true => assert!(answer.is_none(), "{bytes} behind {waiting:?}: {answer:?}"),
        false => assert!(matches!(answer, Some(Err(CallError::Overloaded))), "{bytes} behind {waiting:?}: {answer:?}"),
    }
}

#[test]
fn calls_wait_until_there_are_too_many_or_they_are_too_large() {
    let room = Room { calls: 3, bytes: 1000 };
    check(room, &[400, 500], 100, true);
    check(room, &[400, 500], 101, false);
    check(room, &[0, 0], 0, true);
    check(room, &[0, 0, 0], 0, false);
    // One that is alone always has room: its size is for the message limit to judge.
    check(room, &[], 5000, true);
    check(room, &[5000], 1, false);
}

/// Calls that wait for nobody.
struct Nobody;

impl Waiting for Nobody {
    fn groups(&self) -> Vec<WaitGroup> {
        Vec::new()
    }
}

/// A mailbox that works on `taken` calls of replica 1, with as many waiting as `queued`.
fn at_work(taken: usize, queued: usize, check: impl FnOnce(&Mailbox, Vec<Option<Result<Message, CallError>>>)) {
    let room = Room { calls: 1000, bytes: 1000 };
    let callers = Callers::new(std::iter::once(1..2));
    let mailbox = Arc::new(Mailbox::new(
        "a/0".to_owned(),
        ReplicaIndex(0),
        callers,
        room,
        Exchange::new(2),
        Scheduler::default(),
    ));
    mailbox.open();
    mailbox.begin(taken, Arc::new(Nobody));
    let caller = Some(ReplicaIndex(1));
    let context = CallContext { origin: None, caller, kept: None, options: CallOptions::default() };
    let call = || Box::pin(mailbox.call(0, Message::default(), context.clone()));
    let mut calls: Vec<_> = (0..taken + queued).map(|_| call()).collect();
    assert!(calls.iter_mut().all(|call| call.now_or_never().is_none()));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let take = |_| match mailbox.poll_next(&mut cx) {
        std::task::Poll::Ready(Some(call)) => call.split().3,
        other => panic!("a call waits: {other:?}"),
    };
    let working: Vec<_> = (0..taken).map(take).collect();
    let standing = mailbox.standing().expect("it works on calls");
    assert_eq!((standing.working as usize, standing.full), (taken, true));
    assert_eq!(standing.queued, [(ReplicaIndex(1), queued as u32)]);
    assert!(mailbox.fail_queued(ReplicaIndex(1), "why"));
    assert_ne!(mailbox.standing().expect("it works on calls").moved, standing.moved);
    assert!(!mailbox.fail_queued(ReplicaIndex(0), "nobody waits"));
    mailbox.close(CallError::Cancelled);
    drop(working);
    calls.push(call());
    check(&mailbox, calls.into_iter().map(FutureExt::now_or_never).collect());
}

#[test]
fn calls_that_have_not_begun_when_a_replica_stops_are_unavailable() {
    at_work(2, 3, |mailbox, ended| {
        let ended: Vec<_> =
            ended.into_iter().map(|ended| ended.expect("it is over").expect_err("nothing answers")).collect();
        let (cancelled, unavailable) = (CallError::Cancelled, CallError::Unavailable);
        let failed = CallError::Failed("why".to_owned());
        assert_eq!(ended[..2], [cancelled.clone(), cancelled]);
        assert_eq!(ended[2..], [unavailable.clone(), unavailable.clone(), failed, unavailable]);
        assert_eq!(mailbox.standing(), None);
    });
}
