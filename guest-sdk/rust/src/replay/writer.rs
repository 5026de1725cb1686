//! A writer of steps, and of items that are made of them.

use std::ops::Range;

use super::bindings::lp::replay::writer_handles::{Item, Session, Writer as Shard};
use super::{Column, Span, Tensor};
use crate::CallError;

/// Writes steps of episodes to a replay node: each episode to one part of it, the next one to the next. Nothing is sent before
/// [`Writer::flush`].
pub struct Writer {
    shards: Vec<Shard>,
    /// The part of this episode.
    shard: usize,
    session: Session,
    /// The number of the next step.
    next: u64,
    columns: Vec<Tensor>,
    items: Vec<Item>,
}

impl Writer {
    pub(super) fn new(shards: Vec<Shard>, shard: usize, keep: u32) -> Self {
        let session = Session { id: random(), episode: random(), first: 0, keep };
        Self { shards, shard, session, next: 0, columns: Vec::new(), items: Vec::new() }
    }

    /// Adds a step, with a value for each column, and returns its number. Steps are numbered through all episodes.
    ///
    /// # Panics
    /// If a step before had other columns.
    pub fn append(&mut self, step: &[Tensor]) -> u64 {
        if self.columns.is_empty() {
            let column = |value: &Tensor| Tensor {
                dtype: value.dtype,
                shape: [&[0], &value.shape[..]].concat(),
                data: Vec::new(),
            };
            self.columns = step.iter().map(column).collect();
        }
        assert_eq!(self.columns.len(), step.len(), "a step has as many columns as the one before");
        for (column, value) in self.columns.iter_mut().zip(step) {
            let is_alike = column.dtype == value.dtype && column.shape[1..] == value.shape;
            assert!(is_alike, "a column is of one type and shape in all steps");
            column.shape[0] += 1;
            column.data.extend_from_slice(&value.data);
        }
        self.next += 1;
        self.next - 1
    }

    /// The number of the next step.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Has the next flush insert an item of these columns, whose steps were appended before.
    pub fn item(&mut self, table: &str, priority: f64, columns: Vec<Column>) {
        self.items.push(Item { table: table.to_owned(), priority, columns });
    }

    /// Sends what was appended, and returns the keys of the items once they are in their tables.
    ///
    /// # Errors
    /// If the call fails. Its steps and items are gone then.
    pub async fn flush(&mut self) -> Result<Vec<u64>, CallError> {
        let (columns, items) = (std::mem::take(&mut self.columns), std::mem::take(&mut self.items));
        let session = self.session;
        self.session.first = self.next;
        self.shards[self.shard].write(session, columns.into_iter().map(Some).collect(), items).await
    }

    /// Sends what was appended, and begins another episode. Of a node of several replicas, that is in another part, where items
    /// can't have steps of this one.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub async fn end_episode(&mut self) -> Result<Vec<u64>, CallError> {
        let flushed = self.flush().await;
        self.session.episode = random();
        self.shard = (self.shard + 1) % self.shards.len();
        flushed
    }
}

impl Column {
    /// Consecutive steps of column number `source`.
    pub fn steps(source: u32, steps: Range<u64>) -> Self {
        let count = u32::try_from(steps.end.saturating_sub(steps.start)).unwrap_or(u32::MAX);
        Self { source, spans: vec![Span { first: steps.start, count }], squeeze: false }
    }

    /// One step, as a value and not as a column of one.
    pub fn step(source: u32, step: u64) -> Self {
        Self { source, spans: vec![Span { first: step, count: 1 }], squeeze: true }
    }

    /// Any steps, in this order.
    pub fn of(source: u32, steps: &[u64]) -> Self {
        let spans = steps.iter().map(|step| Span { first: *step, count: 1 }).collect();
        Self { source, spans, squeeze: false }
    }
}

/// A number by chance, from the host: the standard library draws the keys of its maps there.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
