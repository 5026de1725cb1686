//! Steps that guests write, held for the items that are made of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use prost::Message as _;

use super::Refusal;
use super::messages::{ItemColumn, NewItem, Span, Stream as To, WriteRequest};
use super::tensor::{Steps, pack, parts};
use crate::table::{Chunk, ChunkKey, Gauge, Item, ItemKey, Trajectory};
use crate::wire::{ChunkSlice, FlatTrajectory, TrajectoryColumn};

/// As many streams of a caller hold steps; beyond, the one that was used longest ago holds none any more.
const STREAMS_MAX: usize = 64;

/// As many bytes of chunks a stream holds for later calls.
const HELD_BYTES_MAX: usize = 64 << 20;

/// The streams of all callers, by caller and number.
#[derive(Debug)]
pub(super) struct Streams {
    streams: BTreeMap<(Option<u32>, u64), Stream>,
    /// The bytes that all of them hold, and may hold.
    bytes: usize,
    bytes_max: usize,
    /// How many calls there were.
    uses: u64,
}

#[derive(Debug, Default)]
struct Stream {
    held: VecDeque<Held>,
    bytes: usize,
    episode: u64,
    /// The number of the first step of the episode.
    episode_first: u64,
    last_use: u64,
}

/// Steps of one column.
#[derive(Debug)]
struct Held {
    column: u32,
    first: u64,
    count: u32,
    /// The type and the shape of one of them.
    kind: (u32, Vec<u32>),
    chunk: Chunk,
}

/// An item that is ready to be inserted.
pub(super) struct Ready {
    pub table: String,
    pub priority: f64,
    pub item: Arc<Item>,
}

impl Streams {
    /// Streams that may hold as many bytes together.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { streams: BTreeMap::new(), bytes: 0, bytes_max, uses: 0 }
    }

    /// Holds the steps of a request, and makes its items of them and of those that are held.
    pub(super) fn write(
        &mut self,
        caller: Option<u32>,
        request: WriteRequest,
        gauge: &Gauge,
        random: &mut fastrand::Rng,
    ) -> Result<Vec<Ready>, Refusal> {
        let to = request.to.unwrap_or_default();
        let stream = self.stream(caller, to.id);
        let before = stream.bytes;
        let own = stream.add(to, &request, gauge, random)?;
        let ready = request.items.iter().map(|item| stream.item(item, ItemKey(key(random))));
        let ready = ready.collect();
        // Also after a mistake in an item: the steps were written.
        stream.trim(to, own);
        let after = stream.bytes;
        self.bytes = self.bytes - before + after;
        while self.bytes > self.bytes_max {
            // Whoever holds most of it has to write it again.
            let greatest = self.streams.values_mut().max_by_key(|stream| stream.bytes);
            self.bytes -= greatest.map_or(self.bytes, Stream::clear);
        }
        ready
    }

    fn stream(&mut self, caller: Option<u32>, id: u64) -> &mut Stream {
        self.uses += 1;
        let of_caller = (caller, 0)..=(caller, u64::MAX);
        if !self.streams.contains_key(&(caller, id)) && self.streams.range(of_caller.clone()).count() >= STREAMS_MAX {
            let oldest = self.streams.range(of_caller).min_by_key(|(_, stream)| stream.last_use).map(|(key, _)| *key);
            let removed = oldest.and_then(|oldest| self.streams.remove(&oldest));
            self.bytes -= removed.map_or(0, |stream| stream.bytes);
        }
        let stream = self.streams.entry((caller, id)).or_default();
        stream.last_use = self.uses;
        stream
    }
}

/// A key as the clients of Reverb draw theirs.
fn key(random: &mut fastrand::Rng) -> u64 {
    random.u64(..u64::MAX)
}

/// How many rows of a column the largest item of a request has, if any is made of it.
fn rows_of_items(request: &WriteRequest, column: u32) -> Option<u64> {
    let columns = request.items.iter().flat_map(|item| &item.columns).filter(|of_item| of_item.source == column);
    columns.map(|column| column.spans.iter().map(|span| u64::from(span.count)).sum()).max()
}

