//! Finds full replicas in several processes that wait for each other, from what their workers tell.
//!
//! Workers tell of those that have stood still for a while. They tell at different times, so each worker of a standstill is
//! asked again: replicas that have not moved between what was told first and the answer stood still all that time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lp_base::calls::ReplicaIndex;
use lp_courier::{Crowd, Standing, Standstill, standstill};

/// The standstills of one run.
#[derive(Debug)]
pub struct Standstills {
    /// The worker of each replica, by the replica's index.
    worker_of: Vec<usize>,
    /// What each worker told last of those that have stood still.
    told: BTreeMap<usize, (Vec<Standing>, Vec<Crowd>)>,
    suspect: Option<Suspect>,
    questions: u64,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum StandstillAction {
    /// Ask a worker how its replicas stand at this moment.
    Ask {
        /// The worker.
        worker: usize,
        /// The number that its answer has.
        question: u64,
    },
    /// Fail the call of a standstill, which this worker has.
    Fail {
        /// The worker.
        worker: usize,
        /// The standstill.
        standstill: Standstill,
    },
}

/// Replicas that seem to stand still, until their workers have said so once more.
#[derive(Debug)]
struct Suspect {
    /// How often each had moved.
    moved: HashMap<ReplicaIndex, u64>,
    question: u64,
    /// The workers that have not answered.
    asked: BTreeSet<usize>,
    answers: (Vec<Standing>, Vec<Crowd>),
}

impl Standstills {
    /// Of a program whose replicas run in these workers, by the index of the replica.
    pub fn new(worker_of: Vec<usize>) -> Self {
        Self { worker_of, told: BTreeMap::new(), suspect: None, questions: 0 }
    }

    /// Takes what a worker tells unasked.
    pub fn on_told(&mut self, worker: usize, standing: Vec<Standing>, crowds: Vec<Crowd>) -> Vec<StandstillAction> {
        self.told.insert(worker, (standing, crowds));
        self.suspect()
    }

    /// Asks about the replicas that seem to stand still, unless it has asked already.
    fn suspect(&mut self) -> Vec<StandstillAction> {
        if self.suspect.is_some() {
            return Vec::new();
        }
        let standing: Vec<_> = self.told.values().flat_map(|(standing, _)| standing).cloned().collect();
        let crowds: Vec<_> = self.told.values().flat_map(|(_, crowds)| crowds).copied().collect();
        let Some(found) = standstill(&standing, &crowds) else { return Vec::new() };
        let members = standing.iter().filter(|standing| found.replicas.contains(&standing.replica));
        let moved = members.map(|standing| (standing.replica, standing.moved)).collect();
        let asked: BTreeSet<_> = found.replicas.iter().filter_map(|&replica| self.worker(replica)).collect();
        self.questions += 1;
        let question = self.questions;
        let actions = asked.iter().map(|&worker| StandstillAction::Ask { worker, question }).collect();
        self.suspect = Some(Suspect { moved, question, asked, answers: (Vec::new(), Vec::new()) });
        actions
    }

    /// Takes the answer of a worker.
    pub fn on_answer(
        &mut self,
        worker: usize,
        question: u64,
        standing: Vec<Standing>,
        crowds: Vec<Crowd>,
    ) -> Vec<StandstillAction> {
        let Some(suspect) = self.suspect.as_mut().filter(|suspect| suspect.question == question) else {
            return Vec::new();
        };
        suspect.asked.remove(&worker);
        suspect.answers.0.extend(standing);
        suspect.answers.1.extend(crowds);
        if !suspect.asked.is_empty() {
            return Vec::new();
        }
        let Some(Suspect { moved, answers: (mut standing, crowds), .. }) = self.suspect.take() else {
            return Vec::new();
        };
        standing.retain(|standing| moved.get(&standing.replica) == Some(&standing.moved));
        let found = standstill(&standing, &crowds);
        // Those that have moved, or are about to, are told of again when they stand still once more.
        self.told.values_mut().for_each(|(told, _)| told.retain(|told| !moved.contains_key(&told.replica)));
        let fail = found.and_then(|standstill| {
            let (caller, callee) = standstill.call;
            let worker = self.worker(if standstill.queued { callee } else { caller })?;
            Some(StandstillAction::Fail { worker, standstill })
        });
        fail.into_iter().chain(self.suspect()).collect()
    }

