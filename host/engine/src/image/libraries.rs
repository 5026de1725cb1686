//! The libraries that lp-host needs to start, from among the files that a running one has mapped.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use super::ImageError;
use super::elf::Needs;

/// A library that can't be taken along.
#[derive(Debug, thiserror::Error)]
pub enum MissingLibrary {
    /// None of the mapped files has the name.
    #[error("`{0}` is not among the libraries that are loaded")]
    NotLoaded(String),
    /// It can't be read.
    #[error("`{path}` can't be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// The loader and the libraries of an executable, each by the path at which it is found: the loader where the executable names
/// it, a library under the name by which it is needed, in the directory in which it is here.
pub(super) fn of(executable: &[u8], mapped: &[PathBuf]) -> Result<BTreeMap<PathBuf, Vec<u8>>, ImageError> {
    let needs = Needs::read(executable)?;
    let loaded = loaded(mapped)?;
    let mut found = BTreeMap::new();
    let mut left: VecDeque<_> = needs.libraries.iter().cloned().collect();
    if let Some(loader) = needs.loader {
        let name = Path::new(&loader).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (_, bytes, _) = loaded.get(&name).ok_or_else(|| MissingLibrary::NotLoaded(loader.clone()))?;
        found.insert(PathBuf::from(&loader), bytes.clone());
    }
    while let Some(name) = left.pop_front() {
        let (path, bytes, needs) = loaded.get(&name).ok_or_else(|| MissingLibrary::NotLoaded(name.clone()))?;
        if found.insert(path.with_file_name(&name), bytes.clone()).is_none() {
            left.extend(needs.libraries.iter().cloned());
        }
    }
    Ok(found)
}

/// A library: where it is, what is in it, and what it needs.
type Library = (PathBuf, Vec<u8>, Needs);

/// The libraries among the mapped files, by their names.
fn loaded(mapped: &[PathBuf]) -> Result<BTreeMap<String, Library>, MissingLibrary> {
    let mut libraries = BTreeMap::new();
    for path in mapped {
        let bytes = std::fs::read(path).map_err(|error| MissingLibrary::Unreadable { path: path.clone(), error })?;
        // What else is mapped is data, or the executable itself, which has no name.
        if let Ok(needs) = Needs::read(&bytes)
            && let Some(name) = needs.name.clone()
        {
            libraries.insert(name, (path.clone(), bytes, needs));
        }
    }
    Ok(libraries)
}
