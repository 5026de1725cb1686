//! Compiled components on disk, so that a component is compiled once per machine and not once per run.
//!
//! An entry's name is a digest of the component's bytes and of everything that decides how they are compiled. Entries
//! are machine code that is mapped and run, so they are only ever read from a directory that no other user can write,
//! together with a digest of their content; one that does not match is compiled again.

#![allow(unsafe_code, reason = "machine code from a file is trusted to be what was written there")]

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A private directory of compiled components.
#[derive(Clone, Debug)]
pub struct CompileCache {
    dir: PathBuf,
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
    /// Another user could put code there.
    #[error("the compile cache `{}` can be written by other users; `chmod 700` it", .dir.display())]
    Shared {
        /// The directory.
        dir: PathBuf,
    },
}

impl CompileCache {
    /// The cache in `dir`, which is made with mode 0700 if it is not there.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        let opened = |source| CacheError::Open { dir: dir.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(opened)?;
        let metadata = fs::metadata(dir).map_err(opened)?;
        if metadata.mode() & 0o022 != 0 || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(CacheError::Shared { dir: dir.to_owned() });
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// The compiled form of `bytes` for `engine`, from the cache or compiled and put there.
    pub(super) fn load(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        let key = key(engine, bytes);
        let code = self.dir.join(format!("{key}.cwasm"));
        let seal = self.dir.join(format!("{key}.sha256"));
        if let Some(component) = read(engine, &code, &seal) {
            return Ok(component);
        }
        let component = Component::new(engine, bytes)?;
        // A full disk or a lost race costs the next run a compilation, nothing else.
        let _ = component.serialize().map_err(io::Error::other).and_then(|compiled| {
            write(&code, &compiled)?;
            write(&seal, digest(&compiled).as_bytes())
        });
        Ok(component)
    }
}

fn read(engine: &Engine, code: &Path, seal: &Path) -> Option<Component> {
    let expected = fs::read_to_string(seal).ok()?;
    let compiled = fs::read(code).ok()?;
    if digest(&compiled) != expected {
        return None;
    }
    // SAFETY: the entry is in a directory that only this user can write, `serialize` wrote it there, and its digest
    // is the one that was noted then. wasmtime checks that it was made by this version with these settings.
    unsafe { Component::deserialize_file(engine, code) }.ok()
}

/// Writes a file so that a reader sees all of it or none.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = fs::File::create(&temporary).and_then(|mut file| file.write_all(content));
    written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

fn key(engine: &Engine, bytes: &[u8]) -> String {
    let mut settings = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    let mut hasher = settings.0;
    hasher.update(bytes);
    format!("{:x}", hasher.finalize())
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
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
