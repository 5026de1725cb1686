//! Checkpoints in the format of Reverb: written by either, read by either.
//!
//! A checkpoint is a folder that is named for the time when it was written, with three files of records and an empty `DONE`.
//! It is put together under another name and gets its own by one rename once all of it is on the disk. So there is no moment
//! at which half of one could be taken for a whole one.

mod folder;
mod read;
mod records;
mod restore;
mod write;

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use folder::Refused;
#[cfg(any(test, feature = "fuzzing"))]
pub use read::fuzz;
pub use read::{Stored, StoredTable};
pub use restore::{Configuration, Difference, NotRestored, Restored, restore};
use tokio::sync::Mutex;

use crate::service::Service;
use crate::table::{ChunkKey, Gauge};

/// The files of a checkpoint, in the order in which they are written.
const TABLES: &str = "tables.tfrecord";
const ITEMS: &str = "items.tfrecord";
const CHUNKS: &str = "chunks.tfrecord";
const DONE: &str = "DONE";

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system says no.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// About this file or folder.
        path: PathBuf,
        /// What it says.
        #[source]
        error: io::Error,
    },
    /// Another process writes one to the same folder.
    #[error("another server writes a checkpoint to {} at this moment", .0.display())]
    Busy(PathBuf),
    /// Two chunks that differ have the same key, by which a checkpoint knows them.
    #[error("two chunks that differ have the key {0}: one of the clients doesn't choose its keys by chance")]
    SameKey(ChunkKey),
    /// The files are damaged, or say what can't be.
    #[error("{file}: {reason}")]
    Damaged {
        /// One of the files of the checkpoint.
        file: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl CheckpointError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        |error| Self::Io { path, error }
    }
}

/// Writes checkpoints of a service. A clone writes the same; one is written after the other.
#[derive(Clone, Debug)]
pub struct Checkpointer {
    service: Service,
    folder: PathBuf,
    keep: NonZeroUsize,
    turn: Arc<Mutex<()>>,
}

impl Checkpointer {
    /// Writes to `folder`, which is made if it is not there, and keeps the last `keep`.
    pub fn new(service: Service, folder: PathBuf, keep: NonZeroUsize) -> Self {
        Self { service, folder, keep, turn: Arc::default() }
    }

    /// Writes a checkpoint and returns its folder. Meanwhile the tables go on: the checkpoint has each as it was at one
    /// moment near the beginning.
    ///
    /// # Errors
    /// If it can't be written. Then those before are still there.
    pub async fn write(&self) -> Result<PathBuf, CheckpointError> {
        let _turn = self.turn.lock().await;
        let scheduler = self.service.scheduler();
        let nanos = scheduler.wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let this = self.clone();
        let work = move || {
            let folder = folder::Folder::open(&this.folder)?;
            let path = folder.write(nanos, |dir| write::write(dir, &this.service))?;
            folder.keep_last(this.keep.get())?;
            Ok(path)
        };
        scheduler.blocking(work).await
    }
}

/// The last whole checkpoint in `folder`, if there is one, and those that came after it and are damaged. `gauge` counts the
/// bytes of its chunks.
///
/// # Errors
/// If the folder can't be read. One that is not there has no checkpoint.
pub fn last(folder: &Path, gauge: &Gauge) -> Result<(Option<Stored>, Vec<Refused>), CheckpointError> {
    folder::last(folder, |dir| read::read(dir, gauge))
}

/// Whether `dir` has a file of a checkpoint, whole or not.
pub fn has_files(dir: &Path) -> bool {
    [TABLES, ITEMS, CHUNKS, DONE].iter().any(|file| dir.join(file).is_file())
}

/// The checkpoint whose files are in `dir`.
///
/// # Errors
/// If it is damaged, or `dir` has none.
pub fn read(dir: &Path, gauge: &Gauge) -> Result<Stored, CheckpointError> {
    read::read(dir, gauge)
}
