//! What a test takes away from a program, so that tests don't meet and leave nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use lp_base::plan::{NodeKind, NodePlan, Plan};
use lp_base::words::{Access, AdmissionPlan};
use lp_program::program::Grant;

/// Takes away what `grants` does not keep. Directories and files that nodes write to are copied into `dir`, each once, so
/// that nodes which share one share its copy.
///
/// # Errors
/// If something can't be copied.
pub(crate) fn isolate(plan: &mut Plan, grants: &BTreeSet<Grant>, dir: &Path) -> io::Result<()> {
    let mut copies = Vec::new();
    for node in &mut plan.nodes {
        take_away(node, grants);
        if !grants.contains(&Grant::Write) {
            let written = node.sandbox.dirs.iter_mut().chain(&mut node.sandbox.files);
            for grant in written.filter(|grant| grant.access == Access::ReadWrite) {
                grant.host = copy_once(&grant.host, &mut copies, dir)?;
            }
            if let NodeKind::Replay(replay) = &mut node.kind
                && let Some(checkpoint) = &mut replay.replay.checkpoint
            {
                checkpoint.dir = copy_once(&checkpoint.dir, &mut copies, dir)?;
            }
        }
    }
    Ok(())
}

fn take_away(node: &mut NodePlan, grants: &BTreeSet<Grant>) {
    let sandbox = &mut node.sandbox;
    if !grants.contains(&Grant::Listen) {
        node.listen = None;
        // Its key and its token would have to be there.
        node.admission = AdmissionPlan::default();
    }
    if !grants.contains(&Grant::Network) {
        sandbox.network.clear();
    }
    if !grants.contains(&Grant::Http) {
        sandbox.http.clear();
    }
    if !grants.contains(&Grant::Secrets) {
        sandbox.secrets.clear();
        sandbox.inherit_env.clear();
    }
}

/// What was copied, and where the copy is.
type Copies = Vec<(PathBuf, PathBuf)>;

fn copy_once(path: &Path, copies: &mut Copies, dir: &Path) -> io::Result<PathBuf> {
    if let Some((_, copy)) = copies.iter().find(|(host, _)| host == path) {
        return Ok(copy.clone());
    }
    let copy = dir.join(format!("copy-{}", copies.len()));
    // The folder of a replay node's checkpoints may not be there yet.
    if path.exists() {
        copy_tree(path, &copy).map_err(|error| {
            io::Error::new(error.kind(), format!("`{}` can't be copied for the test: {error}", path.display()))
        })?;
    }
    copies.push((path.to_owned(), copy.clone()));
    Ok(copy)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(from)?.file_type();
    if kind.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if kind.is_file() {
        return fs::copy(from, to).map(drop);
    }
    if !kind.is_dir() {
        // Opening a pipe would wait for whoever is at its other end.
        return Err(io::Error::other(format!("`{}` is neither a file nor a directory", from.display())));
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_tree(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_copied_with_its_links() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("inner")).expect("it can be made");
        fs::write(from.join("inner/file"), "text").expect("it can be written");
        symlink("inner/file", from.join("link")).expect("it can be made");
        copy_tree(&from, &to).expect("it is copied");
        assert_eq!(fs::read_to_string(to.join("link")).expect("the link leads to the copy"), "text");
        fs::write(to.join("inner/file"), "other").expect("it can be written");
        assert_eq!(fs::read_to_string(from.join("inner/file")).expect("it is there"), "text");
    }
}