    /// Forgets a worker that has ended, with all that it was asked for.
    pub fn forget(&mut self, worker: usize) {
        self.told.remove(&worker);
        self.suspect.take_if(|suspect| suspect.asked.contains(&worker));
    }

    fn worker(&self, replica: ReplicaIndex) -> Option<usize> {
        self.worker_of.get(replica.0 as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use lp_base::calls::WaitGroup;

    use super::*;

    const A: ReplicaIndex = ReplicaIndex(0);
    const B: ReplicaIndex = ReplicaIndex(1);

    fn full(replica: ReplicaIndex, caller: ReplicaIndex, moved: u64) -> Vec<Standing> {
        let waits = vec![WaitGroup { calls: 2, callees: vec![caller] }];
        vec![Standing { replica, working: 2, full: true, moved, waits, queued: vec![(caller, 2)] }]
    }

    /// Two workers that have told of a standstill, and were asked about it.
    fn asked() -> Standstills {
        let mut standstills = Standstills::new(vec![0, 1]);
        assert_eq!(standstills.on_told(0, full(A, B, 5), Vec::new()), []);
        let questions = [0, 1].map(|worker| StandstillAction::Ask { worker, question: 1 });
        assert_eq!(standstills.on_told(1, full(B, A, 6), Vec::new()), questions);
        standstills
    }

    #[test]
    fn a_standstill_that_is_told_of_twice_ends() {
        let mut standstills = asked();
        assert_eq!(standstills.on_answer(1, 1, full(B, A, 6), Vec::new()), []);
        let replicas = [A, B].into();
        let standstill = Standstill { replicas, call: (B, A), queued: true };
        let fail = StandstillAction::Fail { worker: 0, standstill };
        assert_eq!(standstills.on_answer(0, 1, full(A, B, 5), Vec::new()), [fail]);
    }

    #[test]
    fn who_has_moved_between_the_looks_does_not_stand_still() {
        let mut standstills = asked();
        assert_eq!(standstills.on_answer(1, 1, full(B, A, 7), Vec::new()), []);
        assert_eq!(standstills.on_answer(0, 1, full(A, B, 5), Vec::new()), []);
        // What is told of later is asked about anew.
        assert_eq!(standstills.on_told(0, full(A, B, 6), Vec::new()), []);
        let questions = [0, 1].map(|worker| StandstillAction::Ask { worker, question: 2 });
        assert_eq!(standstills.on_told(1, full(B, A, 7), Vec::new()), questions);
    }

    #[test]
    fn what_is_told_of_during_a_question_is_asked_about_after_it() {
        let (c, d) = (ReplicaIndex(2), ReplicaIndex(3));
        let mut standstills = asked();
        standstills.worker_of.extend([2, 3]);
        assert_eq!(standstills.on_told(2, full(c, d, 1), Vec::new()), []);
        assert_eq!(standstills.on_told(3, full(d, c, 1), Vec::new()), []);
        assert_eq!(standstills.on_answer(1, 1, full(B, A, 7), Vec::new()), []);
        let questions = [2, 3].map(|worker| StandstillAction::Ask { worker, question: 2 });
        assert_eq!(standstills.on_answer(0, 1, full(A, B, 6), Vec::new()), questions);
    }

    #[test]
    fn a_worker_that_ends_takes_its_standstill_along() {
        let mut standstills = asked();
        standstills.forget(1);
        assert_eq!(standstills.on_answer(0, 1, full(A, B, 5), Vec::new()), []);
        assert_eq!(standstills.on_told(0, full(A, B, 5), Vec::new()), []);
    }
}
