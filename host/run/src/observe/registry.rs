//! The runs of this user on this machine, each a directory that is locked while the run lives.

use std::fs::{DirBuilder, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use lp_base::scheduler::Scheduler;

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
        RunDir::create(&self.root, program, scheduler).map_err(|error| self.failed(error))
    }

    /// The runs that live, by id. What dead ones left is removed; anything else there is nobody's business but its owner's.
    ///
    /// # Errors
    ///
    /// Fails if the directory of all runs can't be read.
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
        let Some(dir) = RunDir::find(&self.root, id)? else { return Ok(false) };
        match dir.lock().try_lock() {
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => {
                // The run is dead, whatever of its directory can't be removed.
                let _ = dir.remove();
                Ok(false)
            }
        }
    }

    /// Waits until a run has ended, however it does, and removes what it left.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn reap(&self, id: &RunId) -> io::Result<()> {
        let Some(dir) = RunDir::find(&self.root, id)? else { return Ok(()) };
        dir.lock().lock()?;
        dir.remove()
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};

    use lp_base::own_dir::{MARK, mark_text};

    use super::*;

    fn temp() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory can be made")
    }

    #[test]
    fn a_run_is_listed_while_its_directory_is_held() {
        let temp = temp();
        let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
        let run = registry.add("counting", &Scheduler::default()).expect("it can be added");
        let mode = std::fs::metadata(run.path()).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(registry.runs().expect("it can be listed"), [run.id().clone()]);
        drop(run);
        assert_eq!(registry.runs().expect("it can be listed"), []);
    }

    /// What a run leaves that was killed, below `root`.
    fn dead_run(root: &Path, id: &str) -> PathBuf {
        let left = root.join(id);
        std::fs::create_dir_all(left.join("below")).expect("it can be made");
        std::fs::write(left.join(MARK), mark_text(&format!("run {id}"))).expect("it can be written");
        left
    }

    #[test]
    fn what_a_dead_run_left_is_removed_with_all_that_is_in_it() {
        let temp = temp();
        let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
        let left = dead_run(&registry.root, "counting-2345");
        assert_eq!(registry.runs().expect("it can be listed"), []);
        assert!(!left.exists());
        let left = dead_run(&registry.root, "counting-2345");
        registry.reap(&RunId::parse("counting-2345").expect("it is an id")).expect("it has ended");
        assert!(!left.exists());
    }

    #[test]
    fn whatever_else_is_there_stays_and_is_no_run() {
        let temp = temp();
        let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
        let root = &registry.root;
        let dead = dead_run(root, "dead-2345");
        // By its name it could be a run, by its mark it is the copy of one.
        std::fs::rename(dead_run(root, "first-2345"), root.join("copy-2345")).expect("it can be moved");
        let folders = ["docs", "src", ".git", "notes-2023", "older-2345", "shut-2345"];
        for name in folders {
            std::fs::create_dir(root.join(name)).expect("it can be made");
            std::fs::write(root.join(name).join("control.sock"), "theirs").expect("it can be written");
        }
        std::fs::set_permissions(root.join("shut-2345"), std::fs::Permissions::from_mode(0o000)).expect("it is ours");
        std::fs::write(root.join("file-2345"), "theirs").expect("it can be written");
        symlink("copy-2345", root.join("link-2345")).expect("it can be made");
        symlink("nowhere", root.join("lost-2345")).expect("it can be made");
        let before = names(root);
        for id in ["older-2345", "copy-2345", "shut-2345", "file-2345", "link-2345", "lost-2345", "none-2345"] {
            registry.reap(&RunId::parse(id).expect("it is an id")).expect("there is nothing to wait for");
        }
        assert_eq!(registry.runs().expect("it can be listed"), []);
        let run = registry.add("counting", &Scheduler::default()).expect("it can be added");
        assert_eq!(registry.runs().expect("it can be listed"), [run.id().clone()]);
        drop(run);
        assert!(!dead.exists());
        let left: Vec<_> = before.into_iter().filter(|name| name != "dead-2345").collect();
        assert_eq!(names(root), left);
        std::fs::set_permissions(root.join("shut-2345"), std::fs::Permissions::from_mode(0o700)).expect("it is ours");
        for name in folders {
            assert!(root.join(name).join("control.sock").exists(), "{name}");
        }
    }

    fn names(root: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(root).expect("it can be listed");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_run_that_is_just_being_added_is_never_swept() {
        let temp = temp();
        let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
        let ended = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    registry.runs().expect("it can be listed");
                }
            });
            for _ in 0..200 {
                let run = registry.add("counting", &Scheduler::default()).expect("it can be added");
                assert!(run.path().join(MARK).exists());
                assert!(registry.runs().expect("it can be listed").contains(run.id()));
            }
            ended.store(true, Ordering::Relaxed);
        });
        assert_eq!(names(&registry.root), [] as [&str; 0]);
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
