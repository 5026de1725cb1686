//! The items of a table as they were at one moment, taken bit by bit while the table goes on.
//!
//! What changes before the snapshot gets to it is saved first, as it was. So the table is held up for a few slots at a time
//! and the snapshot is still of one moment.

use std::sync::Arc;

use super::Entry;
use super::growth::Pages;
use super::item::Item;
use super::limiter::Counts;
use super::selector::Slot;
use super::spec::TableSpec;

/// An item as a snapshot has it.
#[derive(Clone, Debug)]
pub struct SavedItem {
    /// The item.
    pub item: Arc<Item>,
    /// Its priority.
    pub priority: f64,
    /// How often it was sampled.
    pub times_sampled: i32,
    /// When it was inserted, in nanoseconds since 1970.
    pub inserted_at: i64,
    /// Items that were inserted later have more.
    pub sequence: u64,
}

/// A table at the moment when a snapshot began, without its items.
#[derive(Clone, Debug)]
pub struct SavedCounts {
    /// What the table was made with, or had been changed to.
    pub spec: TableSpec,
    /// What was done with it.
    pub counts: Counts,
    /// How many episodes had lost their last item.
    pub num_deleted_episodes: i64,
    /// How many items were sampled at least once.
    pub num_unique_samples: i64,
}

/// As many items that have changed are in one part, and as many parts are taken at once.
const PART: usize = 512;
const PARTS: usize = 2;

/// As many items are saved at once at most, if a caller asks for that many slots.
pub(super) const fn saved_at_once(slots: usize) -> usize {
    slots + PARTS * PART
}

/// A snapshot on its way.
#[derive(Debug)]
pub(super) struct Snapshot {
    number: u32,
    /// Items with more than this came after it began.
    sequence: u64,
    /// The first slot that it has not got to.
    next: usize,
    /// What was saved ahead of it, in parts that are full but for the last.
    changed: Vec<Vec<SavedItem>>,
    /// All slots, of a table that was reset since.
    detached: Option<Pages<Option<Entry>>>,
}

impl Snapshot {
    pub fn new(number: u32, sequence: u64) -> Self {
        Self { number, sequence, next: 0, changed: Vec::new(), detached: None }
    }

    /// Saves an entry that is about to change or go.
    pub fn save(&mut self, slot: Slot, entry: &mut Entry) {
        if self.detached.is_none() && slot.index() >= self.next && self.wants(entry) {
            entry.saved_by = self.number;
            if self.changed.last().is_none_or(|part| part.len() == PART) {
                self.changed.push(Vec::with_capacity(PART));
            }
            let part = self.changed.last_mut().expect("there is one with room");
            part.push(saved(entry));
        }
    }

    /// Has the slots that the table had until it was reset.
    pub fn detach(&mut self, entries: Pages<Option<Entry>>) {
        // After a second reset all items are newer than the snapshot.
        self.detached.get_or_insert(entries);
    }

    /// Saves some slots more. Returns whether there are more.
    pub fn advance(&mut self, entries: &Pages<Option<Entry>>, slots: usize, into: &mut Vec<SavedItem>) -> bool {
        let entries = self.detached.as_ref().unwrap_or(entries);
        let end = entries.len().min(self.next + slots);
        let wanted = entries.range(self.next, end).flatten().filter(|entry| self.wants(entry));
        into.extend(wanted.map(saved));
        self.next = end;
        let is_end = end == entries.len();
        // What has changed may be all that there is: it too is taken bit by bit.
        for part in self.changed.drain(self.changed.len().saturating_sub(PARTS)..) {
            into.extend(part);
        }
        !is_end || !self.changed.is_empty()
    }

    /// The slots that a reset left to this.
    pub fn into_detached(self) -> Option<Pages<Option<Entry>>> {
        self.detached
    }

    fn wants(&self, entry: &Entry) -> bool {
        entry.sequence <= self.sequence && entry.saved_by != self.number
    }
}

fn saved(entry: &Entry) -> SavedItem {
    SavedItem {
        item: entry.item.clone(),
        priority: entry.priority,
        times_sampled: entry.times_sampled,
        inserted_at: entry.inserted_at,
        sequence: entry.sequence,
    }
}
