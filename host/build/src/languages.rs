//! The languages that nodes can be written in: one line each.

use std::path::Path;

use include_dir::{Dir, include_dir};

/// A folder of `guest-sdk`. `build.toml` in it says how source becomes a component, `sdk` has what nodes may import, and
/// `template` is what `lp-host new` copies.
pub struct Language {
    /// The name in a node's `build.toml` and on the command line, which is also that of the folder.
    pub name: &'static str,
    /// The files.
    pub dir: Dir<'static>,
}

/// Every language.
pub static LANGUAGES: [Language; 7] = [
    Language { name: "rust", dir: include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/rust") },
    Language { name: "python", dir: include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/python") },
    Language { name: "js", dir: include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/js") },
    Language { name: "c", dir: include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/c") },
    Language { name: "cpp", dir: include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/cpp") },
    Language { name: "zig", dir: include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/zig") },
    Language { name: "go", dir: include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/go") },
];

impl Language {
    /// The language of that name.
    pub fn find(name: &str) -> Option<&'static Language> {
        LANGUAGES.iter().find(|language| language.name == name)
    }

    /// The text of its `build.toml`.
    pub(crate) fn recipe(&self) -> &'static str {
        let file = self.dir.get_file("build.toml").expect("every language has a recipe");
        file.contents_utf8().expect("a recipe is text")
    }

    /// The folder of that name with all its files, by their paths below it; empty if there is none.
    pub fn files(&self, folder: &str) -> Vec<(&'static Path, &'static [u8])> {
        let mut files = Vec::new();
        if let Some(dir) = self.dir.get_dir(folder) {
            collect(dir, dir.path(), &mut files);
        }
        files
    }
}

fn collect(dir: &'static Dir<'_>, below: &Path, files: &mut Vec<(&'static Path, &'static [u8])>) {
    for file in dir.files() {
        files.push((file.path().strip_prefix(below).expect("a folder's files are below it"), file.contents()));
    }
    dir.dirs().for_each(|dir| collect(dir, below, files));
}
