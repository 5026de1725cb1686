//! Finds replicas in several processes that wait for each other, from what their workers tell.
//!
//! A call between two workers counts once both tell of it: the caller's, that it has not returned, and the callee's, that it
//! has come and was not answered. Workers tell at different times, so calls that seem to form a ring may never have been
//! there together. So each worker is asked again: a hold that has the same number before and after the question was there
//! when it was asked, and a ring of such holds was there as a whole, and can't end by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lp_base::calls::ReplicaIndex;
use lp_courier::Blocked;

/// The rings of one run.
#[derive(Debug)]
pub struct Rings {
    /// The worker of each replica, by the replica's index.
    worker_of: Vec<usize>,
    /// What each worker told last.
    holds: BTreeMap<usize, Vec<Blocked>>,
    suspects: Vec<Suspect>,
    questions: u64,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum RingAction {
    /// Ask a worker for its holds of this moment.
    Ask {
        /// The worker.
        worker: usize,
        /// The number that its answer has.
        question: u64,
    },
    /// Fail a call of a ring.
    Break {
        /// The worker of its caller.
        worker: usize,
        /// The hold, as that worker knows it.
        blocked: Blocked,
        /// How many calls the ring has.
        calls: u32,
    },
}

/// A call that is not answered, as its caller's worker and its callee's know it; the same thing twice if they are one.
type Edge = (Blocked, Blocked);

/// Calls that may be a ring, until the workers have said so once more.
#[derive(Debug)]
struct Suspect {
    ring: Vec<Edge>,
    question: u64,
    /// The workers that have not answered.
    asked: BTreeSet<usize>,
}

impl Rings {
    /// Of a program whose replicas run in these workers, by the index of the replica.
    pub fn new(worker_of: Vec<usize>) -> Self {
        Self { worker_of, holds: BTreeMap::new(), suspects: Vec::new(), questions: 0 }
    }

    /// Takes what a worker tells, asked or not.
    pub fn on_holds(&mut self, worker: usize, question: Option<u64>, holds: Vec<Blocked>) -> Vec<RingAction> {
        self.holds.insert(worker, holds);
        let mut actions = Vec::new();
        if let Some(suspect) = self.suspects.iter_mut().find(|suspect| Some(suspect.question) == question) {
            suspect.asked.remove(&worker);
        }
        let answered: Vec<_> = self.suspects.extract_if(.., |suspect| suspect.asked.is_empty()).collect();
        let proven = answered.into_iter().filter(|suspect| suspect.ring.iter().all(|edge| self.has(edge)));
        actions.extend(proven.filter_map(|suspect| self.end(&suspect.ring)));
        if question.is_none() {
            self.suspect(&mut actions);
        }
        actions
    }

    /// Forgets a worker that has ended, with all that it was asked for.
    pub fn forget(&mut self, worker: usize) {
        self.holds.remove(&worker);
        let of = |hold: &Blocked| self.worker_of.get(hold.caller.0 as usize) == Some(&worker);
        self.suspects.retain(|suspect| !suspect.ring.iter().any(|(hold, _)| of(hold)));
    }

    fn worker(&self, replica: ReplicaIndex) -> Option<usize> {
        self.worker_of.get(replica.0 as usize).copied()
    }

    fn told_by(&self, replica: ReplicaIndex) -> &[Blocked] {
        self.worker(replica).and_then(|worker| self.holds.get(&worker)).map_or(&[], Vec::as_slice)
    }

    fn has(&self, (at_caller, at_callee): &Edge) -> bool {
        self.told_by(at_caller.caller).contains(at_caller) && self.told_by(at_callee.callee).contains(at_callee)
    }

    /// The calls that both ends tell of, by their callers.
    fn edges(&self) -> HashMap<ReplicaIndex, Edge> {
        let holds = self.holds.iter().flat_map(|(&worker, holds)| holds.iter().map(move |hold| (worker, hold)));
        let own = holds.filter(|(worker, hold)| self.worker(hold.caller) == Some(*worker)).map(|(_, hold)| hold);
        let edges = own.filter_map(|at_caller| {
            let same = |hold: &&Blocked| (hold.caller, hold.callee) == (at_caller.caller, at_caller.callee);
            let at_callee = self.told_by(at_caller.callee).iter().find(same)?;
            Some((at_caller.caller, (*at_caller, *at_callee)))
        });
        edges.collect()
    }

