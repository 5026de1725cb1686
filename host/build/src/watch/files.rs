//! Watches folders and files for changes: one report for each burst of them.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fs::fstat;

use crate::source::LEFT_OUT;

/// How long nothing must have changed for a burst to be over. Editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(150);

/// The most folders that are watched: a program in the folder of all of its user's files would watch those.
const FOLDERS_MAX: usize = 10_000;

/// What the thread that watches is told.
pub(super) enum Message {
    /// Something became of these, perhaps.
    Touched(Vec<PathBuf>),
    /// There was more than could be told.
    Missed,
    /// There is nothing more to watch for.
    Stop,
}

/// What makes a file another one, as far as can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    inode: u64,
    bytes: u64,
}

/// The watched files.
pub(super) struct Files {
    watcher: RecommendedWatcher,
    messages: Receiver<Message>,
    sender: Sender<Message>,
    folders: BTreeSet<PathBuf>,
    files: BTreeSet<PathBuf>,
    left_out: BTreeSet<PathBuf>,
    /// The files that are there.
    stamps: HashMap<PathBuf, Stamp>,
    watched: usize,
    /// Where this process itself writes to: its output may be sent to a file among the source.
    own: Vec<FileId>,
}

/// Why not everything can be watched.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There are more folders than is sensible.
    #[error("`{}` has more than {FOLDERS_MAX} folders below it, which are too many to be watched", .0.display())]
    TooManyFolders(PathBuf),
    /// The system has a limit too.
    #[error("`{}` can't be watched, since the system watches no more files for this user", .0.display())]
    Refused(PathBuf),
    /// The system watches nothing at all.
    #[error(transparent)]
    System(notify::Error),
}

/// A file, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that `file` is open at.
    ///
    /// # Errors
    ///
    /// If it is not open.
    pub fn of(file: impl AsFd) -> io::Result<FileId> {
        let stat = fstat(file)?;
        Ok(FileId { device: stat.st_dev, inode: stat.st_ino })
    }
}

/// There is nothing more to watch for.
pub(super) struct Stopped;

