//! Items and the chunks that they refer to, as their writer sent them. Nothing here looks into a tensor.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashSet;
use lp_base::protobuf::{FormatError, Reader, Value};
use smallvec::SmallVec;

use super::gauge::Gauge;

/// The key of an item, chosen by its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey(pub u64);

/// The key of a chunk, chosen by its writer. It means nothing outside of the stream or the checkpoint that it came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkKey(pub u64);

/// The episode that a chunk is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EpisodeId(pub u64);

impl From<ItemKey> for u64 {
    fn from(key: ItemKey) -> Self {
        key.0
    }
}

impl From<EpisodeId> for u64 {
    fn from(id: EpisodeId) -> Self {
        id.0
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ChunkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The fields of a `ChunkData` message that a table needs.
#[derive(Clone, Copy, Debug)]
pub struct ChunkHead {
    /// The key.
    pub key: ChunkKey,
    /// The episode.
    pub episode: EpisodeId,
}

impl ChunkHead {
    /// Reads them.
    ///
    /// # Errors
    /// If it is no such message.
    pub fn read(message: &[u8]) -> Result<Self, FormatError> {
        let (mut key, mut episode) = (0, 0);
        let mut reader = Reader(message);
        while let Some(field) = reader.next_field()? {
            match (field.number, field.value) {
                (1, Value::Varint(value)) => key = value,
                (2, Value::Bytes(range)) => episode = varint_field(range, 1)?.unwrap_or(episode),
                (1 | 2, _) => return Err(field.unexpected()),
                _ => {}
            }
        }
        Ok(Self { key: ChunkKey(key), episode: EpisodeId(episode) })
    }
}

/// Steps of an episode: a `ChunkData` message, kept as bytes. A clone is the same chunk; the last one frees it.
#[derive(Clone, Debug)]
pub struct Chunk(pub(super) Arc<ChunkBody>);

#[derive(Debug)]
pub(super) struct ChunkBody {
    pub(super) head: ChunkHead,
    message: Bytes,
    gauge: Gauge,
}

impl Chunk {
    /// The chunk of a `ChunkData` message that has this head. It keeps whatever `message` is a part of.
    pub fn new(head: ChunkHead, message: Bytes, gauge: &Gauge) -> Self {
        gauge.add(message.len());
        Self(Arc::new(ChunkBody { head, message, gauge: gauge.clone() }))
    }

    /// Its key.
    pub fn key(&self) -> ChunkKey {
        self.0.head.key
    }

    /// Its episode.
    pub fn episode(&self) -> EpisodeId {
        self.0.head.episode
    }

    /// The message that it came as.
    pub fn message(&self) -> &Bytes {
        &self.0.message
    }

    /// Where it is in memory, the same for every clone and another one for every other chunk.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl Drop for ChunkBody {
    fn drop(&mut self) {
        self.gauge.remove(self.message.len());
    }
}

/// The last value of a varint field.
fn varint_field(message: &[u8], number: u32) -> Result<Option<u64>, FormatError> {
    let mut found = None;
    let mut reader = Reader(message);
    while let Some(field) = reader.next_field()? {
        if let (true, Value::Varint(value)) = (field.number == number, field.value) {
            found = Some(value);
        }
    }
    Ok(found)
}

/// Which slices of which chunks make up each column of an item: a `FlatTrajectory` message, kept as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trajectory(Box<[u8]>);

/// Why a trajectory can't be an item's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrajectoryError {
    /// It has no column, or the first one has no slice.
    #[error("Item trajectory must not be empty.")]
    Empty,
    /// It is no such message.
    #[error("the item's trajectory is malformed: {0}")]
    Malformed(#[from] FormatError),
}

/// Beyond as many distinct chunks a set finds repetitions faster than a look at all.
const FEW_CHUNKS: usize = 16;

impl Trajectory {
    /// The trajectory of a message, with the distinct chunks that it refers to in the order in which they first appear.
    ///
    /// # Errors
    /// If it is empty or malformed.
    pub fn read(message: &[u8]) -> Result<(Self, SmallVec<[ChunkKey; 4]>), TrajectoryError> {
        let mut keys = SmallVec::new();
        let mut seen: HashSet<ChunkKey> = HashSet::new();
        let (mut columns, mut is_first_empty) = (0, true);
        let mut reader = Reader(message);
        while let Some(field) = reader.next_field()? {
            if field.number != 1 {
                continue;
            }
            let mut column = Reader(field.bytes()?);
            while let Some(field) = column.next_field()? {
                if field.number != 1 {
                    continue;
                }
                is_first_empty &= columns > 0;
                let key = ChunkKey(varint_field(field.bytes()?, 1)?.unwrap_or(0));
                if is_new(key, &keys, &mut seen) {
                    keys.push(key);
                }
            }
            columns += 1;
        }
        if columns == 0 || is_first_empty {
            return Err(TrajectoryError::Empty);
        }
        Ok((Self(message.into()), keys))
    }

    /// The message that it came as.
    pub fn message(&self) -> &[u8] {
        &self.0
    }
}

fn is_new(key: ChunkKey, keys: &[ChunkKey], seen: &mut HashSet<ChunkKey>) -> bool {
    // What was seen last is what comes again in nearly every item.
    if keys.last() == Some(&key) {
        return false;
    }
    if keys.len() < FEW_CHUNKS {
        return !keys.contains(&key);
    }
    if seen.is_empty() {
        seen.extend(keys);
    }
    seen.insert(key)
}

/// The parts of an item that never change. Its chunks are those that the trajectory refers to, in the order of their first
/// appearance.
#[derive(Debug)]
pub struct Item {
    key: ItemKey,
    trajectory: Trajectory,
    chunks: SmallVec<[Chunk; 1]>,
}

impl Item {
    /// An item of chunks that `find` has.
    ///
    /// # Errors
    /// The key of the first chunk that `find` has not.
    pub fn new(
        key: ItemKey,
        trajectory: Trajectory,
        chunks: &[ChunkKey],
        find: impl Fn(ChunkKey) -> Option<Chunk>,
    ) -> Result<Arc<Self>, ChunkKey> {
        let chunks = chunks.iter().map(|key| find(*key).ok_or(*key)).collect::<Result<_, _>>()?;
        Ok(Arc::new(Self { key, trajectory, chunks }))
    }

    /// Its key.
    pub fn key(&self) -> ItemKey {
        self.key
    }

    /// What it is made of.
    pub fn trajectory(&self) -> &Trajectory {
        &self.trajectory
    }

    /// Its chunks, each once.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// The bytes of its chunks.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.message().len()).sum()
    }
}
