//! A layer of an image: files and directories, as a tar that is the same whoever makes it, wherever and whenever.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

/// Files and directories by their paths, which the order of the tar is.
#[derive(Debug, Default)]
pub(super) struct Layer(BTreeMap<PathBuf, Entry>);

#[derive(Debug)]
enum Entry {
    Dir { mode: u32 },
    File { mode: u32, bytes: Vec<u8> },
}

impl Layer {
    /// Adds a file that everybody may read.
    pub(super) fn file(&mut self, path: &Path, bytes: Vec<u8>) {
        self.add(path, Entry::File { mode: 0o644, bytes });
    }

    /// Adds a file that everybody may read and run.
    pub(super) fn program(&mut self, path: &Path, bytes: Vec<u8>) {
        self.add(path, Entry::File { mode: 0o755, bytes });
    }

    /// Adds a directory.
    pub(super) fn dir(&mut self, path: &Path, mode: u32) {
        self.add(path, Entry::Dir { mode });
    }

    /// Adds an entry with the directories that it is in.
    fn add(&mut self, path: &Path, entry: Entry) {
        let path = path.strip_prefix("/").unwrap_or(path);
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            self.0.entry(parent.to_owned()).or_insert(Entry::Dir { mode: 0o755 });
        }
        self.0.insert(path.to_owned(), entry);
    }

    /// The tar of it.
    pub(super) fn into_tar(self) -> io::Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        for (path, entry) in self.0 {
            let (kind, mode, bytes) = match entry {
                Entry::Dir { mode } => (EntryType::Directory, mode, Vec::new()),
                Entry::File { mode, bytes } => (EntryType::Regular, mode, bytes),
            };
            append(&mut tar, &path, kind, mode, bytes.len() as u64, bytes.as_slice())?;
        }
        tar.into_inner()
    }
}

/// Appends an entry that has no trace of this machine or moment.
pub(super) fn append(
    tar: &mut Builder<impl io::Write>,
    path: &Path,
    kind: EntryType,
    mode: u32,
    bytes_len: u64,
    bytes: impl io::Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes_len);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    tar.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_the_same_whatever_the_order_in_which_it_was_filled() {
        let made = |paths: [&str; 2]| {
            let mut layer = Layer::default();
            layer.dir(Path::new("/tmp"), 0o1777);
            for path in paths {
                layer.file(Path::new(path), path.as_bytes().to_vec());
            }
            layer.into_tar().expect("memory takes it")
        };
        let bytes = made(["/b/a", "/a"]);
        assert_eq!(bytes, made(["/a", "/b/a"]));
        let mut tar = tar::Archive::new(bytes.as_slice());
        let entries: Vec<_> = tar
            .entries()
            .expect("it is a tar")
            .map(|entry| {
                let entry = entry.expect("it is a tar");
                let header = entry.header();
                let path = entry.path().expect("it has a path").display().to_string();
                assert_eq!((header.mtime().ok(), header.uid().ok(), header.gid().ok()), (Some(0), Some(0), Some(0)));
                (path, header.mode().expect("it has a mode"))
            })
            .collect();
        let expected = [("a", 0o644), ("b", 0o755), ("b/a", 0o644), ("tmp", 0o1777)];
        assert_eq!(entries, expected.map(|(path, mode)| (path.to_owned(), mode)));
    }
}
