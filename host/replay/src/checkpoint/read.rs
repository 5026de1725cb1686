//! The files of a checkpoint, read and checked. Nothing in them is believed.

use std::num::NonZeroI32;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hashbrown::HashMap;
use prost::Message as _;

use super::records::each_record;
use super::{CHUNKS, CheckpointError, DONE, ITEMS, TABLES};
use crate::table::{
    Chunk, ChunkHead, ChunkKey, Counts, Gauge, Item, ItemKey, SavedCounts, SavedItem, TableSpec, Trajectory,
};
use crate::wire;

/// A checkpoint as it was read.
#[derive(Debug)]
pub struct Stored {
    /// Its folder.
    pub path: PathBuf,
    /// Its tables.
    pub tables: Vec<StoredTable>,
    /// How many chunks it has.
    pub chunks: usize,
}

/// A table of a checkpoint.
#[derive(Debug)]
pub struct StoredTable {
    /// The table without its items.
    pub counts: SavedCounts,
    /// Its items in the order in which they were inserted.
    pub items: Vec<SavedItem>,
}

/// Reads the checkpoint in a folder.
pub(super) fn read(dir: &Path, gauge: &Gauge) -> Result<Stored, CheckpointError> {
    if !dir.join(DONE).exists() {
        let reason = "there is no such file: this is no checkpoint, or not a whole one".to_owned();
        return Err(CheckpointError::Damaged { file: DONE, reason });
    }
    let damaged = |file| move |reason| CheckpointError::Damaged { file, reason };
    let mut tables: Vec<StoredTable> = Vec::new();
    let mut places = HashMap::new();
    each_record(&dir.join(TABLES), |record| {
        let counts = table(&record)?;
        if places.insert(counts.spec.name.clone(), tables.len()).is_some() {
            return Err(format!("table `{}` is there twice", counts.spec.name));
        }
        tables.push(StoredTable { counts, items: Vec::new() });
        Ok(())
    })
    .map_err(damaged(TABLES))?;
    let mut chunks: HashMap<ChunkKey, Chunk> = HashMap::new();
    each_record(&dir.join(CHUNKS), |record| {
        let head = ChunkHead::read(&record).map_err(|error| error.to_string())?;
        let is_new = chunks.insert(head.key, Chunk::new(head, Bytes::from(record), gauge)).is_none();
        if is_new { Ok(()) } else { Err(format!("chunk {} is there twice", head.key)) }
    })
    .map_err(damaged(CHUNKS))?;
    let mut sequence = 0;
    each_record(&dir.join(ITEMS), |record| {
        sequence += 1;
        let (name, item) = item(record, &chunks, sequence)?;
        let place = places.get(&name).ok_or_else(|| format!("an item is of table `{name}`, which is not there"))?;
        tables[*place].items.push(item);
        Ok(())
    })
    .map_err(damaged(ITEMS))?;
    Ok(Stored { path: dir.to_owned(), tables, chunks: chunks.len() })
}

fn table(record: &[u8]) -> Result<SavedCounts, String> {
    let stored =
        wire::PriorityTableCheckpoint::decode(Bytes::copy_from_slice(record)).map_err(|error| error.to_string())?;
    let name = stored.table_name;
    if !stored.deprecated_items.is_empty() {
        return Err(format!("table `{name}` has its items as Reverb wrote them before 2021, which is not supported"));
    }
    let limiter = stored.rate_limiter.ok_or_else(|| format!("table `{name}` has no rate limiter"))?;
    let kind = |options: Option<wire::KeyDistributionOptions>, what| {
        options.and_then(|options| options.kind()).ok_or_else(|| format!("table `{name}` has no {what} that is known"))
    };
    let spec = TableSpec {
        sampler: kind(stored.sampler, "sampler")?,
        remover: kind(stored.remover, "remover")?,
        max_size: usize::try_from(stored.max_size).unwrap_or(0),
        max_times_sampled: NonZeroI32::new(stored.max_times_sampled.max(0)),
        limiter: (&limiter).into(),
        signature: stored.signature,
        name,
    };
    spec.check().map_err(|error| format!("table `{}`: {error}", spec.name))?;
    let counts = Counts { inserts: limiter.insert_count, samples: limiter.sample_count, deletes: limiter.delete_count };
    if [counts.inserts, counts.samples, counts.deletes].iter().any(|count| !(0..=i64::MAX / 4).contains(count)) {
        return Err(format!("table `{}` has a count that can't be: {counts:?}", spec.name));
    }
    let (num_deleted_episodes, num_unique_samples) = (stored.num_deleted_episodes, stored.num_unique_samples);
    Ok(SavedCounts { spec, counts, num_deleted_episodes, num_unique_samples })
}

fn item(record: Vec<u8>, chunks: &HashMap<ChunkKey, Chunk>, sequence: u64) -> Result<(String, SavedItem), String> {
    let stored = wire::PrioritizedItem::decode(Bytes::from(record)).map_err(|error| error.to_string())?;
    let key = ItemKey(stored.key);
    if !stored.deprecated_chunk_keys.is_empty() {
        return Err(format!("item {key} is written as Reverb did before 2021, which is not supported"));
    }
    let (trajectory, keys) =
        Trajectory::read(&stored.flat_trajectory).map_err(|error| format!("item {key}: {error}"))?;
    let item = Item::new(key, trajectory, &keys, |key| chunks.get(&key).cloned())
        .map_err(|missing| format!("item {key} refers to chunk {missing}, which is not there"))?;
    let inserted_at = stored.inserted_at.map_or(0, |time| time.to_nanos());
    let (priority, times_sampled) = (stored.priority, stored.times_sampled);
    Ok((stored.table, SavedItem { item, priority, times_sampled, inserted_at, sequence }))
}

/// Reads a record as each kind that there is, whatever it says.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz(record: &[u8]) {
    // Refused or not is all the same: nothing must break.
    let _ = table(record);
    let chunk = ChunkHead::read(record).map(|head| Chunk::new(head, Bytes::copy_from_slice(record), &Gauge::default()));
    let chunks = chunk.into_iter().map(|chunk| (chunk.key(), chunk)).collect();
    let _ = item(record.to_vec(), &chunks, 1);
}
