//! Interfaces of handles that a user keeps as files, and whether they are still what would be derived.

use std::path::{Path, PathBuf};

use crate::folder::source::{self, Source};
use crate::{Folder, FolderError, HANDLES_SUFFIX, Style, handles_wit};

/// A file `x-handles.wit` beside the WIT that has `interface x`.
#[derive(Debug)]
pub struct KeptHandles {
    /// The file.
    pub file: PathBuf,
    /// The interface that it is derived from.
    pub interface: String,
    /// How the methods in it wait.
    pub style: Style,
    /// What would be derived now.
    pub text: String,
    found: String,
}

impl KeptHandles {
    /// Whether the file says something else than what would be derived, comments and layout aside.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        words(&self.found) != words(&self.text)
    }

    /// Whether nothing else is in the file, which is lost when it is written anew.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        let words = words(&self.found);
        let items = words.iter().filter(|word| ["interface", "world"].contains(&word.as_str()));
        items.count() <= 1
    }
}

impl Folder {
    /// Reads a folder as [`Folder::read`] does, but for the files `x-handles.wit` in it, which may be stale.
    ///
    /// # Errors
    /// As [`Folder::read`].
    pub fn read_without_kept(path: &Path, style: Style) -> Result<Self, FolderError> {
        Self::resolve(path, Source::read_but(path, is_kept)?, style)
    }

    /// The interfaces of handles that are kept as files in the folder at `path`, and whose bases are there.
    ///
    /// # Errors
    /// As [`Folder::read`], and if one can't be derived any more.
    pub fn kept_handles(path: &Path) -> Result<Vec<KeptHandles>, FolderError> {
        let files: Vec<_> = source::wit_files(path)?.into_iter().filter(|file| is_kept(file)).collect();
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let folder = Self::read_without_kept(path, Style::Async)?;
        let interfaces = &folder.resolve.packages[folder.package].interfaces;
        let mut kept = Vec::new();
        for file in files {
            let Some(interface) = base(&file).map(str::to_owned) else { continue };
            let Some(id) = interfaces.get(&interface) else { continue };
            let found = source::read_text(&file)?;
            let style = style(&found);
            let text = handles_wit(&folder.resolve, *id, style)?;
            kept.push(KeptHandles { file, interface, style, text, found });
        }
        Ok(kept)
    }
}

fn is_kept(file: &Path) -> bool {
    base(file).is_some()
}

fn base(file: &Path) -> Option<&str> {
    file.file_stem()?.to_str()?.strip_suffix(HANDLES_SUFFIX)
}

/// The style that the methods in a text are declared in.
fn style(text: &str) -> Style {
    let words = words(text);
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    match (has("async"), has("future")) {
        (true, _) => Style::Async,
        (false, true) => Style::Future,
        (false, false) => Style::Sync,
    }
}

/// The words and marks of a WIT text, without comments and without the line that names its package, which one file of a
/// folder may leave to another one.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("package ")) {
        let line = line.split("//").next().unwrap_or_default();
        let is_mark = |c: char| !(c.is_alphanumeric() || "-%:/@._".contains(c));
        for part in line.split_inclusive(is_mark) {
            let (word, mark) = part.split_at(part.trim_end_matches(is_mark).len());
            words.extend([word, mark.trim()].into_iter().filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }
    words
}
