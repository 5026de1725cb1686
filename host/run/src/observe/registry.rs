//! The runs of this user on this machine, each a directory that is locked while the run lives.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::launch::{RunDir, RunId, has_room_for_sockets, socket_path};

/// The name of the socket in a run's directory that others ask it through.
pub const CONTROL_SOCKET: &str = "control";

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
    pub fn add(&self, program: &str) -> Result<RunDir, RegistryError> {
        self.runs()?;
        RunDir::create(&self.root, program).map_err(|error| self.failed(error))
    }

    /// The runs that live, by id. What dead ones left is removed.
    pub fn runs(&self) -> Result<Vec<RunId>, RegistryError> {
        let mut runs = Vec::new();
        for entry in std::fs::read_dir(&self.root).map_err(|error| self.failed(error))? {
            let name = entry.map_err(|error| self.failed(error))?.file_name();
            let Some(id) = name.to_str().and_then(RunId::parse) else { continue };
            if self.lives(&id).map_err(|error| self.failed(error))? {
                runs.push(id);
            }
        }
        runs.sort();
        Ok(runs)
    }

    fn lives(&self, id: &RunId) -> io::Result<bool> {
        let path = self.path(id);
        let lock = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => remove(&path).map(|()| false),
        }
    }

    /// Waits until a run has ended, however it does, and removes what it left.
    pub fn reap(&self, id: &RunId) -> io::Result<()> {
        let path = self.path(id);
        let lock = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        lock.lock()?;
        remove(&path)
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

/// Removes a directory that others may be removing too.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn temp() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory can be made")
    }

    #[test]
    fn a_run_is_listed_while_its_directory_is_held() {
        let temp = temp();
        let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
        let run = registry.add("counting").expect("it can be added");
        let mode = std::fs::metadata(run.path()).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(registry.runs().expect("it can be listed"), [run.id().clone()]);
        drop(run);
        assert_eq!(registry.runs().expect("it can be listed"), []);
    }

    #[test]
    fn what_a_dead_run_left_is_removed_with_all_that_is_in_it() {
        let temp = temp();
        let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
        let left = temp.path().join("lp-host/counting-2345");
        std::fs::create_dir_all(left.join("below")).expect("it can be made");
        assert_eq!(registry.runs().expect("it can be listed"), []);
        assert!(!left.exists());
    }

    #[test]
    fn a_registry_that_others_can_reach_is_refused() {
        let refused = |prepare: &dyn Fn(&Path)| {
            let temp = temp();
            prepare(&temp.path().join("lp-host"));
            Registry::open(Some(temp.path()), Path::new("/nowhere")).expect_err("it is not private").to_string()
        };
        let open = refused(&|path| {
            std::fs::create_dir(path).expect("it can be made");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it can be opened");
        });
        assert!(open.ends_with("is open to others"), "{open}");
        let link = refused(&|path| symlink("/", path).expect("it can be made"));
        assert!(link.ends_with("is no directory"), "{link}");
    }

    #[test]
    fn a_directory_that_is_missing_or_too_long_is_passed_over() {
        let temp = temp();
        let registry = Registry::open(Some(Path::new("/nowhere")), temp.path()).expect("it can be made");
        assert!(registry.root.starts_with(temp.path()));
        let deep = temp.path().join("x".repeat(100));
        std::fs::create_dir(&deep).expect("it can be made");
        let registry = Registry::open(Some(&deep), temp.path()).expect("it can be made");
        assert_eq!(registry.root.parent(), Some(temp.path()));
        let registry = Registry::open(Some(&deep), &deep).expect("it can be made");
        assert_eq!(registry.root.parent(), Some(Path::new("/tmp")));
    }
}
