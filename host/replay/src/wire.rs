//! The messages of `deepmind.reverb` that a service reads and writes, and those of its checkpoints.
//!
//! Chunks, trajectories and signatures are declared as bytes, which they are on the wire too. So they are passed on without
//! being read. The schema is small and will not change any more, and there is no protoc where this is built: the structs are
//! written by hand.

#![allow(missing_docs, reason = "the fields are those of the messages of the same names")]

mod chunk;

use bytes::Bytes;
pub use chunk::{
    ChunkData, ChunkSlice, Dim, FlatTrajectory, SequenceRange, TensorProto, TensorShape, Tensors, TrajectoryColumn,
};
use prost::Oneof;

use crate::table::{LimiterSpec, SelectorKind};

/// `Uint128`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Uint128 {
    #[prost(uint64, tag = "1")]
    pub high: u64,
    #[prost(uint64, tag = "2")]
    pub low: u64,
}

/// `InsertStreamResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct InsertStreamResponse {
    #[prost(uint64, repeated, tag = "1")]
    pub keys: Vec<u64>,
}

/// `KeyWithPriority`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyWithPriority {
    #[prost(uint64, tag = "1")]
    pub key: u64,
    #[prost(double, tag = "2")]
    pub priority: f64,
}

/// `MutatePrioritiesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MutatePrioritiesRequest {
    #[prost(string, tag = "1")]
    pub table: String,
    #[prost(message, repeated, tag = "2")]
    pub updates: Vec<KeyWithPriority>,
    #[prost(uint64, repeated, tag = "3")]
    pub delete_keys: Vec<u64>,
}

/// `ResetRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ResetRequest {
    #[prost(string, tag = "1")]
    pub table: String,
}

/// `Timeout`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Timeout {
    #[prost(int64, tag = "1")]
    pub milliseconds: i64,
}

/// `SampleStreamRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SampleStreamRequest {
    #[prost(string, tag = "1")]
    pub table: String,
    #[prost(int64, tag = "2")]
    pub num_samples: i64,
    #[prost(message, optional, tag = "3")]
    pub rate_limiter_timeout: Option<Timeout>,
}

/// `InitializeConnectionResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct InitializeConnectionResponse {
    #[prost(int64, tag = "1")]
    pub address: i64,
}

/// `CheckpointResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointResponse {
    #[prost(string, tag = "1")]
    pub checkpoint_path: String,
}

/// `ServerInfoResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ServerInfoResponse {
    #[prost(message, optional, tag = "1")]
    pub tables_state_id: Option<Uint128>,
    #[prost(message, repeated, tag = "2")]
    pub table_info: Vec<TableInfo>,
}

/// `TableInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TableInfo {
    #[prost(message, optional, tag = "1")]
    pub sampler_options: Option<KeyDistributionOptions>,
    #[prost(message, optional, tag = "2")]
    pub remover_options: Option<KeyDistributionOptions>,
    #[prost(int64, tag = "3")]
    pub max_size: i64,
    #[prost(int32, tag = "4")]
    pub max_times_sampled: i32,
    #[prost(message, optional, tag = "5")]
    pub rate_limiter_info: Option<RateLimiterInfo>,
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub signature: Option<Bytes>,
    #[prost(int64, tag = "7")]
    pub current_size: i64,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(int64, tag = "9")]
    pub num_episodes: i64,
    #[prost(int64, tag = "10")]
    pub num_deleted_episodes: i64,
    #[prost(int64, tag = "11")]
    pub num_unique_samples: i64,
    #[prost(message, optional, tag = "12")]
    pub table_worker_time: Option<TableWorkerTime>,
}

/// `TableWorkerTime`, all of it 0: no worker has a table for itself.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TableWorkerTime {}

/// `RateLimiterInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RateLimiterInfo {
    #[prost(double, tag = "1")]
    pub samples_per_insert: f64,
    #[prost(double, tag = "2")]
    pub min_diff: f64,
    #[prost(double, tag = "3")]
    pub max_diff: f64,
    #[prost(int64, tag = "4")]
    pub min_size_to_sample: i64,
    #[prost(message, optional, tag = "5")]
    pub insert_stats: Option<RateLimiterCallStats>,
    #[prost(message, optional, tag = "6")]
    pub sample_stats: Option<RateLimiterCallStats>,
}

/// `RateLimiterCallStats`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RateLimiterCallStats {
    #[prost(int64, tag = "2")]
    pub completed: i64,
}

/// `KeyDistributionOptions`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyDistributionOptions {
    #[prost(oneof = "Distribution", tags = "1, 2, 3, 4, 6")]
    pub distribution: Option<Distribution>,
    #[prost(bool, tag = "7")]
    pub is_deterministic: bool,
}

/// The case of a [`KeyDistributionOptions`].
#[derive(Clone, PartialEq, Oneof)]
pub enum Distribution {
    #[prost(bool, tag = "1")]
    Fifo(bool),
    #[prost(bool, tag = "2")]
    Uniform(bool),
    #[prost(message, tag = "3")]
    Prioritized(Prioritized),
    #[prost(message, tag = "4")]
    Heap(Heap),
    #[prost(bool, tag = "6")]
    Lifo(bool),
}

