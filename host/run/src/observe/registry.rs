//! The runs of this user on this machine, each a directory that is locked while the run lives.

use std::fs::{DirBuilder, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lp_base::own_dir::OwnDir;
use lp_base::scheduler::Scheduler;

use super::end::RunEnd;
use super::kept::{END_FILE, KeptLines, read_end};
use crate::launch::{RunDir, RunId, has_room_for_sockets, socket_path};

/// The name of the socket in a run's directory that others ask it through.
pub const CONTROL_SOCKET: &str = "control";

/// How long a detached run is kept when it has ended.
const KEPT_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How many of them are kept: the last ones.
const KEPT_MAX: usize = 16;

/// Why the runs can't be listed or added to.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The directory of all runs can't be had.
    #[error("failed to use the directory of runs `{}`", .path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others could reach the runs.
    #[error("the directory of runs `{}` {why}", .path.display())]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
}

/// The directory of all runs.
#[derive(Clone, Debug)]
pub struct Registry {
    root: PathBuf,
}

impl Registry {
    /// The registry of this user: `lp-host` in `runtime_dir`, if there is such a directory of theirs, else
    /// `lp-host-UID` in `temp_dir`, else in `/tmp`: where the paths of sockets are short enough first. It is made if it is
    /// missing.
    pub fn open(runtime_dir: Option<&Path>, temp_dir: &Path) -> Result<Self, RegistryError> {
        let uid = rustix::process::geteuid().as_raw();
        let is_own = |dir: &&Path| std::fs::metadata(dir).is_ok_and(|dir| dir.is_dir() && dir.uid() == uid);
        let shared = format!("lp-host-{uid}");
        let own = runtime_dir.filter(is_own).map(|dir| dir.join("lp-host"));
        let mut roots = own.into_iter().chain([temp_dir.join(&shared)]);
        let root = roots.find(|root| has_room_for_sockets(root)).unwrap_or_else(|| Path::new("/tmp").join(&shared));
        let registry = Self { root };
        registry.make_private(uid)?;
        Ok(registry)
    }

    /// Those of launchers on other machines, which run here by an agent of this one. They have a folder to themselves, whose name is
    /// not that of a run.
    ///
    /// # Errors
    ///
    /// Fails if the folder can't be made, or is not private.
    pub fn leases(&self) -> Result<Self, RegistryError> {
        let leases = Self { root: self.root.join("leases") };
        leases.make_private(rustix::process::geteuid().as_raw())?;
        Ok(leases)
    }

