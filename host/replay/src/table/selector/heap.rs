//! Slots by priority: a binary heap in which a slot is found by its number.

use super::super::growth::Pages;
use super::Slot;
use super::dense::Dense;

#[derive(Debug)]
pub(in crate::table) struct Heap {
    /// 1 where the lowest priority comes first, -1 where the highest does.
    sign: f64,
    dense: Dense,
    /// By slot.
    ranks: Pages<Rank>,
    changes: u64,
}

/// What comes first is less. Among equal priorities it is what has had its own for longest.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Rank {
    signed_priority: f64,
    since: u64,
}

impl Heap {
    pub fn new(sign: f64) -> Self {
        Self { sign, dense: Dense::default(), ranks: Pages::default(), changes: 0 }
    }

    pub fn insert(&mut self, slot: Slot, priority: f64) {
        self.rank(slot, priority);
        let position = self.dense.insert(slot);
        self.rise(position);
    }

    pub fn update(&mut self, slot: Slot, priority: f64) {
        self.rank(slot, priority);
        self.settle(self.dense.position(slot));
    }

    pub fn remove(&mut self, slot: Slot) {
        let position = self.dense.remove(slot);
        if position < self.dense.len() {
            self.settle(position);
        }
    }

    pub fn first(&self) -> Option<Slot> {
        (self.dense.len() > 0).then(|| self.dense.at(0))
    }

    fn rank(&mut self, slot: Slot, priority: f64) {
        self.changes += 1;
        self.ranks.set(slot.index(), Rank { signed_priority: priority * self.sign, since: self.changes });
    }

    fn is_before(&self, a: usize, b: usize) -> bool {
        self.ranks[self.dense.at(a).index()] < self.ranks[self.dense.at(b).index()]
    }

    fn settle(&mut self, position: usize) {
        let position = self.rise(position);
        self.sink(position);
    }

    fn rise(&mut self, mut position: usize) -> usize {
        while position > 0 {
            let parent = (position - 1) / 2;
            if !self.is_before(position, parent) {
                break;
            }
            self.dense.swap(position, parent);
            position = parent;
        }
        position
    }

    fn sink(&mut self, mut position: usize) {
        loop {
            let children = 2 * position + 1..(2 * position + 3).min(self.dense.len());
            let Some(least) = children.reduce(|a, b| if self.is_before(b, a) { b } else { a }) else { return };
            if !self.is_before(least, position) {
                return;
            }
            self.dense.swap(position, least);
            position = least;
        }
    }
}
