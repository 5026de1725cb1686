//! Slots in the order in which they were added.

use super::super::growth::Pages;
use super::Slot;

/// Not a slot: the end of the list.
const NONE: u32 = u32::MAX;

/// A list that is linked both ways, through the numbers of its slots.
#[derive(Debug)]
pub(in crate::table) struct List {
    first: u32,
    last: u32,
    /// By slot, the ones before and after it.
    links: Pages<Links>,
}

#[derive(Clone, Copy, Debug)]
struct Links {
    before: u32,
    after: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { first: NONE, last: NONE, links: Pages::default() }
    }
}

impl List {
    pub fn push(&mut self, slot: Slot) {
        self.links.set(slot.index(), Links { before: self.last, after: NONE });
        match self.last {
            NONE => self.first = slot.0,
            last => self.links[last as usize].after = slot.0,
        }
        self.last = slot.0;
    }

    pub fn remove(&mut self, slot: Slot) {
        let Links { before, after } = self.links[slot.index()];
        match before {
            NONE => self.first = after,
            before => self.links[before as usize].after = after,
        }
        match after {
            NONE => self.last = before,
            after => self.links[after as usize].before = before,
        }
    }

    pub fn first(&self) -> Option<Slot> {
        (self.first != NONE).then_some(Slot(self.first))
    }

    pub fn last(&self) -> Option<Slot> {
        (self.last != NONE).then_some(Slot(self.last))
    }
}