/// `KeyDistributionOptions.Prioritized`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Prioritized {
    #[prost(double, tag = "1")]
    pub priority_exponent: f64,
}

/// `KeyDistributionOptions.Heap`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Heap {
    #[prost(bool, tag = "1")]
    pub min_heap: bool,
}

/// `PriorityTableCheckpoint`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PriorityTableCheckpoint {
    #[prost(string, tag = "1")]
    pub table_name: String,
    /// Of checkpoints from before December 2020.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub deprecated_items: Vec<Bytes>,
    #[prost(message, optional, tag = "3")]
    pub rate_limiter: Option<RateLimiterCheckpoint>,
    #[prost(message, optional, tag = "4")]
    pub sampler: Option<KeyDistributionOptions>,
    #[prost(message, optional, tag = "5")]
    pub remover: Option<KeyDistributionOptions>,
    #[prost(int64, tag = "6")]
    pub max_size: i64,
    #[prost(int32, tag = "7")]
    pub max_times_sampled: i32,
    #[prost(int64, tag = "8")]
    pub num_deleted_episodes: i64,
    #[prost(bytes = "bytes", optional, tag = "9")]
    pub signature: Option<Bytes>,
    #[prost(int64, tag = "10")]
    pub num_unique_samples: i64,
}

/// `RateLimiterCheckpoint`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RateLimiterCheckpoint {
    #[prost(double, tag = "2")]
    pub samples_per_insert: f64,
    #[prost(double, tag = "3")]
    pub min_diff: f64,
    #[prost(double, tag = "4")]
    pub max_diff: f64,
    #[prost(int64, tag = "5")]
    pub min_size_to_sample: i64,
    #[prost(int64, tag = "6")]
    pub sample_count: i64,
    #[prost(int64, tag = "7")]
    pub insert_count: i64,
    #[prost(int64, tag = "8")]
    pub delete_count: i64,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `PrioritizedItem`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PrioritizedItem {
    #[prost(uint64, tag = "1")]
    pub key: u64,
    #[prost(string, tag = "2")]
    pub table: String,
    /// Of checkpoints from before December 2020.
    #[prost(uint64, repeated, tag = "3")]
    pub deprecated_chunk_keys: Vec<u64>,
    #[prost(double, tag = "5")]
    pub priority: f64,
    #[prost(int32, tag = "6")]
    pub times_sampled: i32,
    #[prost(message, optional, tag = "7")]
    pub inserted_at: Option<Timestamp>,
    #[prost(bytes = "bytes", tag = "8")]
    pub flat_trajectory: Bytes,
}

const NANOS: i64 = 1_000_000_000;

impl Timestamp {
    /// From nanoseconds since 1970.
    pub fn from_nanos(nanos: i64) -> Self {
        Self { seconds: nanos.div_euclid(NANOS), nanos: nanos.rem_euclid(NANOS) as i32 }
    }

    /// In nanoseconds since 1970, as near as they can come.
    pub fn to_nanos(&self) -> i64 {
        self.seconds.saturating_mul(NANOS).saturating_add(i64::from(self.nanos))
    }
}

impl From<SelectorKind> for KeyDistributionOptions {
    fn from(kind: SelectorKind) -> Self {
        let distribution = match kind {
            SelectorKind::Uniform => Distribution::Uniform(true),
            SelectorKind::Prioritized { exponent } => {
                Distribution::Prioritized(Prioritized { priority_exponent: exponent })
            }
            SelectorKind::Fifo => Distribution::Fifo(true),
            SelectorKind::Lifo => Distribution::Lifo(true),
            SelectorKind::MinHeap => Distribution::Heap(Heap { min_heap: true }),
            SelectorKind::MaxHeap => Distribution::Heap(Heap { min_heap: false }),
        };
        Self { distribution: Some(distribution), is_deterministic: kind.is_deterministic() }
    }
}

impl KeyDistributionOptions {
    /// The kind that it stands for, if it stands for one.
    pub fn kind(&self) -> Option<SelectorKind> {
        Some(match self.distribution.as_ref()? {
            Distribution::Fifo(is_set) => is_set.then_some(SelectorKind::Fifo)?,
            Distribution::Lifo(is_set) => is_set.then_some(SelectorKind::Lifo)?,
            Distribution::Uniform(is_set) => is_set.then_some(SelectorKind::Uniform)?,
            Distribution::Prioritized(it) => SelectorKind::Prioritized { exponent: it.priority_exponent },
            Distribution::Heap(heap) if heap.min_heap => SelectorKind::MinHeap,
            Distribution::Heap(_) => SelectorKind::MaxHeap,
        })
    }
}

impl From<&RateLimiterCheckpoint> for LimiterSpec {
    fn from(stored: &RateLimiterCheckpoint) -> Self {
        Self {
            samples_per_insert: stored.samples_per_insert,
            min_size_to_sample: stored.min_size_to_sample,
            min_diff: stored.min_diff,
            max_diff: stored.max_diff,
        }
    }
}
