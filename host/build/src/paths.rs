//! Paths as users write them in a program file, and what is probably meant by one that leads nowhere.

use std::path::{Path, PathBuf};

use lp_program::program::Program;

/// A path as the user would write it in the program file.
pub fn shown(program: &Program, path: &Path) -> String {
    let Ok(dir) = program.dir.canonicalize() else { return path.display().to_string() };
    let mut base = dir.as_path();
    let mut up = PathBuf::new();
    // A component may lie above, in the target directory of a workspace.
    for _ in 0..4 {
        let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
        let below = parent.as_ref().and_then(|parent| parent.strip_prefix(base).ok());
        if let (Some(below), Some(name)) = (below, path.file_name()) {
            return up.join(below).join(name).display().to_string();
        }
        let Some(above) = base.parent() else { break };
        base = above;
        up.push("..");
    }
    path.strip_prefix(&program.dir).unwrap_or(path).display().to_string()
}

/// A file that was probably meant by a path where there is none: Cargo writes `my_node.wasm` for a library and
/// `my-node.wasm` for a binary, to `release` or to `debug`.
pub(crate) fn similar(path: &Path) -> Option<PathBuf> {
    let wanted = path.file_name()?.to_str()?.replace('-', "_");
    let dir = path.parent()?;
    let dirs = [dir.to_path_buf(), dir.with_file_name("release"), dir.with_file_name("debug")];
    dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten().map(|entry| entry.path()).find(
        |path| {
            path.is_file() && path.file_name().is_some_and(|name| name.to_string_lossy().replace('-', "_") == wanted)
        },
    )
}
