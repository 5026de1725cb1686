//! A table of items: which one is sampled next, which one makes room, and when either may happen.
//!
//! This is plain data: nothing here waits or reads a clock, and the random numbers are an argument. [`crate::service`] has
//! those who wait for a table.

mod distinct;
mod gauge;
mod growth;
mod item;
mod limiter;
mod selector;
mod snapshot;
mod spec;

use std::mem;
use std::sync::Arc;

pub use gauge::Gauge;
use growth::{Pages, Shards};
use hashbrown::hash_map::Entry as MapEntry;
pub use item::{Chunk, ChunkHead, ChunkKey, EpisodeId, Item, ItemKey, Trajectory, TrajectoryError};
pub use limiter::{Counts, Limiter, LimiterError, LimiterSpec};
pub use selector::{PriorityError, SelectorKind};
use selector::{Selector, Slot};
use snapshot::Snapshot;
pub use snapshot::{SavedCounts, SavedItem};
pub use spec::{SpecError, TableSpec};

/// Items by their keys. Each operation on one item takes time in proportion to the logarithm of their number at most.
#[derive(Debug)]
pub struct Table {
    spec: TableSpec,
    limiter: Limiter,
    items: Items,
    num_deleted_episodes: i64,
    num_unique_samples: i64,
    /// How many items were ever inserted, through resets too.
    sequence: u64,
    /// The number of the last snapshot that was begun.
    snapshots: u32,
    snapshot: Option<Snapshot>,
}

/// All that a reset empties.
#[derive(Debug)]
struct Items {
    entries: Pages<Option<Entry>>,
    free: Vec<Slot>,
    size: usize,
    slots: Shards<ItemKey, Slot>,
    sampler: Selector,
    remover: Selector,
    /// How often the items refer to chunks of an episode.
    episodes: Shards<EpisodeId, u64>,
}

#[derive(Clone, Debug)]
struct Entry {
    item: Arc<Item>,
    priority: f64,
    /// In nanoseconds since 1970.
    inserted_at: i64,
    sequence: u64,
    times_sampled: i32,
    /// The snapshot that has this item as it was when the snapshot began.
    saved_by: u32,
}

/// What an insert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// There is one more item.
    New,
    /// The key was there, and its item has the priority.
    Updated,
}

/// An item as it was sampled.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The item.
    pub item: Arc<Item>,
    /// Its priority at that time.
    pub priority: f64,
    /// How often it has been sampled, this time included.
    pub times_sampled: i32,
    /// When it was inserted, in nanoseconds since 1970.
    pub inserted_at: i64,
    /// How probable it was that it is this one.
    pub probability: f64,
    /// How many items the table had, this one included.
    pub table_size: usize,
}

/// Figures of a table.
#[derive(Clone, Debug)]
pub struct TableInfo {
    /// What it was made with, or has been changed to.
    pub spec: TableSpec,
    /// How many items it has.
    pub size: usize,
    /// What was done with it since it was made or reset.
    pub counts: Counts,
    /// How many episodes its items are of.
    pub num_episodes: usize,
    /// How many episodes lost their last item.
    pub num_deleted_episodes: i64,
    /// How many items were sampled at least once.
    pub num_unique_samples: i64,
}

/// Items that are no longer in a table. Dropping them frees their chunks, which takes a while and needs no lock.
#[derive(Debug, Default)]
pub struct Removed {
    items: Vec<Arc<Item>>,
    all: Vec<Items>,
    entries: Vec<Pages<Option<Entry>>>,
}

impl Removed {
    /// Whether there is nothing to drop.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.all.is_empty() && self.entries.is_empty()
    }
}

impl Items {
    fn new(spec: &TableSpec) -> Self {
        Self {
            entries: Pages::default(),
            free: Vec::new(),
            size: 0,
            slots: Shards::default(),
            sampler: Selector::new(spec.sampler, spec.max_size),
            remover: Selector::new(spec.remover, spec.max_size),
            episodes: Shards::default(),
        }
    }

    fn get(&mut self, slot: Slot) -> &mut Entry {
        self.entries[slot.index()].as_mut().expect("the maps and selectors have the slots of items alone")
    }
}

impl Table {
    /// An empty table.
    ///
    /// # Errors
    /// If there can be none like that.
    pub fn new(spec: TableSpec) -> Result<Self, SpecError> {
        spec.check()?;
        let limiter = Limiter { spec: spec.limiter, counts: Counts::default() };
        let items = Items::new(&spec);
        Ok(Self {
            spec,
            limiter,
            items,
            num_deleted_episodes: 0,
            num_unique_samples: 0,
            sequence: 0,
            snapshots: 0,
            snapshot: None,
        })
    }