impl Stream {
    /// Holds the steps of a request. Returns the number of the step after them.
    fn add(
        &mut self,
        to: To,
        request: &WriteRequest,
        gauge: &Gauge,
        random: &mut fastrand::Rng,
    ) -> Result<u64, Refusal> {
        if self.episode != to.episode {
            (self.episode, self.episode_first) = (to.episode, to.first);
        }
        let mut steps = None;
        let mut held = Vec::new();
        for (column, tensor) in (0..).zip(request.columns.iter().map(|column| column.value.as_ref())) {
            let Some(tensor) = tensor else { continue };
            let failed = |reason| Refusal::Failed(format!("column {column} can't be written: {reason}"));
            let count = *tensor.shape.first().ok_or_else(|| failed("its first dimension is the step".to_owned()))?;
            if *steps.get_or_insert(count) != count {
                return Err(failed(format!("it has {count} steps, and a column before it another number")));
            }
            if count == 0 {
                continue;
            }
            for (offset, part) in parts(tensor, rows_of_items(request, column)) {
                let first = to.first.saturating_add(u64::from(offset));
                let (key, count) = (ChunkKey(key(random)), part.shape[0]);
                let in_episode = first.saturating_sub(self.episode_first);
                let steps = Steps { key, episode: to.episode, first: in_episode, count };
                let chunk = pack(&part, steps, gauge).map_err(failed)?;
                let kind = (part.dtype, part.shape[1..].to_vec());
                held.push(Held { column, first, count, kind, chunk });
            }
        }
        self.bytes += held.iter().map(|held| held.chunk.message().len()).sum::<usize>();
        self.held.extend(held);
        Ok(to.first.saturating_add(u64::from(steps.unwrap_or(0))))
    }

    /// Lets go of everything, and tells how many bytes that were.
    fn clear(&mut self) -> usize {
        self.held.clear();
        std::mem::take(&mut self.bytes)
    }

    /// Lets go of steps that are not for later calls.
    fn trim(&mut self, to: To, next: u64) {
        let oldest = next.saturating_sub(u64::from(to.keep));
        let bytes = &mut self.bytes;
        self.held.retain(|held| {
            let is_kept = held.first.saturating_add(u64::from(held.count)) > oldest;
            *bytes -= if is_kept { 0 } else { held.chunk.message().len() };
            is_kept
        });
        while self.bytes > HELD_BYTES_MAX
            && let Some(held) = self.held.pop_front()
        {
            self.bytes -= held.chunk.message().len();
        }
    }

    fn item(&self, item: &NewItem, key: ItemKey) -> Result<Ready, Refusal> {
        let columns = item.columns.iter().map(|column| self.column(column)).collect::<Result<_, _>>()?;
        let message = FlatTrajectory { columns }.encode_to_vec();
        let (trajectory, keys) = Trajectory::read(&message).map_err(|error| Refusal::Failed(error.to_string()))?;
        let find = |key| self.held.iter().rev().find(|held| held.chunk.key() == key).map(|held| held.chunk.clone());
        let made = Item::new(key, trajectory, &keys, find).expect("the slices are of chunks that are held");
        Ok(Ready { table: item.table.clone(), priority: item.priority, item: made })
    }

    fn column(&self, column: &ItemColumn) -> Result<TrajectoryColumn, Refusal> {
        let steps: u64 = column.spans.iter().map(|span| u64::from(span.count)).sum();
        if column.squeeze && steps != 1 {
            let message = format!("a column that is squeezed has one step, and not {steps}");
            return Err(Refusal::Failed(message));
        }
        let (mut chunk_slices, mut kind) = (Vec::new(), None);
        for span in &column.spans {
            self.slices(column.source, *span, &mut chunk_slices, &mut kind)?;
        }
        Ok(TrajectoryColumn { chunk_slices, squeeze: column.squeeze })
    }

    /// The slices that make up consecutive steps. All of a column of an item are of one kind: whoever sampled it would fail else.
    fn slices<'a>(
        &'a self,
        column: u32,
        span: Span,
        slices: &mut Vec<ChunkSlice>,
        kind: &mut Option<&'a (u32, Vec<u32>)>,
    ) -> Result<(), Refusal> {
        let end = span.first.saturating_add(u64::from(span.count));
        let mut at = span.first;
        while at < end {
            let has =
                |held: &&Held| held.column == column && (held.first..held.first + u64::from(held.count)).contains(&at);
            let Some(held) = self.held.iter().rev().find(has) else {
                let message = format!(
                    "step {at} of column {column} is not held: it was not written in this session, or before the last `keep` \
                     steps, or the node has restarted since, or had to let go of it for want of memory"
                );
                return Err(Refusal::Failed(message));
            };
            if *kind.get_or_insert(&held.kind) != &held.kind {
                let message =
                    format!("step {at} of column {column} is of another type or shape than those before in the item");
                return Err(Refusal::Failed(message));
            }
            let offset = at - held.first;
            let length = (end - at).min(u64::from(held.count) - offset);
            // Both are within a chunk, whose steps are counted with 32 bits.
            let number = |steps: u64| i32::try_from(steps).unwrap_or(i32::MAX);
            slices.push(ChunkSlice {
                chunk_key: held.chunk.key().0,
                offset: number(offset),
                length: number(length),
                index: 0,
            });
            at += length;
        }
        Ok(())
    }
}
