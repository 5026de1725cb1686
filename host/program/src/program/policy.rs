//! What an operator lets any program ask for.

use std::path::{Component, Path, PathBuf};

use lp_base::words::Limits;

use super::{Addresses, HttpGrant, NetworkGrant};

/// The policy of whoever runs other people's programs. A program that asks for more can't run.
///
/// A list that is `None` bounds nothing; an empty one forbids everything of its kind.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The directories below which the granted directories and files are, with links followed.
    pub dirs: Option<Vec<PathBuf>>,
    /// The directories below which grants may be for writing, with links followed.
    pub writable_dirs: Option<Vec<PathBuf>>,
    /// The grants of sockets; each of a node's is within one of them.
    pub network: Option<Vec<NetworkGrant>>,
    /// The grants of HTTP requests; each of a node's is within one of them.
    pub http: Option<Vec<HttpGrant>>,
    /// The addresses at which nodes may listen.
    pub listen: Option<Vec<Addresses>>,
    /// The variables of whoever runs the program that nodes may get, also as secrets.
    pub inherit_env: Option<Vec<String>>,
    /// Whether no node may have a secret.
    pub forbids_secrets: bool,
    /// Whether no node may have a `build` line.
    pub forbids_build: bool,
    /// Whether every node names the digest of its component.
    pub requires_sha256: bool,
    /// Whether worker processes must be hardened, whatever the program says.
    pub requires_hardening: bool,
    /// The most replicas of all nodes together.
    pub replicas_max: Option<u64>,
    /// The most memory of all replicas together, in bytes.
    pub memory_bytes_max: Option<u64>,
}

/// The policy of an operator with the limits that it sets: for those who hold a plan to it, with no program file at hand.
#[derive(Debug, Clone, Default)]
pub struct OperatorPolicy {
    /// What may be asked for.
    pub policy: Policy,
    /// The most of each limit.
    pub ceilings: Limits,
}

impl Policy {
    /// Whether `path`, with its links followed, lies below one of `roots`, or is one of them.
    pub fn is_below(roots: &[PathBuf], path: &Path) -> bool {
        // One that is not there is as it was written, and nobody knows where its `..` would lead.
        let is_plain = !path.components().any(|part| part == Component::ParentDir);
        is_plain && roots.iter().any(|root| path.starts_with(root))
    }
}