impl Files {
    /// Watches nothing yet. This process writes to its `own` files, which are left out.
    pub(super) fn new(own: Vec<FileId>) -> Result<Files, FilesError> {
        let (sender, messages) = channel();
        let told = sender.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let message = match event {
                Ok(event) if event.need_rescan() => Message::Missed,
                Ok(event) if event.kind.is_access() => return,
                Ok(event) => Message::Touched(event.paths),
                Err(_) => Message::Missed,
            };
            // Nobody listens any more when the program ends.
            let _ = told.send(message);
        });
        let watcher = watcher.map_err(FilesError::System)?;
        let (folders, files, left_out, stamps) = Default::default();
        Ok(Files { watcher, messages, sender, folders, files, left_out, stamps, watched: 0, own })
    }

    /// The way to tell it something.
    pub(super) fn sender(&self) -> Sender<Message> {
        self.sender.clone()
    }

    /// Watches these folders with what is below them, and these files, without what is `left_out`.
    pub(super) fn watch(
        &mut self,
        folders: BTreeSet<PathBuf>,
        files: BTreeSet<PathBuf>,
        left_out: BTreeSet<PathBuf>,
    ) -> Result<(), FilesError> {
        self.left_out = left_out;
        let new: Vec<_> = files.difference(&self.files).cloned().collect();
        for file in new {
            // A folder, since a file that is replaced by another is one that nobody watches.
            file.parent().map_or(Ok(()), |dir| self.watch_folder(dir))?;
            self.notice(&file);
        }
        self.files.extend(files);
        let new: Vec<_> = folders.difference(&self.folders).cloned().collect();
        self.folders.extend(folders);
        new.iter().try_for_each(|dir| self.add(dir, &mut BTreeSet::new()))
    }

    /// Waits for changes, and returns those of the whole burst.
    pub(super) fn next(&mut self) -> Result<BTreeSet<PathBuf>, Stopped> {
        let mut changed = BTreeSet::new();
        while changed.is_empty() {
            let message = self.messages.recv().map_err(|_| Stopped)?;
            self.take(message, &mut changed)?;
            changed.append(&mut self.so_far()?);
        }
        Ok(changed)
    }

    /// The changes until now, and those that follow them at once.
    pub(super) fn so_far(&mut self) -> Result<BTreeSet<PathBuf>, Stopped> {
        let mut changed = BTreeSet::new();
        loop {
            match self.messages.recv_timeout(QUIET) {
                Ok(message) => self.take(message, &mut changed)?,
                Err(RecvTimeoutError::Timeout) => return Ok(changed),
                Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
        }
    }

    fn take(&mut self, message: Message, changed: &mut BTreeSet<PathBuf>) -> Result<(), Stopped> {
        match message {
            Message::Touched(paths) => {
                for path in paths {
                    if !self.matters(&path) {
                        continue;
                    }
                    if path.is_dir() {
                        // Too many folders have been told of at the start; those that come later are not worth an end.
                        let _ = self.add(&path, changed);
                    } else if self.notice(&path) {
                        changed.insert(path);
                    }
                }
            }
            Message::Missed => {
                let known: Vec<_> = self.stamps.keys().cloned().collect();
                changed.extend(known.into_iter().filter(|path| self.notice(path)));
                for dir in self.folders.clone() {
                    let _ = self.add(&dir, changed);
                }
            }
            Message::Stop => return Err(Stopped),
        }
        Ok(())
    }

    /// Watches a folder and those below it, and adds the files in them that were not known to `changed`.
    fn add(&mut self, dir: &Path, changed: &mut BTreeSet<PathBuf>) -> Result<(), FilesError> {
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            self.watched += 1;
            if self.watched > FOLDERS_MAX {
                return Err(FilesError::TooManyFolders(dir.to_owned()));
            }
            // Watched before it is listed, so that no file comes in between.
            self.watch_folder(&folder)?;
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, kind) = (entry.path(), entry.file_type());
                match kind.is_ok_and(|kind| kind.is_dir()) {
                    _ if !self.matters(&path) => {}
                    true => folders.push(path),
                    false if self.notice(&path) => drop(changed.insert(path)),
                    false => {}
                }
            }
        }
        Ok(())
    }

    fn watch_folder(&mut self, folder: &Path) -> Result<(), FilesError> {
        match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
            Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => {
                Err(FilesError::Refused(folder.to_owned()))
            }
            // One that has gone is watched no more.
            _ => Ok(()),
        }
    }

    /// Whether a path is one of those to be watched, or below one.
    fn matters(&self, path: &Path) -> bool {
        if self.files.contains(path) {
            return true;
        }
        if path.ancestors().any(|path| self.left_out.contains(path)) {
            return false;
        }
        // Of folders within each other, what one leaves out may be below another.
        self.folders
            .iter()
            .filter_map(|folder| path.strip_prefix(folder).ok())
            .any(|below| !below.components().any(|part| is_left_out(&part.as_os_str().to_string_lossy())))
    }

    /// Takes note of what a file is now, and whether it was another one.
    fn notice(&mut self, path: &Path) -> bool {
        match fs::metadata(path).ok().filter(Metadata::is_file) {
            Some(file) if self.own.contains(&FileId { device: file.dev(), inode: file.ino() }) => false,
            Some(file) => {
                let stamp = Stamp { modified: (file.mtime(), file.mtime_nsec()), inode: file.ino(), bytes: file.len() };
                self.stamps.insert(path.to_owned(), stamp) != Some(stamp)
            }
            None => self.stamps.remove(path).is_some(),
        }
    }
}

/// Whether a file or folder of that name is no source: hidden, what tools made, or what an editor keeps beside a file.
fn is_left_out(name: &str) -> bool {
    let by_editor = name.ends_with('~') || name.ends_with(".swp") || name.starts_with('#');
    name.starts_with('.') || by_editor || LEFT_OUT.contains(&name)
}
