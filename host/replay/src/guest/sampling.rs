//! Samples for guests: the columns of items, unpacked.

use prost::Message as _;
use smallvec::SmallVec;

use super::Refusal;
use super::messages::{Batch, SampleInfo, Sampled};
use super::tensor::{Rows, Unpacked};
use crate::table::{Item, Sample};
use crate::wire::{ChunkData, FlatTrajectory};

/// What is wrong with an item, which any client may have sent.
fn malformed(item: &Item, reason: impl std::fmt::Display) -> Refusal {
    Refusal::Failed(format!("item {} can't be unpacked: {reason}", item.key()))
}

/// A sample with its columns.
pub(super) fn sampled(sample: &Sample) -> Result<Sampled, Refusal> {
    let item = &*sample.item;
    let trajectory = Unpacking::of(item)?;
    let columns = trajectory.shape().map(|(place, is_squeezed)| {
        let mut rows = Rows::default();
        trajectory.add(place, &mut rows)?;
        let outer = [rows.count()];
        rows.tensor(if is_squeezed { &[] } else { &outer }).map_err(|reason| malformed(item, reason))
    });
    Ok(Sampled { columns: columns.collect::<Result<_, _>>()?, info: Some(info(sample)) })
}

/// Samples whose columns are stacked.
pub(super) fn batch(samples: &[Sample], bytes_max: usize) -> Result<Batch, Refusal> {
    let mut columns: Vec<(Rows, bool, usize)> = Vec::new();
    for (number, sample) in samples.iter().enumerate() {
        let item = &*sample.item;
        let trajectory = Unpacking::of(item)?;
        if number == 0 {
            columns.extend(trajectory.shape().map(|(_, is_squeezed)| (Rows::default(), is_squeezed, 0)));
        }
        if !trajectory.shape().map(|(_, squeezed)| squeezed).eq(columns.iter().map(|(_, squeezed, _)| *squeezed)) {
            return Err(ragged(format!("item {} has other columns than the one before", item.key())));
        }
        for (place, (rows, _, length)) in columns.iter_mut().enumerate() {
            let before = rows.count();
            trajectory.add(place, rows)?;
            let own = rows.count() - before;
            if number == 0 {
                *length = own;
            } else if *length != own {
                let key = item.key();
                return Err(ragged(format!("item {key} has {own} steps in column {place}, and others have {length}")));
            }
        }
        if columns.iter().map(|(rows, ..)| rows.bytes()).sum::<usize>() > bytes_max {
            return Err(Refusal::TooLarge);
        }
    }
    let columns = columns.into_iter().map(|(rows, is_squeezed, length)| {
        let outer = [samples.len(), length];
        rows.tensor(if is_squeezed { &outer[..1] } else { &outer }).map_err(Refusal::Failed)
    });
    Ok(Batch { columns: columns.collect::<Result<_, _>>()?, infos: samples.iter().map(info).collect() })
}

fn ragged(reason: String) -> Refusal {
    Refusal::Failed(format!("the samples make no batch: {reason}; use `sample`"))
}

fn info(sample: &Sample) -> SampleInfo {
    SampleInfo {
        key: sample.item.key().0,
        priority: sample.priority,
        probability: sample.probability,
        times_sampled: u32::try_from(sample.times_sampled).unwrap_or(0),
        table_size: sample.table_size as u64,
        inserted_at: u64::try_from(sample.inserted_at).unwrap_or(0),
    }
}

/// An item while its columns are unpacked.
struct Unpacking<'a> {
    item: &'a Item,
    trajectory: FlatTrajectory,
    chunks: SmallVec<[ChunkData; 4]>,
}

impl<'a> Unpacking<'a> {
    fn of(item: &'a Item) -> Result<Self, Refusal> {
        let failed = |error: prost::DecodeError| malformed(item, error);
        let trajectory = FlatTrajectory::decode(item.trajectory().message()).map_err(failed)?;
        let chunks = item.chunks().iter().map(|chunk| ChunkData::decode(chunk.message().clone()));
        let chunks = chunks.collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { item, trajectory, chunks })
    }

    /// The place of each column, and whether it is squeezed.
    fn shape(&self) -> impl Iterator<Item = (usize, bool)> {
        self.trajectory.columns.iter().map(|column| column.squeeze).enumerate()
    }

    /// Adds the steps of a column to `rows`.
    fn add(&self, place: usize, rows: &mut Rows) -> Result<(), Refusal> {
        let before = rows.count();
        let failed = |reason: String| malformed(self.item, reason);
        let column = &self.trajectory.columns[place];
        // Slices of one chunk follow each other.
        let mut last: Option<((u64, i32), Unpacked)> = None;
        for slice in &column.chunk_slices {
            let key = (slice.chunk_key, slice.index);
            if last.as_ref().is_none_or(|(known, _)| *known != key) {
                let chunk = self.chunks.iter().find(|chunk| chunk.chunk_key == slice.chunk_key);
                let tensors = chunk.and_then(|chunk| Some((chunk, &chunk.data.as_ref()?.tensors)));
                let index = usize::try_from(slice.index).unwrap_or(usize::MAX);
                let tensor = tensors.and_then(|(chunk, tensors)| Some((chunk, tensors.get(index)?)));
                let (chunk, tensor) = tensor.ok_or_else(|| failed("a slice is of no tensor".to_owned()))?;
                last = Some((key, Unpacked::of(tensor, chunk.delta_encoded).map_err(failed)?));
            }
            let (_, unpacked) = last.as_ref().expect("it was just set");
            rows.add(unpacked, slice.offset, slice.length).map_err(failed)?;
        }
        if column.squeeze && rows.count() != before + 1 {
            return Err(failed(format!("column {place} is squeezed and has {} steps", rows.count() - before)));
        }
        Ok(())
    }
}
