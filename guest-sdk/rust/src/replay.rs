//! Writes to replay nodes, and samples from them. With the feature `replay`.
//!
//! ```ignore
//! let writers = Writers::new("replay"); // the handle of program.toml
//! let mut writer = writers.writer(2)?;
//! let first = writer.append(&[Tensor::f32(&[4], &observation), Tensor::f32(&[], &[reward])]);
//! writer.item("experience", 1.0, vec![Column::step(0, first), Column::steps(1, first..first + 1)]);
//! writer.flush().await?;
//!
//! let sampler = Sampler::new("replay");
//! let batch = sampler.sample("experience", 32).await?;
//! let observations = batch.columns[0].to_f32(); // of the shape [32, 4]
//! writers.update("experience", &[(batch.keys[0], 0.5)]).await?;
//! ```
//!
//! A node of several replicas has its items in as many parts. A [`Writer`] writes each episode to the next one, and
//! samples come from all. There is a type for each interface, since a component imports what its types need.

mod bindings {
    //! What replay nodes serve, as generated code.

    lp_guest::node!({ world: "replay", additional_derives: [PartialEq] });
}
mod tensor;
mod writer;

use std::cell::Cell;
use std::time::Duration;

use bindings::lp::replay::admin_handles;
use bindings::lp::replay::reader_handles::{self, Reader};
pub use bindings::lp::replay::reader_handles::{Batch as ShardBatch, Request};
pub use bindings::lp::replay::types::{Column, Dtype, RateLimiter, SampleInfo, Span, TableInfo, Tensor, Wait};
use bindings::lp::replay::writer_handles::{self, Priority, Writer as Shard};
use futures_util::future::join_all;
pub use writer::Writer;

use crate::CallError;

/// Samples from a replay node.
pub struct Sampler {
    readers: Vec<Reader>,
    /// Which part gives one sample more.
    turn: Cell<usize>,
}

/// Writes to a replay node.
pub struct Writers {
    handle: String,
    shards: Vec<Shard>,
    /// Where the next writer writes.
    turn: Cell<usize>,
}

/// Changes a replay node as a whole.
pub struct Admin {
    parts: Vec<admin_handles::Admin>,
}

/// An item of a node: the part that it is in, and its key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The replica.
    pub shard: u32,
    /// The key.
    pub key: u64,
}

/// Samples whose columns are stacked: the first dimension of each is the sample.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The items.
    pub keys: Vec<Key>,
    /// What is known of each.
    pub infos: Vec<SampleInfo>,
    /// The columns.
    pub columns: Vec<Tensor>,
}

/// Without it, the component would not say where its imports come from.
fn link() {
    std::hint::black_box(bindings::__link_custom_section_describing_imports as fn());
}

/// Replicas of one node begin with different parts.
fn first_turn() -> Cell<usize> {
    Cell::new(crate::program::replica_index() as usize)
}

fn next_turn(turn: &Cell<usize>) -> usize {
    turn.replace(turn.get().wrapping_add(1))
}

impl Sampler {
    /// The node behind a handle of program.toml that gives `"read"`. Nothing is called yet.
    pub fn new(handle: &str) -> Self {
        link();
        Self { readers: reader_handles::all(handle), turn: first_turn() }
    }

    /// `count` samples of a table. Waits for its rate limiter.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn sample(&self, table: &str, count: u32) -> Result<Batch, CallError> {
        self.request(Request { table: table.to_owned(), count, timeout_ms: None, distinct: false }).await
    }

    /// The same, with what has come when the time is over.
    ///
    /// # Errors
    /// If a call fails, or nothing has come: [`CallError::DeadlineExceeded`].
    pub async fn sample_within(&self, table: &str, count: u32, time: Duration) -> Result<Batch, CallError> {
        let timeout_ms = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.request(Request { table: table.to_owned(), count, timeout_ms, distinct: false }).await
    }

    /// Samples as a request has it, merged from all parts of the node.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn request(&self, request: Request) -> Result<Batch, CallError> {
        let (parts, turn) = (self.readers.len().max(1), next_turn(&self.turn));
        let count = |shard: usize| {
            let more = (shard + parts - turn % parts) % parts < request.count as usize % parts;
            request.count / parts as u32 + u32::from(more)
        };
        let calls = (0..).zip(&self.readers).filter(|(shard, _)| count(*shard) > 0).map(|(shard, reader)| {
            let own = Request { count: count(shard), ..request.clone() };
            async move { (shard, reader.sample_batch(own).await) }
        });
        let (mut merged, mut failure) = (Batch::default(), None);
        for (shard, result) in join_all(calls).await {
            match result {
                Ok(batch) => merged.add(shard as u32, batch)?,
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            // Some parts had nothing in time.
            Some(CallError::DeadlineExceeded) if !merged.keys.is_empty() => Ok(merged),
            Some(error) => Err(error),
            None if self.readers.is_empty() => Err(CallError::Unavailable),
            None => Ok(merged),
        }
    }

    /// The figures of the tables of each part.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn info(&self) -> Result<Vec<Vec<TableInfo>>, CallError> {
        join_all(self.readers.iter().map(Reader::info)).await.into_iter().collect()
    }
}

