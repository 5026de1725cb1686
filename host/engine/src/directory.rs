//! The directory of a program on a cluster: all that its processes need of whoever launched it, as files.
//!
//! | file | what it has |
//! |---|---|
//! | `plan.json` | the [`Plan`] |
//! | `run.json` | a [`RunFile`] |
//! | `components/DIGEST.wasm` | each component |
//! | `coordinator.key`, `unit.key` | the keys by which the coordinator and its units know each other, for this user alone |
//! | `address` | where the coordinator listens, once it does |

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lp_base::plan::{ComponentFiles, Plan};
use lp_base::words::Digest;
use lp_remote::key::{Key, KeyError};
use serde::{Deserialize, Serialize};

/// A run on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunFile {
    /// What the run is called by its users.
    pub id: String,
    /// How long a unit that is not heard of keeps what it runs, in milliseconds.
    pub lease_ms: u64,
    /// How long the coordinator waits for a unit that has not come, or was lost, in milliseconds.
    pub unit_wait_ms: u64,
}

impl RunFile {
    /// How long a unit that is not heard of keeps what it runs.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// How long the coordinator waits for a unit.
    pub fn unit_wait(&self) -> Duration {
        Duration::from_millis(self.unit_wait_ms)
    }
}

/// Why a directory can't be written or used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A file of it can't be read or written.
    #[error("`{}` can't be read or written", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of it has something else.
    #[error("`{}` is damaged", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// How.
        #[source]
        source: serde_json::Error,
    },
    /// A component can't be had.
    #[error("a component is missing: {0}")]
    Component(String),
    /// A key can't be had.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The directory of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory(PathBuf);

impl Directory {
    /// The one at `path`, as it is.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Makes one at `path`, whose folder must be there, with everything that the program needs.
    ///
    /// # Errors
    /// If it is there already, or can't be written.
    pub fn create(
        path: PathBuf,
        plan: &Plan,
        components: &ComponentFiles,
        run: &RunFile,
    ) -> Result<Self, DirectoryError> {
        let failed = |file: &Path| {
            let file = file.to_owned();
            |source| DirectoryError::File { file, source }
        };
        DirBuilder::new().mode(0o700).create(&path).map_err(failed(&path))?;
        let directory = Self(path);
        directory.write_json("plan.json", plan)?;
        directory.write_json("run.json", run)?;
        let kept = directory.components();
        DirBuilder::new().mode(0o700).create(&kept).map_err(failed(&kept))?;
        for digest in digests(plan) {
            let from = components.of(digest).map_err(|error| DirectoryError::Component(error.to_string()))?;
            fs::copy(from, directory.component(digest)).map_err(failed(from))?;
        }
        for key in [directory.coordinator_key(), directory.unit_key()] {
            Key::load_or_create(&key)?;
        }
        Ok(directory)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of its components.
    pub fn components(&self) -> PathBuf {
        self.0.join("components")
    }

    /// Where it has a component.
    pub fn component(&self, digest: Digest) -> PathBuf {
        self.components().join(format!("{digest}.wasm"))
    }

    /// The key of the coordinator.
    pub fn coordinator_key(&self) -> PathBuf {
        self.0.join("coordinator.key")
    }

    /// The key that all units have.
    pub fn unit_key(&self) -> PathBuf {
        self.0.join("unit.key")
    }

    /// The file that says where the coordinator listens.
    pub fn address(&self) -> PathBuf {
        self.0.join("address")
    }

    /// The plan, and where its components are: in a folder of their own, or in that of the directory.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn plan(&self, components: Option<&Path>) -> Result<(Plan, ComponentFiles), DirectoryError> {
        let plan: Plan = self.read_json("plan.json")?;
        let dir = components.map_or_else(|| self.components(), Path::to_owned);
        let files = digests(&plan).map(|digest| (digest, dir.join(format!("{digest}.wasm")))).collect();
        Ok((plan, files))
    }

    /// What there is to know of the run.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn run(&self) -> Result<RunFile, DirectoryError> {
        self.read_json("run.json")
    }

    /// Says where the coordinator listens, at once: nobody reads a part of it.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write_address(&self, address: &str) -> Result<(), DirectoryError> {
        let (file, unfinished) = (self.address(), self.0.join("address.new"));
        let written =
            write(&unfinished, format!("{address}\n").as_bytes()).and_then(|()| fs::rename(&unfinished, &file));
        written.map_err(|source| DirectoryError::File { file, source })
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), DirectoryError> {
        let file = self.0.join(name);
        let bytes =
            serde_json::to_vec(value).map_err(|source| DirectoryError::Damaged { file: file.clone(), source })?;
        write(&file, &bytes).map_err(|source| DirectoryError::File { file, source })
    }

    fn read_json<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<T, DirectoryError> {
        let file = self.0.join(name);
        let bytes = fs::read(&file).map_err(|source| DirectoryError::File { file: file.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|source| DirectoryError::Damaged { file, source })
    }
}

/// The components of a plan, each once.
pub fn digests(plan: &Plan) -> impl Iterator<Item = Digest> {
    plan.nodes.iter().filter_map(|node| node.sha256()).collect::<std::collections::BTreeSet<_>>().into_iter()
}

/// Writes a file for this user alone.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(file)?.write_all(bytes)
}
