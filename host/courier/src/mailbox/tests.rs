//! What a mailbox makes of calls that nobody takes.

use futures::FutureExt;
use lp_base::calls::ReplicaIndex;
use lp_base::scheduler::Scheduler;
use lp_base::words::WhenFull;

use super::{Mailbox, Room};
use crate::{CallContext, CallError, CallOptions, Callers, Exchange, Message};

/// Checks whether a call of so many bytes finds room behind waiting calls of so many.
fn check(room: Room, waiting: &[usize], bytes: usize, fits: bool) {
    let (callers, exchange, scheduler) = (Callers::default(), Exchange::new(1), Scheduler::default());
    let mailbox = Mailbox::new("a/0".to_owned(), ReplicaIndex(0), callers, room, exchange, scheduler);
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
