//! The components of rebuilt nodes, where the workers of one run may read them: what else is in the store is not theirs to see.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lp_base::scheduler::Scheduler;
use lp_base::words::Digest;
use lp_run::launch::WorkerFiles;

/// Of so many rebuilds the components are kept: a worker may still be on its way to the one before the last.
const REBUILDS_MAX: usize = 4;

/// The folder with the copies.
pub(super) struct Copies {
    dir: PathBuf,
    /// Those of each rebuild, the latest last.
    rebuilds: Mutex<VecDeque<BTreeSet<Digest>>>,
}

impl Copies {
    /// Makes the folder of a run whose nodes may be rebuilt: the walls around a worker are raised when it starts.
    pub fn new(dir: PathBuf, is_watched: bool) -> io::Result<Self> {
        if is_watched {
            DirBuilder::new().mode(0o700).create(&dir)?;
        }
        Ok(Self { dir, rebuilds: Mutex::default() })
    }

    /// Copies these components, and removes those that no worker comes to any more.
    pub async fn take(&self, files: Vec<(Digest, PathBuf)>, scheduler: &Scheduler) -> io::Result<()> {
        let taken: BTreeSet<_> = files.iter().map(|(digest, _)| *digest).collect();
        let old = {
            let mut rebuilds = self.rebuilds.lock().unwrap_or_else(PoisonError::into_inner);
            rebuilds.push_back(taken);
            let oldest = if rebuilds.len() > REBUILDS_MAX { rebuilds.pop_front() } else { None };
            let mut old = oldest.unwrap_or_default();
            old.retain(|digest| !rebuilds.iter().any(|rebuild| rebuild.contains(digest)));
            old
        };
        let dir = self.dir.clone();
        let copy = move || {
            for digest in old {
                let _ = fs::remove_file(WorkerFiles::component_in(&dir, digest));
            }
            files.iter().try_for_each(|(digest, file)| copy(file, &WorkerFiles::component_in(&dir, *digest)))
        };
        scheduler.blocking(copy).await
    }
}

fn copy(file: &Path, copy: &Path) -> io::Result<()> {
    if copy.exists() {
        return Ok(());
    }
    let unfinished = copy.with_extension("new");
    fs::copy(file, &unfinished)?;
    fs::rename(unfinished, copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_components_of_the_last_rebuilds_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let copies = Copies::new(dir.path().join("components"), true).unwrap();
        let digests: Vec<_> = (0..6_u8).map(|build| Digest::of(&[build])).collect();
        for (build, digest) in (0..).zip(&digests) {
            let file = dir.path().join("stored");
            fs::write(&file, [build]).unwrap();
            copies.take(vec![(*digest, file)], &Scheduler::default()).await.unwrap();
        }
        let file = |digest| WorkerFiles::component_in(&dir.path().join("components"), digest);
        let found: Vec<_> = digests.iter().map(|&digest| file(digest).exists()).collect();
        assert_eq!(found, [false, false, true, true, true, true]);
        assert_eq!(fs::read(file(digests[5])).unwrap(), [5]);
        let missing = copies.take(vec![(digests[0], dir.path().join("none"))], &Scheduler::default()).await;
        assert!(missing.is_err());
    }
}
