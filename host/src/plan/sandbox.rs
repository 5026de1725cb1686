//! What the replicas of a node may use of their machine, with the paths that it comes to on this one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::program::{Access, Clock, HttpGrant, NetworkGrant, Random, Sandbox, SecretSource};

/// What one replica may use of its machine beside memory. Everything that is not granted is denied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPlan {
    /// The directories that the guest sees.
    pub dirs: Vec<DirPlan>,
    /// The single files that the guest sees.
    pub files: Vec<FilePlan>,
    /// The environment variables that the guest gets from whoever starts the program.
    pub inherit_env: Vec<String>,
    /// Where the values are that `wasi:config` serves and the host shows nowhere. They are never in a plan.
    pub secrets: BTreeMap<String, SecretSource>,
    /// What the guest may do with sockets.
    pub network: Vec<NetworkGrant>,
    /// Where the guest's HTTP requests may go.
    pub http: Vec<HttpGrant>,
    /// What time the guest sees.
    pub clock: Clock,
    /// Where the guest's random numbers come from.
    pub random: Random,
}

/// A directory of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirPlan {
    /// The absolute path of the directory, without symbolic links.
    pub host: PathBuf,
    /// The absolute path under which the guest sees it.
    pub guest: String,
    /// What the guest may do in it.
    pub access: Access,
}

/// A single file of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlan {
    /// The absolute path of the file, without symbolic links.
    pub host: PathBuf,
    /// The absolute path under which the guest sees it.
    pub guest: String,
    /// What the guest may do with it.
    pub access: Access,
}

impl SandboxPlan {
    pub(super) fn of(sandbox: &Sandbox) -> SandboxPlan {
        let dirs = sandbox.dirs.iter().map(|dir| DirPlan {
            host: resolved(&dir.host),
            guest: dir.guest.clone(),
            access: dir.access,
        });
        let files = sandbox.files.iter().map(|file| FilePlan {
            host: resolved(&file.host),
            guest: file.guest.clone(),
            access: file.access,
        });
        SandboxPlan {
            dirs: dirs.collect(),
            files: files.collect(),
            inherit_env: sandbox.inherit_env.clone(),
            secrets: sandbox.secrets.clone(),
            network: sandbox.network.clone(),
            http: sandbox.http.clone(),
            clock: sandbox.clock,
            random: sandbox.random,
        }
    }
}

/// The links of a granted path are followed here, once, before any guest runs. A replica that opens it refuses links: one
/// that is there by then was made by a guest, to have another one, or its own next life, be granted something else.
fn resolved(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
