//! Replicas that work on as many calls as they may at once, all of which wait for each other: a ring of full replicas.
//!
//! Unlike blocked replicas, such ones may go on at any moment as far as the host knows, because it does not see what else a
//! guest's task waits for, such as a timer. So a ring is what has also stood still for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use lp_base::calls::{ReplicaIndex, WaitGroup};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// A replica that works on calls, as its mailbox knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The replica.
    pub replica: ReplicaIndex,
    /// How many calls it works on.
    pub working: u32,
    /// Whether it takes no more before one of these is answered.
    pub full: bool,
    /// How many calls it has taken and answered: as long as it is the same, the replica has stood still.
    pub moved: u64,
    /// What the calls that it works on wait for, as far as they wait for anybody.
    pub waits: Vec<WaitGroup>,
    /// The calls that wait in its queue, by their callers.
    pub queued: Vec<(ReplicaIndex, u32)>,
}

/// Calls of one replica to another one that wait for room in a queue or on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// The caller.
    pub caller: ReplicaIndex,
    /// The callee.
    pub callee: ReplicaIndex,
    /// How many calls.
    pub calls: u32,
}

/// Full replicas that wait for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standstill {
    /// All of them.
    pub replicas: BTreeSet<ReplicaIndex>,
    /// The caller and the callee of a call that has not begun.
    pub call: (ReplicaIndex, ReplicaIndex),
    /// Whether the call waits in the callee's queue, or else for room at its caller.
    pub queued: bool,
}

/// Finds a standstill among replicas that have all stood still for a while.
///
/// Each of its replicas can take no more calls, and every call that it works on waits for others of these replicas alone.
pub fn standstill(standing: &[Standing], crowds: &[Crowd]) -> Option<Standstill> {
    let crowded: BTreeSet<_> = crowds.iter().map(|crowd| crowd.callee).collect();
    let known: BTreeMap<_, _> = standing.iter().map(|standing| (standing.replica, standing)).collect();
    let cant_take =
        |standing: &&Standing| standing.working > 0 && (standing.full || crowded.contains(&standing.replica));
    let mut stuck: BTreeSet<_> = standing.iter().filter(cant_take).map(|standing| standing.replica).collect();
    loop {
        let waits = |group: &&WaitGroup| group.callees.iter().all(|callee| stuck.contains(callee));
        let waiting = |replica: ReplicaIndex| known[&replica].waits.iter().filter(waits).map(|group| group.calls).sum();
        let goes_on = |replica: &&ReplicaIndex| known[*replica].working > waiting(**replica);
        let Some(&free) = stuck.iter().find(goes_on) else { break };
        stuck.remove(&free);
    }
    let queued = stuck.iter().find_map(|callee| {
        let caller = known[callee].queued.iter().find(|(caller, _)| stuck.contains(caller))?.0;
        Some((caller, *callee))
    });
    let crowd = || crowds.iter().find(|crowd| stuck.contains(&crowd.caller) && stuck.contains(&crowd.callee));
    let (call, queued) = match queued {
        Some(call) => (call, true),
        None => crowd().map(|crowd| ((crowd.caller, crowd.callee), false))?,
    };
    Some(Standstill { replicas: stuck, call, queued })
}

/// The calls of one process that wait for room.
#[derive(Debug, Default)]
pub(crate) struct Crowds(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    calls: BTreeMap<u64, Call>,
}

#[derive(Debug)]
struct Call {
    caller: ReplicaIndex,
    callee: ReplicaIndex,
    end: oneshot::Sender<String>,
}

/// A call that waits for room until this is dropped, or until [`Self::ended`].
pub(crate) struct InCrowd<'a> {
    crowds: &'a Crowds,
    number: u64,
    end: oneshot::Receiver<String>,
}

