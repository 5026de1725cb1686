//! Slots without gaps, in no order that means anything.

use super::Slot;

/// Slots at positions 0 to n, each found by its number.
#[derive(Debug, Default)]
pub(in crate::table) struct Dense {
    slots: Vec<Slot>,
    /// By slot, its position.
    positions: Vec<u32>,
}

impl Dense {
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn position(&self, slot: Slot) -> usize {
        self.positions[slot.index()] as usize
    }

    pub fn at(&self, position: usize) -> Slot {
        self.slots[position]
    }

    /// Adds a slot at the end, and returns its position.
    pub fn insert(&mut self, slot: Slot) -> usize {
        let position = self.slots.len();
        if self.positions.len() <= slot.index() {
            self.positions.resize(slot.index() + 1, 0);
        }
        self.positions[slot.index()] = position as u32;
        self.slots.push(slot);
        position
    }

    /// Takes out a slot, and returns its position. The last slot is there now.
    pub fn remove(&mut self, slot: Slot) -> usize {
        let position = self.position(slot);
        self.slots.swap_remove(position);
        if let Some(moved) = self.slots.get(position) {
            self.positions[moved.index()] = position as u32;
        }
        position
    }

    /// Changes the places of two positions.
    pub fn swap(&mut self, a: usize, b: usize) {
        self.slots.swap(a, b);
        for position in [a, b] {
            self.positions[self.slots[position].index()] = position as u32;
        }
    }

    /// Any slot, each as probable as the others.
    pub fn pick(&self, random: &mut fastrand::Rng) -> Option<(Slot, f64)> {
        if self.slots.is_empty() {
            return None;
        }
        let position = random.usize(..self.slots.len());
        Some((self.slots[position], 1.0 / self.slots.len() as f64))
    }
}
