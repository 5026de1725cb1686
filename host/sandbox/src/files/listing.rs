//! The entries of a directory that a guest lists: read a part at a time as the guest takes them. So a listing keeps a file open
//! and little else, however large the directory is; and none keeps a thread while the guest does something else.

use std::fs::File as OsFile;
use std::io;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use crate::limits::Hold;

/// The entries that are read at once.
const PART_ENTRIES: usize = 32;

/// A directory that a guest lists.
pub struct Listing {
    directory: Arc<OsFile>,
    /// The directory with a place in it of its own; there is none before the first part.
    opened: Option<Dir>,
    /// Why reading ended after the part before.
    failure: Option<Errno>,
    /// Counts it for as long as it is there.
    _hold: Hold,
}

/// An entry of a directory.
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is; a link is a link.
    pub ty: FileType,
}

impl Listing {
    /// One that has not begun.
    pub fn new(directory: Arc<OsFile>, hold: Hold) -> Self {
        Self { directory, opened: None, failure: None, _hold: hold }
    }

    /// The next entries, and none at the end. Blocks as long as the file system takes.
    ///
    /// # Errors
    /// If the system fails, or the next name is no UTF-8, which is passed over.
    pub fn read(&mut self) -> io::Result<Vec<Entry>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure.into());
        }
        let dir = match &mut self.opened {
            Some(dir) => dir,
            None => {
                // Not a copy of the descriptor: all copies share one place in the directory.
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                self.opened.insert(Dir::new(openat(&self.directory, ".", flags, Mode::empty())?)?)
            }
        };
        let mut part = Vec::new();
        while part.len() < PART_ENTRIES {
            match next(dir, &self.directory) {
                Ok(Some(entry)) => part.push(entry),
                Ok(None) => break,
                Err(failure) if part.is_empty() => return Err(failure.into()),
                Err(failure) => {
                    self.failure = Some(failure);
                    break;
                }
            }
        }
        Ok(part)
    }
}

/// The next entry that is there and is neither the directory nor the one above it.
fn next(dir: &mut Dir, directory: &OsFile) -> Result<Option<Entry>, Errno> {
    loop {
        let Some(entry) = dir.read().transpose()? else { return Ok(None) };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let ty = match entry.file_type() {
            // Some file systems don't say it here.
            FileType::Unknown => match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(Errno::NOENT) => continue,
                Err(failure) => return Err(failure),
            },
            ty => ty,
        };
        let name = name.to_str().map_err(|_| Errno::ILSEQ)?.to_owned();
        return Ok(Some(Entry { name, ty }));
    }
}