impl Crowds {
    /// Notes that a call waits.
    pub fn enter(&self, caller: ReplicaIndex, callee: ReplicaIndex) -> InCrowd<'_> {
        let (tx, end) = oneshot::channel();
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.calls.insert(number, Call { caller, callee, end: tx });
        InCrowd { crowds: self, number, end }
    }

    /// All that wait.
    pub fn all(&self) -> Vec<Crowd> {
        let mut crowds: BTreeMap<(ReplicaIndex, ReplicaIndex), u32> = BTreeMap::new();
        for call in self.lock().calls.values() {
            *crowds.entry((call.caller, call.callee)).or_default() += 1;
        }
        crowds.into_iter().map(|((caller, callee), calls)| Crowd { caller, callee, calls }).collect()
    }

    /// Fails the call that came last of those from `caller` to `callee`, for this reason.
    pub fn fail(&self, caller: ReplicaIndex, callee: ReplicaIndex, reason: &str) -> bool {
        let mut waiting = self.lock();
        let mut last = waiting.calls.iter().rev();
        let found = last.find(|(_, call)| (call.caller, call.callee) == (caller, callee)).map(|(&number, _)| number);
        let call = found.and_then(|number| waiting.calls.remove(&number));
        call.is_some_and(|call| call.end.send(reason.to_owned()).is_ok())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InCrowd<'_> {
    /// Why the call has to fail; ready only if it has.
    pub async fn ended(&mut self) -> String {
        match (&mut self.end).await {
            Ok(reason) => reason,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for InCrowd<'_> {
    fn drop(&mut self) {
        self.crowds.lock().calls.remove(&self.number);
    }
}

/// Replicas that have stood still for some looks in a row.
#[derive(Debug, Default)]
pub struct StandingWatch {
    seen: BTreeMap<ReplicaIndex, (u64, u32)>,
}

/// How many looks in a row must show a replica as it was.
const LOOKS: u32 = 8;

impl StandingWatch {
    /// Takes a look, and gives those that have stood still for a while.
    pub fn look(&mut self, standing: Vec<Standing>) -> Vec<Standing> {
        let before = std::mem::take(&mut self.seen);
        let mut still = Vec::new();
        for standing in standing {
            let looks = match before.get(&standing.replica) {
                Some(&(moved, looks)) if moved == standing.moved => looks + 1,
                _ => 1,
            };
            self.seen.insert(standing.replica, (standing.moved, looks));
            if looks >= LOOKS {
                still.push(standing);
            }
        }
        still
    }
}

/// Why a call of a standstill fails: `label` names a replica.
pub fn standstill_reason(standstill: &Standstill, label: impl Fn(ReplicaIndex) -> String) -> Arc<str> {
    const SHOWN_MAX: usize = 4;
    let labels: Vec<_> =
        standstill.replicas.iter().take(SHOWN_MAX).map(|&replica| format!("`{}`", label(replica))).collect();
    let more = match standstill.replicas.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "every call that {}{more} may work on at once waits for another of these calls, so this call would never begin; \
         raise `limits.calls-concurrent`, or call back less",
        labels.join(", ")
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ReplicaIndex = ReplicaIndex(0);
    const B: ReplicaIndex = ReplicaIndex(1);
    const C: ReplicaIndex = ReplicaIndex(2);

    fn standing(replica: ReplicaIndex, working: u32, full: bool, waits: &[(u32, &[ReplicaIndex])]) -> Standing {
        let group = |(calls, callees): &(u32, &[ReplicaIndex])| WaitGroup { calls: *calls, callees: callees.to_vec() };
        Standing { replica, working, full, moved: 7, waits: waits.iter().map(group).collect(), queued: Vec::new() }
    }

    fn queue(standing: Standing, caller: ReplicaIndex) -> Standing {
        Standing { queued: vec![(caller, 3)], ..standing }
    }

    #[test]
    fn full_replicas_whose_calls_all_wait_for_each_other_stand_still() {
        let (a, b) = (standing(A, 4, true, &[(4, &[B])]), standing(B, 4, true, &[(3, &[A]), (1, &[A, B])]));
        let found = standstill(&[queue(a, B), queue(b, A)], &[]).expect("they do");
        assert_eq!(found, Standstill { replicas: [A, B].into(), call: (B, A), queued: true });
        let reason = standstill_reason(&found, |replica| format!("n/{}", replica.0));
        assert!(reason.starts_with("every call that `n/0`, `n/1` may work on at once waits"), "{reason}");
    }

    #[test]
    fn a_call_that_waits_for_nobody_or_for_others_ends_by_itself() {
        let b = queue(standing(B, 4, true, &[(4, &[A])]), A);
        let free = [
            // One of its calls is busy with something else.
            standing(A, 4, true, &[(3, &[B])]),
            // One of them waits for somebody who goes on.
            standing(A, 4, true, &[(3, &[B]), (1, &[B, C])]),
            // It can take another one.
            standing(A, 4, false, &[(4, &[B])]),
        ];
        for a in free {
            assert_eq!(standstill(&[queue(a.clone(), B), b.clone()], &[]), None, "{a:?}");
        }
    }

    #[test]
    fn calls_that_wait_for_room_count_and_can_be_failed() {
        let crowds = Crowds::default();
        let (_first, mut last) = (crowds.enter(A, B), crowds.enter(A, B));
        let _other = crowds.enter(B, A);
        let (a, b) = (standing(A, 1, false, &[(1, &[B])]), standing(B, 1, false, &[(1, &[A])]));
        let found = standstill(&[a, b], &crowds.all()).expect("they do");
        assert_eq!((found.call, found.queued), ((A, B), false));
        assert!(crowds.fail(A, B, "why"));
        let ended = futures::FutureExt::now_or_never(Box::pin(last.ended()));
        assert_eq!(ended.as_deref(), Some("why"));
        assert_eq!(crowds.all().iter().map(|crowd| crowd.calls).collect::<Vec<_>>(), [1, 1]);
        drop(last);
        assert!(!crowds.fail(A, C, "nobody waits"));
    }

    #[test]
    fn who_moves_has_not_stood_still() {
        let mut watch = StandingWatch::default();
        let still = standing(A, 1, true, &[]);
        for look in 1..LOOKS {
            assert_eq!(watch.look(vec![still.clone()]), [], "{look}");
        }
        assert_eq!(watch.look(vec![still.clone()]), std::slice::from_ref(&still));
        let moved = Standing { moved: 8, ..still };
        assert_eq!(watch.look(vec![moved]), []);
    }
}
