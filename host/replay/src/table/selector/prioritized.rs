//! Slots by weight: a binary tree whose nodes have the sum of the weights below them.

use super::dense::Dense;
use super::{PriorityError, Slot};

/// The largest weight: as many as there can be slots of it have a finite sum.
const WEIGHT_MAX: f64 = 1e290;

/// A tree has room for as many slots from the beginning, or for its table's size: the system gives zeros that nobody has read
/// for nothing, and a tree that doubles has to move.
const LEAVES_AT_ONCE: usize = 1 << 21;

#[derive(Debug)]
pub(in crate::table) struct Prioritized {
    exponent: f64,
    dense: Dense,
    /// The root at 1, the children of `n` at `2n` and `2n + 1`, and the leaf of position 0 at half of the length. A sum is
    /// always added up from its two children, so that no error of rounding stays.
    sums: Vec<f64>,
}

impl Prioritized {
    pub fn new(exponent: f64, max_size: usize) -> Self {
        let leaves = max_size.next_power_of_two().min(LEAVES_AT_ONCE);
        Self { exponent, dense: Dense::default(), sums: vec![0.0; 2 * leaves] }
    }

    fn weight(&self, priority: f64) -> f64 {
        if priority == 0.0 { 0.0 } else { priority.powf(self.exponent) }
    }

    pub fn check(&self, priority: f64) -> Result<(), PriorityError> {
        if priority < 0.0 {
            return Err(PriorityError::Negative);
        }
        let weight = self.weight(priority);
        if weight <= WEIGHT_MAX { Ok(()) } else { Err(PriorityError::TooLarge(priority)) }
    }

    pub fn insert(&mut self, slot: Slot, priority: f64) {
        let position = self.dense.insert(slot);
        if position >= self.leaves() {
            self.grow();
        }
        self.set(position, self.weight(priority));
    }

    pub fn update(&mut self, slot: Slot, priority: f64) {
        self.set(self.dense.position(slot), self.weight(priority));
    }

    pub fn remove(&mut self, slot: Slot) {
        let position = self.dense.remove(slot);
        let last = self.dense.len();
        let moved = self.sums[self.leaves() + last];
        self.set(last, 0.0);
        if position < last {
            self.set(position, moved);
        }
    }

    pub fn pick(&self, random: &mut fastrand::Rng) -> Option<(Slot, f64)> {
        let total = self.sums[1];
        if total <= 0.0 {
            return self.dense.pick(random);
        }
        let mut left = random.f64() * total;
        let mut node = 1;
        while node < self.leaves() {
            node *= 2;
            let (low, high) = (self.sums[node], self.sums[node + 1]);
            // Rounding may bring `left` up to the end of what is below; it never leads to a slot without weight.
            if left >= low && high > 0.0 {
                left -= low;
                node += 1;
            }
        }
        Some((self.dense.at(node - self.leaves()), self.sums[node] / total))
    }

    fn leaves(&self) -> usize {
        self.sums.len() / 2
    }

    fn set(&mut self, position: usize, weight: f64) {
        let mut node = self.leaves() + position;
        self.sums[node] = weight;
        while node > 1 {
            node /= 2;
            self.sums[node] = self.sums[2 * node] + self.sums[2 * node + 1];
        }
    }

    /// Doubles the number of leaves: the tree so far becomes the left half, level by level.
    fn grow(&mut self) {
        let leaves = self.leaves();
        let mut sums = vec![0.0; 4 * leaves];
        let mut level = 1;
        while level <= leaves {
            sums[2 * level..3 * level].copy_from_slice(&self.sums[level..2 * level]);
            level *= 2;
        }
        sums[1] = self.sums[1];
        self.sums = sums;
    }
}
