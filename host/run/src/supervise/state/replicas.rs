//! All replicas of a program, and how many of them hold up its end and those of its colocations. They are counted as they
//! change, so that no event costs a look at each of them.

use std::collections::{BTreeMap, BTreeSet};

use lp_base::plan::{NodeId, ReplicaId};

use super::replica::Replica;

/// All replicas of a program. A replica can only be changed by [`Self::change`] and [`Self::change_all`], which count.
pub(super) struct Replicas {
    by_id: BTreeMap<ReplicaId, Replica>,
    census: Census,
}

/// The counts of all replicas and of those of each colocation.
struct Census {
    all: Counts,
    colocations: Vec<Counts>,
    /// The colocations of which a replica changed since they were last taken.
    changed_colocations: BTreeSet<usize>,
}

/// How many replicas there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Those that are not gone.
    pub(super) present: usize,
    /// Those whose `run` has not finished.
    pub(super) busy: usize,
    /// Those whose `run` the program waits for, whether it has finished or not.
    pub(super) awaited: usize,
    /// Those whose `run` the program waits for and that has not finished.
    pub(super) awaited_busy: usize,
}

impl Counts {
    /// The counts of one replica.
    pub(super) fn of(replica: &Replica) -> Self {
        let (busy, awaited) = (replica.is_busy(), replica.is_awaited());
        Self {
            present: usize::from(!replica.is_gone()),
            busy: usize::from(busy),
            awaited: usize::from(awaited),
            awaited_busy: usize::from(awaited && busy),
        }
    }

    /// Takes `now` for what was counted as `before`.
    fn replace(&mut self, before: Counts, now: Counts) {
        self.present = self.present + now.present - before.present;
        self.busy = self.busy + now.busy - before.busy;
        self.awaited = self.awaited + now.awaited - before.awaited;
        self.awaited_busy = self.awaited_busy + now.awaited_busy - before.awaited_busy;
    }
}

impl Replicas {
    /// These replicas, in so many colocations.
    pub(super) fn new(replicas: impl Iterator<Item = (ReplicaId, Replica)>, colocations: usize) -> Self {
        let colocations = vec![Counts::default(); colocations];
        let mut census = Census { all: Counts::default(), colocations, changed_colocations: BTreeSet::new() };
        let by_id: BTreeMap<_, _> = replicas.collect();
        by_id.values().for_each(|replica| census.recount(replica, Counts::default()));
        Self { by_id, census }
    }

    pub(super) fn get(&self, id: ReplicaId) -> Option<&Replica> {
        self.by_id.get(&id)
    }

    /// Every replica, in the order of the plan's nodes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ReplicaId, &Replica)> {
        self.by_id.iter().map(|(&id, replica)| (id, replica))
    }

    /// The replicas of one node.
    pub(super) fn of(&self, node: NodeId) -> Vec<ReplicaId> {
        let first = ReplicaId { node, index: 0 };
        let last = ReplicaId { node, index: u32::MAX };
        self.by_id.range(first..=last).map(|(&id, _)| id).collect()
    }

    /// The counts of all replicas.
    pub(super) fn counts(&self) -> Counts {
        self.census.all
    }

    /// The counts of a colocation's replicas.
    pub(super) fn colocation_counts(&self, colocation: usize) -> Counts {
        self.census.colocations[colocation]
    }

    /// The colocations of which a replica changed since this was last called, in the order of the plan.
    pub(super) fn take_changed_colocations(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.census.changed_colocations)
    }

    /// Changes one replica, if there is such a one.
    pub(super) fn change(&mut self, id: ReplicaId, change: impl FnOnce(&mut Replica)) {
        if let Some(replica) = self.by_id.get_mut(&id) {
            self.census.change(replica, change);
        }
    }

    /// Changes every replica: for what concerns all of them, and so comes up a few times in a run.
    pub(super) fn change_all(&mut self, mut change: impl FnMut(ReplicaId, &mut Replica)) {
        for (&id, replica) in &mut self.by_id {
            self.census.change(replica, |replica| change(id, replica));
        }
    }

    pub(super) fn into_map(self) -> BTreeMap<ReplicaId, Replica> {
        self.by_id
    }
}

impl Census {
    /// Changes a replica and counts it anew: the one place where a replica that is counted changes.
    fn change(&mut self, replica: &mut Replica, change: impl FnOnce(&mut Replica)) {
        let before = Counts::of(replica);
        change(replica);
        self.recount(replica, before);
    }

    /// Counts a replica as what it is now, instead of as what it was before.
    fn recount(&mut self, replica: &Replica, before: Counts) {
        let now = Counts::of(replica);
        self.all.replace(before, now);
        if let Some(colocation) = replica.colocation {
            self.colocations[colocation].replace(before, now);
            self.changed_colocations.insert(colocation);
        }
    }
}
