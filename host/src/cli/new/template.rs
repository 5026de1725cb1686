//! The files that `lp-host new` writes. They are part of this binary: the crates of the SDK are in no registry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};
use lp_build::Language;

use super::super::screen::{CliError, exit_code};

static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit");

/// What a program needs of the SDK, and of the crate beside it that the SDK needs. Their relative paths stay as they are.
const SDK_PARTS: &[&str] = &["Cargo.toml", "README.md", "macros", "src", "wit"];
const WIT_PARTS: &[&str] = &["Cargo.toml", "courier", "node", "replay", "src", "test", "wasi"];

/// The SDK of Rust.
fn sdk() -> &'static Dir<'static> {
    &Language::find("rust").expect("Rust is one of the languages").dir
}

/// What the names in a template stand for.
pub(super) struct Names {
    name: String,
    /// As Cargo names the file of a library.
    snake_name: String,
}

impl Names {
    pub(super) fn new(name: &str) -> Names {
        Names { name: name.to_owned(), snake_name: name.replace('-', "_") }
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{{name}}", &self.name).replace("{{snake_name}}", &self.snake_name)
    }
}

/// Files to write, by their paths below the program's directory.
#[derive(Default)]
pub(super) struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl Files {
    /// Adds the files of a folder of the SDK, with the names filled in.
    pub(super) fn add_template(&mut self, folder: &str, names: &Names) {
        let dir = sdk().get_dir(folder).expect("the template is part of the SDK");
        let mut template = Files::default();
        template.add(dir, dir.path(), Path::new(""));
        self.add_files(template.0.iter().map(|(path, contents)| (path.as_path(), contents.as_slice())), names);
    }

    /// Adds files of a template by their paths, with the names filled in.
    pub(super) fn add_files<'f>(&mut self, files: impl IntoIterator<Item = (&'f Path, &'f [u8])>, names: &Names) {
        for (path, contents) in files {
            let path = names.fill(path.to_str().expect("the SDK's file names are ASCII"));
            let text = std::str::from_utf8(contents).expect("the templates are text");
            self.0.insert(path.into(), names.fill(text).into_bytes());
        }
    }

    /// Adds the crates of the SDK below `folder`.
    pub(super) fn add_sdk(&mut self, folder: &str) {
        let parts = [(sdk(), "guest-sdk/rust", SDK_PARTS), (&WIT, "wit", WIT_PARTS)];
        for (dir, place, parts) in parts {
            let into = Path::new(folder).join(place);
            for part in parts {
                match dir.get_entry(part).expect("the part is in the folder") {
                    DirEntry::Dir(part) => self.add(part, Path::new(""), &into),
                    DirEntry::File(file) => {
                        self.0.insert(into.join(part), file.contents().to_vec());
                    }
                }
            }
        }
    }

    fn add(&mut self, dir: &Dir<'_>, below: &Path, into: &Path) {
        for file in dir.files() {
            let path = file.path().strip_prefix(below).expect("a folder's files are below it");
            self.0.insert(into.join(path), file.contents().to_vec());
        }
        dir.dirs().for_each(|dir| self.add(dir, below, into));
    }

    /// Takes a file out, as text.
    pub(super) fn take(&mut self, path: &str) -> String {
        let contents = self.0.remove(Path::new(path)).expect("the template has the file");
        String::from_utf8(contents).expect("the templates are text")
    }

    /// Puts a file in.
    pub(super) fn put(&mut self, path: impl Into<PathBuf>, text: String) {
        self.0.insert(path.into(), text.into_bytes());
    }

    /// The first of the files that is already there.
    pub(super) fn existing(&self, dir: &Path) -> Option<PathBuf> {
        self.0.keys().map(|path| dir.join(path)).find(|path| path.symlink_metadata().is_ok())
    }

    /// Writes every file below `dir`.
    pub(super) fn write(&self, dir: &Path) -> Result<(), CliError> {
        for (path, contents) in &self.0 {
            let path = dir.join(path);
            let parent = path.parent().expect("a file is in a directory");
            std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, contents)).map_err(|error| {
                CliError::new(exit_code::NOT_LAUNCHED, format!("failed to write `{}`: {error}", path.display()))
            })?;
        }
        Ok(())
    }
}
