//! The files of tests that a command line names.

use std::path::{Path, PathBuf};

use lp_program::program::{TESTS_SUFFIX, TestFile};

use crate::cli::screen::{CliError, exit_code};

/// How deep folders are searched: links may make a circle.
const DEPTH_MAX: usize = 32;

/// Folders in which no tests of the user's are.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// A file of tests.
pub(super) struct Suite {
    pub(super) file: TestFile,
    path: PathBuf,
}

impl Suite {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path as users know it.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// Reads the files of tests that `paths` name: themselves, those of programs, and those in folders.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<Suite>, CliError> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            search(path, DEPTH_MAX, &mut found);
            if found.len() == before {
                let message = format!("there is no `*{TESTS_SUFFIX}` in `{}`", path.display());
                let failure = CliError::new(exit_code::WRONG_USAGE, message);
                return Err(failure.hint("the tests of `program.toml` are in `program.test.toml` beside it"));
            }
        } else if path.to_string_lossy().ends_with(TESTS_SUFFIX) {
            found.push(path.clone());
        } else {
            found.push(beside(path));
        }
    }
    found.sort();
    found.dedup();
    found.into_iter().map(|path| Ok(Suite { file: TestFile::load(&path)?, path })).collect()
}

/// The file of a program's tests.
fn beside(program: &Path) -> PathBuf {
    let name = program.file_stem().map(|stem| format!("{}{TESTS_SUFFIX}", stem.to_string_lossy()));
    program.with_file_name(name.unwrap_or_default())
}

fn search(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    // A folder that can't be read has no tests for this user.
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.ends_with(TESTS_SUFFIX) && path.is_file() {
            found.push(path.strip_prefix(".").map_or(path.clone(), Path::to_owned));
        } else if depth > 0 && !name.starts_with('.') && !SKIPPED.contains(&&*name) && path.is_dir() {
            search(&path, depth - 1, found);
        }
    }
}
