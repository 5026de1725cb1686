//! Compiled components on disk, so that a component is compiled once per machine and not once per run.
//!
//! An entry is machine code that will run with all rights of this process, so it is trusted only as far as it can be
//! shown to be what this user's lp-host wrote: the directory is the user's alone, and every entry carries an HMAC, by a
//! key that only the user can read, over its name and its code. The name is a digest of the component's bytes and of
//! everything that decides how they are compiled. An entry that was cut, changed, or put in another's place is
//! compiled again.

#![allow(unsafe_code, reason = "machine code from a file is trusted to be what was written there")]

mod key;

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use key::{SEAL_BYTES, SealKey};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A private directory of compiled components.
#[derive(Clone, Debug)]
pub struct CompileCache {
    dir: PathBuf,
    key: SealKey,
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
    /// Another user could put code there, or read what proves where code came from.
    #[error("the compile cache `{}` is open to other users; `chmod -R go= {}` closes it", .path.display(), .path.display())]
    Shared {
        /// The directory, or the key in it.
        path: PathBuf,
    },
}

impl CompileCache {
    /// The cache in `dir`, which is made with mode 0700 if it is not there.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        let opened = |source| CacheError::Open { dir: dir.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(opened)?;
        if !is_private(&fs::metadata(dir).map_err(opened)?) {
            return Err(CacheError::Shared { path: dir.to_owned() });
        }
        let path = dir.join("key");
        let key = SealKey::read_or_make(&path).map_err(opened)?;
        let key = key.ok_or(CacheError::Shared { path })?;
        Ok(Self { dir: dir.to_owned(), key })
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
            .and_then(|code| write(&path, &[&self.key.seal(&name, &code), &code]));
        Ok(component)
    }

    fn read(&self, engine: &Engine, name: &str, path: &Path) -> Option<Component> {
        let entry = fs::read(path).ok()?;
        let (seal, code) = entry.split_at_checked(SEAL_BYTES)?;
        if !self.key.sealed(name, code, seal) {
            return None;
        }
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
    let temporary = temporary(path);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| parts.iter().try_for_each(|part| file.write_all(part)));
    written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// A name beside `path` that no other writer uses.
fn temporary(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    PathBuf::from(name)
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
