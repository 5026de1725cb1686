//! Files and directories: each check has a directory to itself, with `a.txt` and `b.txt` in it.

mod content;
mod metadata;
mod paths;

use std::fmt::Debug;

use wasip3::filesystem::preopens::get_directories;
use wasip3::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

pub async fn check(name: &str) {
    let [(dir, _)] = get_directories().try_into().expect("the test grants one directory");
    let dir = Dir(dir);
    match name {
        "advise" => content::advise(&dir).await,
        "dotdot" => paths::dotdot(&dir).await,
        "flags-and-type" => content::flags_and_type(&dir).await,
        "hard-links" => paths::hard_links(&dir).await,
        "io" => content::io(&dir).await,
        "is-same-object" => metadata::is_same_object(&dir).await,
        "metadata-hash" => metadata::metadata_hash(&dir).await,
        "mkdir-rmdir" => paths::mkdir_rmdir(&dir).await,
        "open-errors" => paths::open_errors(&dir).await,
        "read-directory" => paths::read_directory(&dir).await,
        "rename" => paths::rename(&dir).await,
        "set-size" => content::set_size(&dir).await,
        "stat" => metadata::stat(&dir).await,
        "unlink-errors" => paths::unlink_errors(&dir).await,
        name => panic!("`filesystem-{name}` is no check"),
    }
}

const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;

fn no_follow() -> PathFlags {
    PathFlags::empty()
}

/// A directory, with the functions of a descriptor in fewer words.
struct Dir(Descriptor);

impl Dir {
    async fn open(&self, path: &str) -> Result<Descriptor, ErrorCode> {
        self.open_as(path, OpenFlags::empty(), DescriptorFlags::READ).await
    }

    async fn open_as(&self, path: &str, open: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, ErrorCode> {
        self.0.open_at(no_follow(), path.to_owned(), open, flags).await
    }

    /// Makes a file that is not there.
    async fn make(&self, path: &str) -> Descriptor {
        let open = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        self.open_as(path, open, DescriptorFlags::READ | DescriptorFlags::WRITE).await.expect("it can be made")
    }

    /// Makes a directory in it that may be written to.
    async fn make_child(&self, path: &str) -> Dir {
        is!(self.make_dir(path).await, Ok(()));
        let opened = self.open_as(path, OpenFlags::DIRECTORY, DescriptorFlags::MUTATE_DIRECTORY).await;
        Dir(opened.expect("it has just been made"))
    }

    /// Makes a link to what is above it, which leads nowhere.
    async fn make_link_to_parent(&self) {
        is!(self.0.symlink_at("..".to_owned(), "parent".to_owned()).await, Ok(()));
    }

    async fn make_dir(&self, path: &str) -> Result<(), ErrorCode> {
        self.0.create_directory_at(path.to_owned()).await
    }

    async fn remove_dir(&self, path: &str) -> Result<(), ErrorCode> {
        self.0.remove_directory_at(path.to_owned()).await
    }

    async fn unlink(&self, path: &str) -> Result<(), ErrorCode> {
        self.0.unlink_file_at(path.to_owned()).await
    }

    async fn link(&self, old: &str, to: &Dir, new: &str) -> Result<(), ErrorCode> {
        self.0.link_at(no_follow(), old.to_owned(), &to.0, new.to_owned()).await
    }

    async fn rename(&self, old: &str, to: &Dir, new: &str) -> Result<(), ErrorCode> {
        self.0.rename_at(old.to_owned(), &to.0, new.to_owned()).await
    }
}

/// Fails unless the result is the failure of a path that leads out of the directory.
#[track_caller]
fn leads_out<T: Debug>(result: Result<T, ErrorCode>) {
    is!(result, Err(ErrorCode::NotPermitted));
}

/// Fails unless the result is the failure of a path with nothing at its end.
#[track_caller]
fn leads_nowhere<T: Debug>(result: Result<T, ErrorCode>) {
    is!(result, Err(ErrorCode::NoEntry));
}