    /// What it was made with, or has been changed to.
    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// When it may be written to and sampled from.
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.size
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.size == 0
    }

    /// The figures.
    pub fn info(&self) -> TableInfo {
        TableInfo {
            spec: self.spec.clone(),
            size: self.len(),
            counts: self.limiter.counts,
            num_episodes: self.items.episodes.len(),
            num_deleted_episodes: self.num_deleted_episodes,
            num_unique_samples: self.num_unique_samples,
        }
    }

    /// Holds the table to another limiter from now on. The counts stay.
    ///
    /// # Errors
    /// If there can be no such limiter. Then the old one stays.
    pub fn set_limiter(&mut self, spec: LimiterSpec) -> Result<(), LimiterError> {
        spec.check()?;
        self.spec.limiter = spec;
        self.limiter.spec = spec;
        Ok(())
    }

    /// Whether an item of the table may have that priority.
    ///
    /// # Errors
    /// If not.
    pub fn check_priority(&self, priority: f64) -> Result<(), PriorityError> {
        self.items.sampler.check(priority)?;
        self.items.remover.check(priority)
    }

    /// Inserts an item, or gives the one of the same key its priority. Items that had to make room go to `removed`; the new
    /// one may be among them. Whoever calls has asked the limiter.
    ///
    /// # Errors
    /// If no item may have that priority. Then nothing happens.
    pub fn insert(
        &mut self,
        item: Arc<Item>,
        priority: f64,
        now: i64,
        random: &mut fastrand::Rng,
        removed: &mut Removed,
    ) -> Result<Inserted, PriorityError> {
        self.check_priority(priority)?;
        if let Some(&slot) = self.items.slots.get(item.key()) {
            self.set_priority(slot, priority);
            removed.items.push(item);
            return Ok(Inserted::Updated);
        }
        self.add(item, priority, now, 0);
        self.limiter.counts.inserts += 1;
        if self.len() > self.spec.max_size {
            let (slot, _) = self.items.remover.pick(random).expect("an item was just inserted");
            self.remove(slot, removed);
        }
        Ok(Inserted::New)
    }

    fn add(&mut self, item: Arc<Item>, priority: f64, inserted_at: i64, times_sampled: i32) {
        for chunk in item.chunks() {
            *self.items.episodes.entry(chunk.episode()).or_default() += 1;
        }
        let slot = self.items.free.pop().unwrap_or_else(|| {
            self.items.entries.push(None);
            let last = self.items.entries.len() - 1;
            Slot(u32::try_from(last).expect("`TableSpec::check` has no table of more items than that"))
        });
        self.items.size += 1;
        self.items.slots.insert(item.key(), slot);
        self.items.sampler.insert(slot, priority);
        self.items.remover.insert(slot, priority);
        self.sequence += 1;
        let entry = Entry { item, priority, inserted_at, sequence: self.sequence, times_sampled, saved_by: 0 };
        self.items.entries[slot.index()] = Some(entry);
    }

    fn remove(&mut self, slot: Slot, removed: &mut Removed) {
        self.save(slot);
        let entry = self.items.entries[slot.index()].take().expect("the slot of an item");
        self.items.free.push(slot);
        self.items.size -= 1;
        self.items.slots.remove(entry.item.key());
        self.items.sampler.remove(slot);
        self.items.remover.remove(slot);
        for chunk in entry.item.chunks() {
            let MapEntry::Occupied(mut references) = self.items.episodes.entry(chunk.episode()) else {
                unreachable!("each chunk of an item was counted when the item was added");
            };
            *references.get_mut() -= 1;
            if *references.get() == 0 {
                references.remove();
                self.num_deleted_episodes += 1;
            }
        }
        self.limiter.counts.deletes += 1;
        removed.items.push(entry.item);
    }

    fn set_priority(&mut self, slot: Slot, priority: f64) {
        self.save(slot);
        self.items.get(slot).priority = priority;
        self.items.sampler.update(slot, priority);
        self.items.remover.update(slot, priority);
    }

    /// Samples an item; `None` if there is none. Whoever calls has asked the limiter.
    pub fn sample(&mut self, random: &mut fastrand::Rng, removed: &mut Removed) -> Option<Sample> {
        let (slot, probability) = self.items.sampler.pick(random)?;
        Some(self.take(slot, probability, removed))
    }

    /// The item of a slot that the sampler has picked.
    fn take(&mut self, slot: Slot, probability: f64, removed: &mut Removed) -> Sample {
        self.save(slot);
        self.limiter.counts.samples += 1;
        let table_size = self.len();
        let entry = self.items.get(slot);
        let is_first = entry.times_sampled == 0;
        entry.times_sampled = entry.times_sampled.saturating_add(1);
        let sample = Sample {
            item: entry.item.clone(),
            priority: entry.priority,
            times_sampled: entry.times_sampled,
            inserted_at: entry.inserted_at,
            probability,
            table_size,
        };
        self.num_unique_samples += i64::from(is_first);
        if self.spec.max_times_sampled.is_some_and(|most| sample.times_sampled >= most.get()) {
            self.remove(slot, removed);
        }
        sample
    }

    /// Removes the item that is to make room next. Returns whether there was one.
    pub fn evict(&mut self, random: &mut fastrand::Rng, removed: &mut Removed) -> bool {
        let Some((slot, _)) = self.items.remover.pick(random) else { return false };
        self.remove(slot, removed);
        true
    }

    /// Gives the item of a key another priority. Returns whether there is one.
    ///
    /// # Errors
    /// If no item may have that priority.
    pub fn update(&mut self, key: ItemKey, priority: f64) -> Result<bool, PriorityError> {
        self.check_priority(priority)?;
        let Some(&slot) = self.items.slots.get(key) else { return Ok(false) };
        self.set_priority(slot, priority);
        Ok(true)
    }

    /// Deletes the item of a key. Returns whether there was one.
    pub fn delete(&mut self, key: ItemKey, removed: &mut Removed) -> bool {
        let Some(&slot) = self.items.slots.get(key) else { return false };
        self.remove(slot, removed);
        true
    }

    /// Deletes every item and sets every count to 0.
    pub fn reset(&mut self, removed: &mut Removed) {
        let mut items = mem::replace(&mut self.items, Items::new(&self.spec));
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.detach(mem::take(&mut items.entries));
        }
        removed.all.push(items);
        self.limiter.counts = Counts::default();
        self.num_deleted_episodes = 0;
        self.num_unique_samples = 0;
    }

    /// Begins a snapshot of the items as they are now, in place of the one before, and returns the counts of this moment.
    /// [`Self::save_some`] brings the items.
    pub fn begin_snapshot(&mut self) -> SavedCounts {
        // 0 is for entries that no snapshot has saved.
        self.snapshots = self.snapshots.checked_add(1).unwrap_or(1);
        self.snapshot = Some(Snapshot::new(self.snapshots, self.sequence));
        SavedCounts {
            spec: self.spec.clone(),
            counts: self.limiter.counts,
            num_deleted_episodes: self.num_deleted_episodes,
            num_unique_samples: self.num_unique_samples,
        }
    }

    /// How much room [`Self::save_some`] may need. Who makes it before does not make others wait while it is made.
    pub const fn saved_at_once(slots: usize) -> usize {
        snapshot::saved_at_once(slots)
    }

    /// Adds about `slots` further items of the snapshot to `saved`, in no order. Returns whether there are more.
    pub fn save_some(&mut self, slots: usize, saved: &mut Vec<SavedItem>, removed: &mut Removed) -> bool {
        let Some(snapshot) = &mut self.snapshot else { return false };
        let more = snapshot.advance(&self.items.entries, slots, saved);
        if !more {
            removed.entries.extend(self.snapshot.take().and_then(Snapshot::into_detached));
        }
        more
    }

    fn save(&mut self, slot: Slot) {
        if let (Some(snapshot), Some(entry)) = (&mut self.snapshot, &mut self.items.entries[slot.index()]) {
            snapshot.save(slot, entry);
        }
    }

    /// Puts an item of a checkpoint back, without asking the limiter or counting.
    ///
    /// # Errors
    /// If there is no room for it, its key is there, or it can't have its priority.
    pub fn restore(&mut self, saved: SavedItem) -> Result<(), RestoreError> {
        self.check_priority(saved.priority)?;
        if self.len() >= self.spec.max_size {
            return Err(RestoreError::Full(self.spec.max_size));
        }
        if self.items.slots.get(saved.item.key()).is_some() {
            return Err(RestoreError::Twice(saved.item.key()));
        }
        self.add(saved.item, saved.priority, saved.inserted_at, saved.times_sampled);
        Ok(())
    }

    /// Sets the counts to those of a checkpoint.
    pub fn restore_counts(&mut self, counts: Counts, num_deleted_episodes: i64, num_unique_samples: i64) {
        self.limiter.counts = counts;
        self.num_deleted_episodes = num_deleted_episodes;
        self.num_unique_samples = num_unique_samples;
    }
}

/// Why an item of a checkpoint can't be put back.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// Its priority is none that the table could have.
    #[error(transparent)]
    Priority(#[from] PriorityError),
    /// The table has as many items as it may have.
    #[error("there are more items than the table's max_size ({0})")]
    Full(usize),
    /// Two items have the same key.
    #[error("item {0} is there twice")]
    Twice(ItemKey),
}

#[cfg(test)]
mod tests;
