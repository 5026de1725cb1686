//! Where a machine has the components of a plan, which names them by their digests alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::words::Digest;

/// The files of the components of a plan on one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComponentFiles(BTreeMap<Digest, PathBuf>);

/// A component is not among those that a machine has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing says where the component with the digest {0} is")]
pub struct MissingComponent(Digest);

impl ComponentFiles {
    /// The absolute path of the file of the component with that digest.
    ///
    /// # Errors
    /// If it is not among these.
    pub fn of(&self, sha256: Digest) -> Result<&Path, MissingComponent> {
        self.0.get(&sha256).map(PathBuf::as_path).ok_or(MissingComponent(sha256))
    }

    /// The files of the components that worker number `index` of `plan` reads, as far as they are among these.
    ///
    /// # Panics
    /// If the plan has no such worker.
    pub fn of_worker<'a>(&'a self, plan: &'a Plan, index: usize) -> impl Iterator<Item = &'a Path> {
        let nodes = plan.workers[index].replicas.iter().map(|replica| plan.node(replica.node));
        nodes.filter_map(|node| self.of(node.sha256()?).ok())
    }
}

impl FromIterator<(Digest, PathBuf)> for ComponentFiles {
    fn from_iter<I: IntoIterator<Item = (Digest, PathBuf)>>(files: I) -> Self {
        Self(files.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_found_by_its_digest() {
        let files = ComponentFiles::from_iter([(Digest::of(b"a"), "a.wasm".into())]);
        assert_eq!(files.of(Digest::of(b"a")), Ok(Path::new("a.wasm")));
        let missing = files.of(Digest::of(b"b")).expect_err("there is only one").to_string();
        assert_eq!(missing, format!("nothing says where the component with the digest {} is", Digest::of(b"b")));
    }

    #[test]
    fn files_pass_between_processes() {
        let files = ComponentFiles::from_iter([(Digest::of(b"a"), "/a/b.wasm".into())]);
        let json = serde_json::to_string(&files).expect("it is JSON");
        assert_eq!(json, format!("{{\"{}\":\"/a/b.wasm\"}}", Digest::of(b"a")));
        assert_eq!(serde_json::from_str::<ComponentFiles>(&json).expect("it reads what it wrote"), files);
    }
}
