//! Compiled components on disk, so that a component is compiled once per machine and not once per run.
//!
//! An entry is machine code that will run with all rights of this process, so it is trusted only as far as it can be
//! shown to be what this user's lp-host wrote: the directory is the user's alone, and every entry carries an HMAC, by a
//! key that only the user can read, over its name and its code. The name is a digest of the component's bytes and of
//! everything that decides how they are compiled. An entry that was cut, changed, or put in another's place is
//! compiled again.

#![allow(unsafe_code, reason = "machine code from a file is trusted to be what was written there")]

mod evict;
mod key;

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub use evict::{CACHE_BYTES_MAX, CacheUsage};
use key::{KeyFile, SEAL_BYTES, SealKey};
use lp_base::scheduler::Scheduler;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::{EngineKey, engine};

/// How many names of temporary files are tried. Only a process of the same number in another container, or one before a
/// reboot, leaves files that are in the way.
const ATTEMPTS_MAX: usize = 100;

/// A private directory of compiled components.
#[derive(Clone, Debug)]
pub struct CompileCache {
    dir: PathBuf,
    key: SealKey,
    bytes_max: u64,
    scheduler: Scheduler,
}

/// Why a directory can't be the compile cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory can't be made or looked at.
    #[error("failed to open the compile cache `{}`", .dir.display())]
    Open {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What should be the key is something else, probably a file of the user's.
    #[error("`{}` is not a key of lp-host; delete it or move it away, or name another folder by LP_HOST_CACHE", .path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// Another user could put code there, or read what proves where code came from.
    #[error("the compile cache `{}` is open to other users; `chmod -R go= {}` closes it", .path.display(), .path.display())]
    Shared {
        /// The directory, or the key in it.
        path: PathBuf,
    },
}

impl CompileCache {
    /// The cache in `dir`, which is made with mode 0700 if it is not there. A new one gets a random key.
    pub fn open(dir: &Path, scheduler: &Scheduler) -> Result<Self, CacheError> {
        let opened = |source| CacheError::Open { dir: dir.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(opened)?;
        if !is_private(&fs::metadata(dir).map_err(opened)?) {
            return Err(CacheError::Shared { path: dir.to_owned() });
        }
        let path = dir.join("key");
        match SealKey::read_or_make(&path, scheduler).map_err(opened)? {
            KeyFile::Key(key) => {
                Ok(Self { dir: dir.to_owned(), key, bytes_max: CACHE_BYTES_MAX, scheduler: scheduler.clone() })
            }
            KeyFile::Shared => Err(CacheError::Shared { path }),
            KeyFile::Other => Err(CacheError::NotAKey { path }),
        }
    }

    /// The same cache, which keeps at most `bytes_max`. Without this, it keeps [`CACHE_BYTES_MAX`].
    ///
    /// A program whose components take more than that compiles some of them at each start.
    pub fn bounded(self, bytes_max: u64) -> Self {
        Self { bytes_max, ..self }
    }

    /// What is kept.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn usage(&self) -> io::Result<CacheUsage> {
        evict::usage(&self.dir)
    }

    /// Deletes every entry, and returns what was deleted. The key stays, and so does what lp-host did not put there.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn clear(&self) -> io::Result<CacheUsage> {
        evict::shrink(&self.dir, 0)
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The compiled form of `bytes` for `engine`, from the cache or compiled and put there. `begun` is told before it is
    /// compiled.
    pub(super) fn load(&self, engine: &Engine, bytes: &[u8], begun: impl FnOnce()) -> wasmtime::Result<Component> {
        let name = name(engine, bytes);
        let path = self.dir.join(format!("{name}.cwasm"));
        if let Some(component) = self.read(engine, &name, &path) {
            return Ok(component);
        }
        begun();
        let component = Component::new(engine, bytes)?;
        // A full disk or a directory that can't be written costs the next run a compilation, nothing else.
        let _ = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|code| write(&path, &[&self.key.seal(&name, &code), &code]))
            .and_then(|()| evict::shrink(&self.dir, self.bytes_max));
        Ok(component)
    }

    /// Whether there is an entry for `bytes` as that engine has them.
    pub fn has(&self, key: EngineKey, bytes: &[u8]) -> bool {
        engine(key).is_ok_and(|engine| self.dir.join(format!("{}.cwasm", name(&engine, bytes))).exists())
    }

    fn read(&self, engine: &Engine, name: &str, path: &Path) -> Option<Component> {
        let entry = fs::read(path).ok()?;
        let (seal, code) = entry.split_at_checked(SEAL_BYTES)?;
        if !self.key.sealed(name, code, seal) {
            return None;
        }
        evict::touch(path, self.scheduler.wall());
        // SAFETY: `deserialize` asks for bytes that `serialize` returned. These are, unchanged and under their own name:
        // nobody without the key makes a seal that fits, the key is written by `SealKey` alone and can be read by this
        // user alone, and `load` seals nothing but what `serialize` returned. They were read once, into memory that
        // nobody else writes, and are deserialised from there. That version, settings and processor are the same
        // follows from the name, and wasmtime checks it again.
        unsafe { Component::deserialize(engine, code) }.ok()
    }
}

/// Whether a file is the user's own and shut for everybody else.
fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.mode() & 0o077 == 0 && metadata.uid() == rustix::process::geteuid().as_raw()
}

/// Writes a file that only its user can read, so that a reader sees all of it or none, whoever else writes it too.
fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = write_beside(path, parts)?;
    fs::rename(&temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// Writes a file beside `path`, which only its user can read, by a name that nothing there has yet.
fn write_beside(path: &Path, parts: &[&[u8]]) -> io::Result<PathBuf> {
    let (temporary, mut file) = create_beside(path)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    // Removed only where it was made: what had the name before is somebody else's.
    written.map(|()| temporary.clone()).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

fn create_beside(path: &Path) -> io::Result<(PathBuf, fs::File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..ATTEMPTS_MAX {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            opened => return Ok((PathBuf::from(name), opened?)),
        }
    }
    Err(last)
}

/// What an entry is called: a digest of the component, and of the version and settings it is compiled by.
fn name(engine: &Engine, bytes: &[u8]) -> String {
    let mut settings = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    let mut hasher = settings.0;
    hasher.update(bytes);
    format!("{:x}", hasher.finalize())
}

/// Feeds wasmtime's description of version and settings into the digest.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the digest is taken from the inner hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_have_the_names_of_temporary_ones_stay() {
        let temp = tempfile::tempdir().expect("a temporary directory can be made");
        let path = temp.path().join("entry");
        let name = |number| temp.path().join(format!("entry.{}-{number}", std::process::id()));
        // More than the other tests of this process take meanwhile.
        let taken: Vec<_> = (0..ATTEMPTS_MAX / 2).map(name).collect();
        taken.iter().for_each(|path| fs::write(path, "theirs").expect("it can be written"));
        write(&path, &[b"new ", b"entry"]).expect("another name is free");
        assert_eq!(fs::read(&path).expect("it is there"), b"new entry");
        // Where it fails, only what it made goes.
        let folder = temp.path().join("folder");
        fs::create_dir_all(folder.join("below")).expect("it can be made");
        write(&folder, &[b"new"]).expect_err("a folder is in the way");
        assert!(taken.iter().all(|path| fs::read(path).is_ok_and(|text| text == b"theirs")));
        assert_eq!(fs::read_dir(temp.path()).expect("it can be listed").count(), taken.len() + 2);
    }
}
