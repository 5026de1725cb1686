//! Folders that lp-host makes for itself and deletes again, told apart from everybody else's by a mark in them.
//!
//! A name proves nothing: a folder of the user's may have any. So no folder is deleted for its name or its place; only one
//! that has the mark is, and nobody but [`OwnDir::create`] writes marks.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// The file in a folder that says whose it is. It is hidden, but a person who looks for it can read it.
pub const MARK: &str = ".lp-host";

/// More than a mark has.
const MARK_BYTES_MAX: u64 = 512;

/// Why something is not replaced, in words that follow its path.
const NOT_OWN: &str = "it is there already and this lp-host did not make it; delete it or move it away";

/// The text of the mark of a folder for `purpose`, such as "run counting-7k2f". A folder with the mark of another purpose
/// is as foreign as one without.
pub fn mark_text(purpose: &str) -> String {
    format!("lp-host made this folder for {purpose}, and deletes it with everything in it.\n")
}

/// A folder that lp-host made. It stays open, so that it can be locked and recognised.
#[derive(Debug)]
pub struct OwnDir {
    path: PathBuf,
    dir: File,
}

impl OwnDir {
    /// Makes the folder `path` for `purpose`, for nobody but this user, and locks it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyExists`] if anything has that name, and whatever the system says.
    pub fn create(path: &Path, purpose: &str) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(path)?;
        let own = Self { path: path.to_owned(), dir: open_dir(path)? };
        // Nobody takes it for the folder of a process that has died: there is no mark before there is the lock.
        let marked = own.dir.try_lock().map_err(io::Error::from).and_then(|()| own.mark(purpose));
        marked.inspect_err(|_| {
            let _ = fs::remove_file(path.join(MARK));
            let _ = fs::remove_dir(path);
        })?;
        Ok(own)
    }

    /// The same in place of one that was made for `purpose` before, which is deleted. Nothing else that is there is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyExists`] if anything else has that name, and whatever the system says.
    pub fn create_anew(path: &Path, purpose: &str) -> io::Result<Self> {
        if let Some(earlier) = Self::open(path, purpose)? {
            earlier.remove()?;
        }
        Self::create(path, purpose).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => io::Error::new(error.kind(), NOT_OWN),
            _ => error,
        })
    }

    fn mark(&self, purpose: &str) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mark = openat(&self.dir, MARK, flags, Mode::RUSR | Mode::WUSR)?;
        File::from(mark).write_all(mark_text(purpose).as_bytes())
    }

    /// The folder `path`; `None` unless it is one that [`OwnDir::create`] made for `purpose` as this user.
    ///
    /// # Errors
    ///
    /// Whatever the system says but that there is no such folder, or that it can't be opened.
    pub fn open(path: &Path, purpose: &str) -> io::Result<Option<Self>> {
        let dir = match open_dir(path) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => return Ok(None),
            opened => opened?,
        };
        let own = Self { path: path.to_owned(), dir };
        Ok((is_of_this_user(&own.dir)? && own.is_marked(purpose)?).then_some(own))
    }

    fn is_marked(&self, purpose: &str) -> io::Result<bool> {
        // Neither through a link, nor waiting for the other end of a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(mark) = openat(&self.dir, MARK, flags, Mode::empty()).map(File::from) else { return Ok(false) };
        if !mark.metadata()?.is_file() || !is_of_this_user(&mark)? {
            return Ok(false);
        }
        let mut text = Vec::new();
        mark.take(MARK_BYTES_MAX).read_to_end(&mut text)?;
        Ok(text == mark_text(purpose).as_bytes())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open folder, to be locked.
    pub fn lock(&self) -> &File {
        &self.dir
    }

    /// Deletes the folder with everything in it. The mark goes last: a deletion that was cut off can be finished by anybody
    /// who finds it. Whoever deletes it holds its lock, or another one that stands for it.
    ///
    /// Does nothing if the folder is gone, or is no longer where it was.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn remove(&self) -> io::Result<()> {
        if !self.is_in_place()? {
            return Ok(());
        }
        self.remove_all_but(&[])?;
        gone(fs::remove_file(self.path.join(MARK)))?;
        gone(fs::remove_dir(&self.path))
    }

    /// Deletes everything in the folder but its mark and the entries of these names.
    ///
    /// Does nothing if the folder is gone, or is no longer where it was.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn remove_all_but(&self, kept: &[&str]) -> io::Result<()> {
        if !self.is_in_place()? {
            return Ok(());
        }
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            if name != MARK && !kept.iter().any(|kept| name == **kept) {
                // Of a link, only the link goes.
                gone(match entry.file_type()?.is_dir() {
                    true => fs::remove_dir_all(entry.path()),
                    false => fs::remove_file(entry.path()),
                })?;
            }
        }
        Ok(())
    }

    /// Whether the path still leads to this folder.
    fn is_in_place(&self) -> io::Result<bool> {
        let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            found => Ok(place(found?) == place(self.dir.metadata()?)),
        }
    }
}

fn open_dir(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map(File::from)
}

fn is_of_this_user(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.uid() == geteuid().as_raw())
}

/// What is to go may be gone already.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
