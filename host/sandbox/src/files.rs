//! Which files and directories a guest sees, and what it is told when it reaches for others.
//!
//! wasmtime-wasi keeps a guest within the directories that it is given: it resolves each path with `openat2` and
//! `RESOLVE_BENEATH`, or step by step where the kernel lacks that. What is here opens the directories, gives out single
//! files beside them, and tells of denials.

mod listing;

use std::collections::BTreeMap;
use std::fs::File as OsFile;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use listing::{Entry, Listing};
use lp_base::interfaces::DIRS;
use lp_base::scheduler::Scheduler;
use lp_base::words::{Access, Sandbox};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, Dir, File};
use wasmtime_wasi::{FsPerms, OpenMode};

use super::GrantError;
use super::denials::Denials;

/// A descriptor as a guest holds it.
pub type Fd = Resource<Descriptor>;

/// The files and directories of one replica.
pub struct Files {
    dirs: Vec<Granted>,
}

/// A directory as the guest sees it.
struct Granted {
    guest: String,
    dir: Dir,
    /// The files in it, if it is there only for these.
    files: BTreeMap<String, File>,
}

impl Files {
    /// Opens what is granted. A simulation reads and writes on its own thread, as it does everything.
    pub fn open(sandbox: &Sandbox, scheduler: &Scheduler) -> Result<Files, GrantError> {
        let on_this_thread = scheduler.is_simulated();
        let mut dirs: Vec<Granted> = Vec::new();
        for dir in &sandbox.dirs {
            let opened = open(&dir.host, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed(&dir.host))?;
            let (perms, mode) = rights(dir.access);
            let (guest, dir) = (dir.guest.clone(), Dir::new(opened, perms, mode, on_this_thread));
            dirs.push(Granted { guest, dir, files: BTreeMap::new() });
        }
        for file in &sandbox.files {
            let (parent, name) = file.guest.rsplit_once('/').unwrap_or_default();
            let parent = if parent.is_empty() { "/" } else { parent };
            let flags = match file.access {
                Access::Read => OFlags::RDONLY,
                Access::ReadWrite => OFlags::RDWR,
            };
            let opened = open(&file.host, flags | OFlags::NONBLOCK).map_err(failed(&file.host))?;
            let place = dirs.iter().position(|dir| dir.guest == parent && !dir.files.is_empty());
            let place = match place {
                Some(place) => place,
                None => {
                    dirs.push(Granted::of_files(parent, &opened).map_err(failed(&file.host))?);
                    dirs.len() - 1
                }
            };
            let (perms, mode) = rights(file.access);
            dirs[place].files.insert(name.to_owned(), File::new(opened, perms, mode, on_this_thread));
        }
        Ok(Files { dirs })
    }

    /// The directories, as `wasi:filesystem/preopens` gives them to the guest.
    pub fn preopens(&self, table: &mut ResourceTable) -> wasmtime::Result<Vec<(Fd, String)>> {
        let preopen =
            |granted: &Granted| Ok((table.push(Descriptor::Dir(granted.dir.clone()))?, granted.guest.clone()));
        self.dirs.iter().map(preopen).collect()
    }

    /// The granted file at `path` of `fd`, where that is a directory that is there for single files.
    pub fn single_file(&self, table: &ResourceTable, fd: &Fd, path: &str) -> Option<File> {
        let Ok(Descriptor::Dir(dir)) = table.get(fd) else { return None };
        let granted = self.dirs.iter().find(|granted| Arc::ptr_eq(&granted.dir.dir, &dir.dir))?;
        granted.files.get(path.strip_prefix("./").unwrap_or(path)).cloned()
    }
}

impl Granted {
    /// A directory that is there for single files. In place of one of the host, it has a file: the system finds nothing
    /// below that, whatever path the guest thinks of, so that only what `single_file` finds is there.
    fn of_files(guest: &str, file: &OsFile) -> io::Result<Granted> {
        let dir = Dir::new(file.try_clone()?, FsPerms::ReadOnly, OpenMode::READ, false);
        Ok(Granted { guest: guest.to_owned(), dir, files: BTreeMap::new() })
    }
}

fn rights(access: Access) -> (FsPerms, OpenMode) {
    match access {
        Access::Read => (FsPerms::ReadOnly, OpenMode::READ),
        Access::ReadWrite => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
    }
}

/// Opens a granted path. Its links were followed when the plan was made; one that is in it now was put there by a guest
/// that may write to a directory above, and would make the grant one of something else.
fn open(path: &Path, flags: OFlags) -> io::Result<OsFile> {
    let flags = flags | OFlags::CLOEXEC;
    let opened = match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // A kernel before 5.6, or a sandbox around this process that knows none later.
        Err(Errno::NOSYS) => openat(CWD, path, flags | OFlags::NOFOLLOW, Mode::empty()),
        opened => opened,
    };
    Ok(opened?.into())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> GrantError {
    let path = path.to_owned();
    move |source| GrantError { path, source }
}

/// How a guest wants to open a single file.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub directory: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub write: bool,
}

/// Opens a single file for the guest. It is the file that was granted when the replica started, whatever its name stands for
/// by now.
pub fn open_single(file: File, wanted: Wanted) -> io::Result<File> {
    if wanted.directory {
        return Err(Errno::NOTDIR.into());
    }
    if (wanted.write || wanted.truncate || wanted.exclusive) && file.perms.write_not_permitted() {
        return Err(Errno::PERM.into());
    }
    if wanted.exclusive {
        return Err(Errno::EXIST.into());
    }
    if wanted.truncate {
        file.file.set_len(0)?;
    }
    Ok(file)
}

/// Tells of a path that the guest may not use as it tried to.
pub fn tell(denials: &Denials, method: &str, path: &str) {
    let tried = format!("{} `{path}`", method.trim_end_matches("-at").replace('-', " "));
    if method == "symlink-at" && path.starts_with('/') {
        denials.tell_only(format_args!("{tried}, but no link may lead to an absolute path"));
    } else {
        denials.tell(tried, DIRS);
    }
}

/// Tells of a second name for a directory, which no grant would allow: file systems have none.
pub fn tell_link_of_directory(denials: &Denials, paths: &str) {
    denials.tell_only(format_args!("link `{paths}`, but directories have no second names"));
}
