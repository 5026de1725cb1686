//! The files of a checkpoint, written while the tables go on.

use std::path::Path;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use prost::Message as _;

use super::records::RecordWriter;
use super::{CHUNKS, CheckpointError, ITEMS, TABLES};
use crate::service::{Service, TableRef};
use crate::table::{Chunk, ChunkKey, SavedCounts, SavedItem, Table};
use crate::wire;

/// As many slots of a table are saved at once: a table is held up for some tens of microseconds each time.
const SLOTS: usize = 1024;

/// Writes the three files to a folder that is empty.
pub(super) fn write(dir: &Path, service: &Service) -> Result<(), CheckpointError> {
    // All tables first, so that what they have is of nearly the same moment.
    let tables: Vec<_> = service.each_table().collect();
    let counts: Vec<_> = tables.iter().map(|table| table.with(|table, _| Table::begin_snapshot(table))).collect();
    let saved: Vec<_> = tables.iter().map(save).collect();
    write_records(dir, TABLES, counts.iter().map(|counts| table(counts).encode_to_vec()))?;
    let mut chunks = HashMap::new();
    let mut items = Records::create(dir, ITEMS)?;
    for (saved, counts) in saved.into_iter().zip(&counts) {
        for saved in saved {
            note_chunks(&saved, &mut chunks)?;
            items.write(&item(saved, &counts.spec.name).encode_to_vec())?;
        }
    }
    items.finish()?;
    let mut records = Records::create(dir, CHUNKS)?;
    for chunk in chunks.values() {
        records.write(chunk.message())?;
    }
    records.finish()
}

/// The items of a table's snapshot, in the order in which they were inserted. Before anything is written: until it is complete
/// the table keeps what has changed since it began.
fn save(table: &TableRef) -> Vec<SavedItem> {
    let mut saved = Vec::new();
    loop {
        saved.reserve(Table::saved_at_once(SLOTS));
        if !table.with(|table, removed| table.save_some(SLOTS, &mut saved, removed)) {
            saved.sort_unstable_by_key(|item: &SavedItem| item.sequence);
            return saved;
        }
    }
}

/// Each chunk is written once. A client that has lost its connection sends chunks again, which are others in memory.
fn note_chunks(saved: &SavedItem, chunks: &mut HashMap<ChunkKey, Chunk>) -> Result<(), CheckpointError> {
    for chunk in saved.item.chunks() {
        match chunks.entry(chunk.key()) {
            Entry::Vacant(entry) => drop(entry.insert(chunk.clone())),
            Entry::Occupied(entry) => {
                let known = entry.get();
                if known.address() != chunk.address() && known.message() != chunk.message() {
                    return Err(CheckpointError::SameKey(chunk.key()));
                }
            }
        }
    }
    Ok(())
}

fn write_records(
    dir: &Path,
    name: &'static str,
    records: impl Iterator<Item = Vec<u8>>,
) -> Result<(), CheckpointError> {
    let mut writer = Records::create(dir, name)?;
    for record in records {
        writer.write(&record)?;
    }
    writer.finish()
}

/// A [`RecordWriter`] whose errors have the path.
struct Records {
    path: std::path::PathBuf,
    writer: RecordWriter,
}

impl Records {
    fn create(dir: &Path, name: &str) -> Result<Self, CheckpointError> {
        let path = dir.join(name);
        let writer = RecordWriter::create(&path).map_err(CheckpointError::io(&path))?;
        Ok(Self { path, writer })
    }

    fn write(&mut self, record: &[u8]) -> Result<(), CheckpointError> {
        self.writer.write(record).map_err(CheckpointError::io(&self.path))
    }

    fn finish(self) -> Result<(), CheckpointError> {
        self.writer.finish().map_err(CheckpointError::io(&self.path))
    }
}

fn table(saved: &SavedCounts) -> wire::PriorityTableCheckpoint {
    let (spec, limiter, counts) = (&saved.spec, saved.spec.limiter, saved.counts);
    wire::PriorityTableCheckpoint {
        table_name: spec.name.clone(),
        deprecated_items: Vec::new(),
        rate_limiter: Some(wire::RateLimiterCheckpoint {
            samples_per_insert: limiter.samples_per_insert,
            min_diff: limiter.min_diff,
            max_diff: limiter.max_diff,
            min_size_to_sample: limiter.min_size_to_sample,
            sample_count: counts.samples,
            insert_count: counts.inserts,
            delete_count: counts.deletes,
        }),
        sampler: Some(spec.sampler.into()),
        remover: Some(spec.remover.into()),
        max_size: i64::try_from(spec.max_size).expect("`TableSpec::check` has no larger tables"),
        max_times_sampled: spec.max_times_sampled.map_or(0, Into::into),
        num_deleted_episodes: saved.num_deleted_episodes,
        signature: spec.signature.clone(),
        num_unique_samples: saved.num_unique_samples,
    }
}

fn item(saved: SavedItem, table: &str) -> wire::PrioritizedItem {
    wire::PrioritizedItem {
        key: saved.item.key().0,
        table: table.to_owned(),
        deprecated_chunk_keys: Vec::new(),
        priority: saved.priority,
        times_sampled: saved.times_sampled,
        inserted_at: Some(wire::Timestamp::from_nanos(saved.inserted_at)),
        flat_trajectory: bytes::Bytes::copy_from_slice(saved.item.trajectory().message()),
    }
}