impl Writers {
    /// The node behind a handle of program.toml that gives `"write"`. Nothing is called yet.
    pub fn new(handle: &str) -> Self {
        link();
        Self { handle: handle.to_owned(), shards: writer_handles::all(handle), turn: first_turn() }
    }

    /// A writer that holds its last `keep` steps for items.
    ///
    /// # Errors
    /// If the node has no such handle.
    pub fn writer(&self, keep: u32) -> Result<Writer, CallError> {
        let shards = writer_handles::all(&self.handle);
        if shards.is_empty() {
            return Err(CallError::Unavailable);
        }
        let first = next_turn(&self.turn) % shards.len();
        Ok(Writer::new(shards, first, keep))
    }

    /// Gives items other priorities. Those that are gone are passed over.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn update(&self, table: &str, priorities: &[(Key, f64)]) -> Result<(), CallError> {
        let calls = (0_u32..).zip(&self.shards).filter_map(|(shard, writer)| {
            let own = priorities.iter().filter(|(key, _)| key.shard == shard);
            let own: Vec<_> = own.map(|(key, priority)| Priority { key: key.key, priority: *priority }).collect();
            (!own.is_empty()).then(|| writer.update(table.to_owned(), own))
        });
        join_all(calls).await.into_iter().collect()
    }

    /// Deletes items. Those that are gone are passed over.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn delete(&self, table: &str, keys: &[Key]) -> Result<(), CallError> {
        let calls = (0_u32..).zip(&self.shards).filter_map(|(shard, writer)| {
            let own: Vec<_> = keys.iter().filter(|key| key.shard == shard).map(|key| key.key).collect();
            (!own.is_empty()).then(|| writer.delete(table.to_owned(), own))
        });
        join_all(calls).await.into_iter().collect()
    }
}

impl Admin {
    /// The node behind a handle of program.toml that gives `"admin"`. Nothing is called yet.
    pub fn new(handle: &str) -> Self {
        link();
        Self { parts: admin_handles::all(handle) }
    }

    /// Deletes all items of a table.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn reset(&self, table: &str) -> Result<(), CallError> {
        join_all(self.parts.iter().map(|admin| admin.reset(table.to_owned()))).await.into_iter().collect()
    }

    /// Holds a table to another rate limiter.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn set_rate_limiter(&self, table: &str, limiter: RateLimiter) -> Result<(), CallError> {
        let calls = self.parts.iter().map(|admin| admin.set_rate_limiter(table.to_owned(), limiter));
        join_all(calls).await.into_iter().collect()
    }

    /// Writes a checkpoint of each part, and returns their paths.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn checkpoint(&self) -> Result<Vec<String>, CallError> {
        join_all(self.parts.iter().map(admin_handles::Admin::checkpoint)).await.into_iter().collect()
    }
}

impl Batch {
    /// Adds the samples of a part. Items of all parts look alike, as those of one do.
    fn add(&mut self, shard: u32, batch: ShardBatch) -> Result<(), CallError> {
        self.keys.extend(batch.infos.iter().map(|info| Key { shard, key: info.key }));
        self.infos.extend(batch.infos);
        if self.columns.is_empty() {
            self.columns = batch.columns;
            return Ok(());
        }
        for (column, more) in self.columns.iter_mut().zip(batch.columns) {
            if column.dtype != more.dtype || column.shape[1..] != more.shape[1..] || column.dtype == Dtype::Bytes {
                return Err(CallError::Failed("the samples of two replicas make no batch".to_owned()));
            }
            column.shape[0] += more.shape[0];
            column.data.extend(more.data);
        }
        Ok(())
    }
}