    fn make_private(&self, uid: u32) -> Result<(), RegistryError> {
        match DirBuilder::new().mode(0o700).create(&self.root) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made.map_err(|error| self.failed(error))?,
        }
        // In a directory that everyone can write to, somebody else may have been first.
        let found = std::fs::symlink_metadata(&self.root).map_err(|error| self.failed(error))?;
        let why = match () {
            () if !found.is_dir() => "is no directory",
            () if found.uid() != uid => "belongs to somebody else",
            () if found.mode() & 0o077 != 0 => "is open to others",
            () => return Ok(()),
        };
        Err(RegistryError::NotPrivate { path: self.root.clone(), why })
    }

    fn failed(&self, source: io::Error) -> RegistryError {
        RegistryError::Io { path: self.root.clone(), source }
    }

    /// Registers a run of `program` by this process and removes what dead ones left.
    pub fn add(&self, program: &str, scheduler: &Scheduler) -> Result<RunDir, RegistryError> {
        self.runs()?;
        self.finished(scheduler.wall())?;
        RunDir::create(&self.root, program, scheduler).map_err(|error| self.failed(error))
    }

    /// The runs that live, by id. What dead ones left is removed; anything else there is nobody's business but its owner's.
    ///
    /// # Errors
    ///
    /// Fails if the directory of all runs can't be read.
    pub fn runs(&self) -> Result<Vec<RunId>, RegistryError> {
        let mut runs = Vec::new();
        for id in self.ids()? {
            if self.lives(&id).map_err(|error| self.failed(error))? {
                runs.push(id);
            }
        }
        runs.sort();
        Ok(runs)
    }

    /// The detached runs that have ended and are kept, the last one last: those of the day before `now`, and no more than the
    /// last 16. Others are removed.
    ///
    /// # Errors
    ///
    /// Fails if the directory of all runs can't be read.
    pub fn finished(&self, now: SystemTime) -> Result<Vec<Finished>, RegistryError> {
        // One that is just ending still has its lock, and goes the next time.
        let remove = |dir: &OwnDir| {
            if dir.lock().try_lock().is_ok() {
                let _ = dir.remove();
            }
        };
        let mut finished = Vec::new();
        for id in self.ids()? {
            let Some(dir) = RunDir::find(&self.root, &id).map_err(|error| self.failed(error))? else { continue };
            match read_end(dir.path()) {
                Some(end) => finished.push(Finished { id, end, dir }),
                None if is_kept(&dir) => remove(&dir),
                None => {}
            }
        }
        finished.sort_by(|a, b| (a.end.ended_unix_s, &a.id).cmp(&(b.end.ended_unix_s, &b.id)));
        let is_old = |run: &Finished| {
            let ended = SystemTime::UNIX_EPOCH + Duration::from_secs(run.end.ended_unix_s);
            now.duration_since(ended).is_ok_and(|age| age > KEPT_TIME)
        };
        let beyond = finished.len().saturating_sub(KEPT_MAX);
        let old = finished.iter().take_while(|run| is_old(run)).count().max(beyond);
        finished.drain(..old).for_each(|run| remove(&run.dir));
        Ok(finished)
    }

    /// Everything that could be a run by its name.
    fn ids(&self) -> Result<Vec<RunId>, RegistryError> {
        let entries = std::fs::read_dir(&self.root).map_err(|error| self.failed(error))?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let ids = names.filter_map(|name| match name {
            Ok(name) => name.to_str().and_then(RunId::parse).map(Ok),
            Err(error) => Some(Err(self.failed(error))),
        });
        ids.collect()
    }

    fn lives(&self, id: &RunId) -> io::Result<bool> {
        let Some(dir) = RunDir::find(&self.root, id)? else { return Ok(false) };
        if is_kept(&dir) {
            return Ok(false);
        }
        match dir.lock().try_lock() {
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
            // It may have ended in this moment.
            Ok(()) if is_kept(&dir) => Ok(false),
            Ok(()) => {
                // The run is dead, whatever of its directory can't be removed.
                let _ = dir.remove();
                Ok(false)
            }
        }
    }

    /// Waits until a run has ended, however it does, and removes what it left, unless it is kept.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn reap(&self, id: &RunId) -> io::Result<()> {
        let Some(dir) = RunDir::find(&self.root, id)? else { return Ok(()) };
        dir.lock().lock()?;
        if is_kept(&dir) { Ok(()) } else { dir.remove() }
    }

    /// Where the control socket of a run is.
    pub fn control_socket(&self, id: &RunId) -> PathBuf {
        socket_path(&self.path(id), CONTROL_SOCKET)
    }

    /// The directory of a run.
    pub fn run_dir(&self, id: &RunId) -> PathBuf {
        self.path(id)
    }

    fn path(&self, id: &RunId) -> PathBuf {
        self.root.join(id.as_str())
    }
}

/// Whether a run has ended and left something for those who look at it later.
fn is_kept(dir: &OwnDir) -> bool {
    dir.path().join(END_FILE).exists()
}

/// A detached run that has ended.
#[derive(Debug)]
pub struct Finished {
    /// What it is called.
    pub id: RunId,
    /// How it has ended.
    pub end: RunEnd,
    dir: OwnDir,
}

impl Finished {
    /// Its last lines.
    ///
    /// # Errors
    ///
    /// If they are not there, as on a disk that was full, or can't be read.
    pub fn lines(&self) -> io::Result<KeptLines> {
        KeptLines::open(self.dir.path())
    }
}

#[cfg(test)]
mod tests;
