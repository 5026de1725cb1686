//! The paths of a plan, for whoever runs it on another machine than the one it was made on.

use std::path::{Path, PathBuf};

use super::{NodeKind, NodePlan, Plan};
use crate::words::SecretSource;

impl Plan {
    /// Moves every path below `from` to `to`, as if the program had been there when it was lowered.
    pub fn relocate(&mut self, from: &Path, to: &Path) {
        let move_path = |path: &mut PathBuf| {
            if let Ok(rest) = path.strip_prefix(from) {
                // An empty rest would leave a `/` at the end.
                *path = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
            }
        };
        for node in &mut self.nodes {
            granted(node).for_each(move_path);
            node.sandbox.http_ca.iter_mut().chain(&mut node.admission.key).for_each(move_path);
            if let Some(SecretSource::File(path)) = &mut node.admission.token {
                move_path(path);
            }
            if let NodeKind::Replay(replay) = &mut node.kind
                && let Some(checkpoint) = &mut replay.replay.checkpoint
            {
                std::iter::once(&mut checkpoint.dir).chain(&mut checkpoint.fallback).for_each(move_path);
            }
        }
    }

    /// Follows the links of granted paths on this machine, once, before any guest runs. What is not there stays as it is
    /// written, and is reported when a replica needs it.
    pub fn follow_links(&mut self) {
        for path in self.nodes.iter_mut().flat_map(granted) {
            *path = std::fs::canonicalize(&*path).unwrap_or_else(|_| path.clone());
        }
    }
}

/// What the sandbox of a node grants by a path.
fn granted(node: &mut NodePlan) -> impl Iterator<Item = &mut PathBuf> {
    let sandbox = &mut node.sandbox;
    let secrets = sandbox.secrets.values_mut().filter_map(|source| match source {
        SecretSource::File(path) => Some(path),
        SecretSource::Env(_) => None,
    });
    sandbox.dirs.iter_mut().chain(&mut sandbox.files).map(|grant| &mut grant.host).chain(secrets)
}
