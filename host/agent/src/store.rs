//! The components that launchers have sent, by their digests. One that several programs have is kept once.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use lp_base::scheduler::Scheduler;
use lp_base::words::Digest;

/// How much is kept before those go that were not used for longest.
const BYTES_MAX: u64 = 8 << 30;

/// A folder of components.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    /// The number of the next component that is written.
    next: AtomicU64,
    scheduler: Scheduler,
}

impl Store {
    /// The one in `dir`, which is made if it is not there.
    pub fn open(dir: &Path, scheduler: &Scheduler) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self { dir: dir.to_owned(), next: AtomicU64::new(0), scheduler: scheduler.clone() })
    }

    /// Where a component is, or would be.
    pub fn file(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.wasm"))
    }

    /// Whether a component is there and whole. Notes that it was used.
    pub fn has(&self, digest: Digest) -> bool {
        let file = self.file(digest);
        let is_whole = fs::read(&file).is_ok_and(|bytes| Digest::of(&bytes) == digest);
        if is_whole && let Ok(file) = File::options().append(true).open(&file) {
            // A component whose time can't be set is dropped earlier, and sent again.
            let _ = file.set_modified(self.scheduler.wall());
        }
        is_whole
    }

    /// Keeps a component.
    ///
    /// # Errors
    /// If its digest is another one, or the system fails.
    pub fn put(&self, digest: Digest, bytes: &[u8]) -> io::Result<()> {
        if Digest::of(bytes) != digest {
            return Err(io::Error::new(ErrorKind::InvalidData, "its digest is another one"));
        }
        self.make_room(bytes.len() as u64)?;
        // Another launcher may send the same component at this moment.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.dir.join(format!("{digest}.{}-{number}", std::process::id()));
        let mut file = File::create(&unfinished)?;
        let written = file.write_all(bytes).and_then(|()| fs::rename(&unfinished, self.file(digest)));
        written.inspect_err(|_| {
            let _ = fs::remove_file(&unfinished);
        })
    }

    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut kept: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            // Whatever else is here is somebody else's.
            let is_own = name
                .to_str()
                .and_then(|name| name.strip_suffix(".wasm"))
                .is_some_and(|digest| digest.parse::<Digest>().is_ok());
            if let (true, Ok(metadata)) = (is_own, entry.metadata()) {
                kept.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), entry.path()));
            }
        }
        kept.sort();
        let mut total = bytes + kept.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        for (_, bytes, file) in kept {
            if total <= BYTES_MAX {
                break;
            }
            match fs::remove_file(file) {
                // Another launcher's component needed the room too.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
            total -= bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_may_be_sent_by_many_launchers_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &Scheduler::default()).unwrap();
        let bytes = vec![7; 1 << 20];
        let digest = Digest::of(&bytes);
        std::thread::scope(|scope| {
            let puts: Vec<_> = (0..8).map(|_| scope.spawn(|| store.put(digest, &bytes))).collect();
            puts.into_iter().for_each(|put| put.join().unwrap().unwrap());
        });
        assert!(store.has(digest));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_component_is_kept_if_it_is_the_one_that_was_announced() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("a/b"), &Scheduler::default()).unwrap();
        let digest = Digest::of(b"x");
        assert!(!store.has(digest));
        assert!(store.put(digest, b"y").is_err() && !store.has(digest));
        store.put(digest, b"x").unwrap();
        assert!(store.has(digest));
        fs::write(store.file(digest), "torn").unwrap();
        assert!(!store.has(digest), "it is sent again");
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1);
    }
}