    /// Asks about every ring that there seems to be and that is not asked about.
    fn suspect(&mut self, actions: &mut Vec<RingAction>) {
        let mut edges = self.edges();
        while let Some(&start) = edges.keys().next() {
            let (mut path, mut next) = (Vec::new(), start);
            while let Some(edge) = edges.remove(&next) {
                path.push(edge);
                next = edge.0.callee;
            }
            // The way may lead to a ring without being part of it, or into one that was seen before.
            let Some(entry) = path.iter().position(|(hold, _)| hold.caller == next) else { continue };
            let ring = path.split_off(entry);
            let workers: BTreeSet<_> = ring.iter().filter_map(|(hold, _)| self.worker(hold.caller)).collect();
            let known = self.suspects.iter().any(|suspect| suspect.ring.iter().any(|edge| ring.contains(edge)));
            // A ring within one worker is seen there.
            if known || workers.len() < 2 {
                continue;
            }
            self.questions += 1;
            let question = self.questions;
            actions.extend(workers.iter().map(|&worker| RingAction::Ask { worker, question }));
            self.suspects.push(Suspect { ring, question, asked: workers });
        }
    }

    /// Ends a ring at the first of its calls that goes from one worker to another.
    fn end(&self, ring: &[Edge]) -> Option<RingAction> {
        let leaves = |hold: &Blocked| self.worker(hold.caller) != self.worker(hold.callee);
        let blocked = ring.iter().map(|(hold, _)| *hold).filter(leaves).min_by_key(|hold| hold.caller.0)?;
        let calls = u32::try_from(ring.len()).unwrap_or(u32::MAX);
        Some(RingAction::Break { worker: self.worker(blocked.caller)?, blocked, calls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(caller: u32, callee: u32, number: u32) -> Blocked {
        Blocked { caller: ReplicaIndex(caller), callee: ReplicaIndex(callee), number }
    }

    /// What each of three workers, with a replica each, tells of calls from each to the next.
    fn told() -> [Vec<Blocked>; 3] {
        [0, 1, 2].map(|own| vec![hold(own, (own + 1) % 3, 7), hold((own + 2) % 3, own, 5)])
    }

    /// Three workers that have told of a ring, and were asked about it.
    fn asked() -> Rings {
        let mut rings = Rings::new(vec![0, 1, 2]);
        let [first, second, third] = told();
        assert_eq!(rings.on_holds(0, None, first), []);
        assert_eq!(rings.on_holds(1, None, second), []);
        let questions = [0, 1, 2].map(|worker| RingAction::Ask { worker, question: 1 });
        assert_eq!(rings.on_holds(2, None, third), questions);
        rings
    }

    #[test]
    fn a_ring_that_is_told_of_twice_is_ended_once() {
        let mut rings = asked();
        let [first, second, third] = told();
        assert_eq!(rings.on_holds(0, Some(1), first), []);
        // What comes unasked meanwhile starts nothing anew.
        assert_eq!(rings.on_holds(2, None, third.clone()), []);
        assert_eq!(rings.on_holds(1, Some(1), second), []);
        let end = RingAction::Break { worker: 0, blocked: hold(0, 1, 7), calls: 3 };
        assert_eq!(rings.on_holds(2, Some(1), third), [end]);
    }

    #[test]
    fn a_call_that_was_made_anew_between_the_looks_is_no_part_of_a_ring() {
        let mut rings = asked();
        let [first, second, mut third] = told();
        third[0].number += 1;
        rings.on_holds(0, Some(1), first);
        rings.on_holds(1, Some(1), second);
        assert_eq!(rings.on_holds(2, Some(1), third), []);
    }

    #[test]
    fn a_call_whose_answer_is_on_its_way_is_no_part_of_a_ring() {
        let mut rings = Rings::new(vec![0, 1, 2]);
        let [mut first, second, third] = told();
        // The third still waits for the first, which has answered.
        first.truncate(1);
        for (worker, holds) in [first, second, third].into_iter().enumerate() {
            assert_eq!(rings.on_holds(worker, None, holds), []);
        }
    }

    #[test]
    fn a_worker_that_ends_takes_its_rings_along() {
        let mut rings = asked();
        rings.forget(1);
        let [first, _, third] = told();
        assert_eq!(rings.on_holds(0, Some(1), first), []);
        assert_eq!(rings.on_holds(2, Some(1), third), []);
    }

    #[test]
    fn who_waits_for_a_ring_is_not_asked_about() {
        let mut rings = Rings::new(vec![0, 1, 2]);
        assert_eq!(rings.on_holds(2, None, vec![hold(2, 0, 1)]), []);
        assert_eq!(rings.on_holds(0, None, vec![hold(0, 1, 1), hold(1, 0, 1), hold(2, 0, 1)]), []);
        let questions = [0, 1].map(|worker| RingAction::Ask { worker, question: 1 });
        assert_eq!(rings.on_holds(1, None, vec![hold(0, 1, 1), hold(1, 0, 1)]), questions);
    }
}
