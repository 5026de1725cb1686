//! Tests of what waits, over the functions of a service and over its wire, in virtual time.

mod checkpoint;
mod grpc;
mod service;
mod streams;

use std::sync::Arc;

use bytes::Bytes;

use crate::table::{
    Chunk, ChunkHead, ChunkKey, Gauge, Item, ItemKey, LimiterSpec, SelectorKind, Table, TableSpec, Trajectory,
};

/// A table from which the oldest item is sampled and removed.
pub(crate) fn fifo(name: &str, max_size: usize) -> TableSpec {
    TableSpec {
        name: name.to_owned(),
        sampler: SelectorKind::Fifo,
        remover: SelectorKind::Fifo,
        max_size,
        max_times_sampled: None,
        limiter: LimiterSpec::min_size(1),
        signature: None,
    }
}

pub(crate) fn tables(specs: &[TableSpec]) -> Vec<Table> {
    specs.iter().map(|spec| Table::new(spec.clone()).expect("a good table")).collect()
}

/// A `FlatTrajectory` of one column with a slice of each chunk.
fn trajectory(chunks: &[u64]) -> Vec<u8> {
    let mut column = Vec::new();
    for chunk in chunks {
        let mut slice = Vec::new();
        prost::encoding::uint64::encode(1, chunk, &mut slice);
        prost::encoding::bytes::encode(1, &slice, &mut column);
    }
    let mut message = Vec::new();
    prost::encoding::bytes::encode(1, &column, &mut message);
    message
}

/// A `ChunkData` whose data is of that many bytes.
fn chunk_message(key: u64, bytes: usize) -> Vec<u8> {
    let mut message = Vec::new();
    prost::encoding::uint64::encode(1, &key, &mut message);
    prost::encoding::bytes::encode(5, &vec![key as u8; bytes], &mut message);
    message
}

fn chunk(key: u64, bytes: usize, gauge: &Gauge) -> Chunk {
    let message = chunk_message(key, bytes);
    Chunk::new(ChunkHead::read(&message).expect("a chunk"), Bytes::from(message), gauge)
}

/// An item with a chunk of the same key.
fn item(key: u64, gauge: &Gauge) -> Arc<Item> {
    item_of(key, &[chunk(key, 10, gauge)])
}

fn item_of(key: u64, chunks: &[Chunk]) -> Arc<Item> {
    let keys: Vec<_> = chunks.iter().map(|chunk| chunk.key().0).collect();
    let (trajectory, keys) = Trajectory::read(&trajectory(&keys)).expect("a trajectory");
    let find = |key: ChunkKey| chunks.iter().find(|chunk| chunk.key() == key).cloned();
    Item::new(ItemKey(key), trajectory, &keys, find).expect("the chunks are there")
}
