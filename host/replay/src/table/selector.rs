//! Which item is sampled next, and which one makes room: an order of a table's slots that each kind of selector keeps.

mod dense;
mod heap;
mod list;
mod prioritized;

use dense::Dense;
use heap::Heap;
use list::List;
use prioritized::Prioritized;

/// The place of an item in its table. The slot of an item that is gone is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(pub u32);

impl Slot {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How items are selected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SelectorKind {
    /// Each with the same probability.
    Uniform,
    /// In proportion to `priority ^ exponent`. Items of priority 0 only if all have that.
    Prioritized {
        /// The exponent.
        exponent: f64,
    },
    /// The oldest.
    Fifo,
    /// The newest.
    Lifo,
    /// The one with the lowest priority; among equals the one that has had its priority for longest.
    MinHeap,
    /// The one with the highest priority; among equals the one that has had its priority for longest.
    MaxHeap,
}

impl SelectorKind {
    /// Whether what is selected follows from the items, without chance.
    pub fn is_deterministic(self) -> bool {
        !matches!(self, Self::Uniform | Self::Prioritized { .. })
    }
}

/// Why an item can't have a priority.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PriorityError {
    /// It is not a number.
    #[error("Priority must not be NaN.")]
    NaN,
    /// A prioritized selector can't have less than 0.
    #[error("Priority must not be negative.")]
    Negative,
    /// The sum over all items would not be a number.
    #[error("Priority {0} is too large: raised to the exponent of its table it must be at most 1e290.")]
    TooLarge(f64),
}

/// The items of a table in the order of one kind.
#[derive(Debug)]
pub(super) enum Selector {
    Uniform(Dense),
    Prioritized(Prioritized),
    Fifo(List),
    Lifo(List),
    Heap(Heap),
}

impl Selector {
    /// For a table of at most `max_size` items.
    pub fn new(kind: SelectorKind, max_size: usize) -> Self {
        match kind {
            SelectorKind::Uniform => Self::Uniform(Dense::default()),
            SelectorKind::Prioritized { exponent } => Self::Prioritized(Prioritized::new(exponent, max_size)),
            SelectorKind::Fifo => Self::Fifo(List::default()),
            SelectorKind::Lifo => Self::Lifo(List::default()),
            SelectorKind::MinHeap => Self::Heap(Heap::new(1.0)),
            SelectorKind::MaxHeap => Self::Heap(Heap::new(-1.0)),
        }
    }

    /// Whether an item may have that priority.
    pub fn check(&self, priority: f64) -> Result<(), PriorityError> {
        match self {
            _ if priority.is_nan() => Err(PriorityError::NaN),
            Self::Prioritized(prioritized) => prioritized.check(priority),
            _ => Ok(()),
        }
    }

    /// Adds a slot that is not there. The priority has passed [`Self::check`].
    pub fn insert(&mut self, slot: Slot, priority: f64) {
        match self {
            Self::Uniform(dense) => drop(dense.insert(slot)),
            Self::Prioritized(prioritized) => prioritized.insert(slot, priority),
            Self::Fifo(list) | Self::Lifo(list) => list.push(slot),
            Self::Heap(heap) => heap.insert(slot, priority),
        }
    }

    /// Changes the priority of a slot that is there. The priority has passed [`Self::check`].
    pub fn update(&mut self, slot: Slot, priority: f64) {
        match self {
            Self::Uniform(_) | Self::Fifo(_) | Self::Lifo(_) => {}
            Self::Prioritized(prioritized) => prioritized.update(slot, priority),
            Self::Heap(heap) => heap.update(slot, priority),
        }
    }

    /// Takes out a slot that is there.
    pub fn remove(&mut self, slot: Slot) {
        match self {
            Self::Uniform(dense) => drop(dense.remove(slot)),
            Self::Prioritized(prioritized) => prioritized.remove(slot),
            Self::Fifo(list) | Self::Lifo(list) => list.remove(slot),
            Self::Heap(heap) => heap.remove(slot),
        }
    }

    /// The slot that comes next and the probability that it had; `None` if there is none.
    pub fn pick(&self, random: &mut fastrand::Rng) -> Option<(Slot, f64)> {
        match self {
            Self::Uniform(dense) => dense.pick(random),
            Self::Prioritized(prioritized) => prioritized.pick(random),
            Self::Fifo(list) => list.first().map(|slot| (slot, 1.0)),
            Self::Lifo(list) => list.last().map(|slot| (slot, 1.0)),
            Self::Heap(heap) => heap.first().map(|slot| (slot, 1.0)),
        }
    }
}
