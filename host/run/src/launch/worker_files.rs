//! The files and sockets in the directory of a run, on which a launcher and its worker processes have to agree.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use lp_base::plan::{ComponentFiles, NodeId, Plan};
use lp_base::words::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a launcher and its worker processes have to agree on.
#[derive(Debug, Clone)]
pub struct WorkerFiles {
    pub(super) dir: PathBuf,
}

impl WorkerFiles {
    /// The files of a run, by the file of its plan.
    pub fn beside(plan: &Path) -> Self {
        Self { dir: plan.parent().map(Path::to_owned).unwrap_or_default() }
    }

    /// The files of the run in `dir`.
    pub fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The plan of the run.
    pub fn read_plan(&self) -> io::Result<Plan> {
        read(&self.plan())
    }

    /// Where the components of that plan are.
    pub fn read_components(&self) -> io::Result<ComponentFiles> {
        read(&self.component_files())
    }

    /// Writes the plan and binds the socket of every worker. Those of an earlier launch of the same run make way.
    pub(super) fn create(&self, plan: &Plan, components: &ComponentFiles) -> io::Result<Vec<UnixListener>> {
        self.write_plan(plan, components)?;
        let bind = |index| {
            let _ = std::fs::remove_file(self.socket(index));
            UnixListener::bind(self.socket(index))
        };
        (0..plan.workers.len()).map(bind).collect()
    }

    /// Writes the plan for the workers that are started from here on, and where its components are.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn write_plan(&self, plan: &Plan, components: &ComponentFiles) -> io::Result<()> {
        // A plan that is there has its components there.
        write(&self.component_files(), components)?;
        write(&self.plan(), plan)
    }

    /// The components of a program whose nodes are rebuilt: what runs must not change under it with the files that it
    /// was copied from.
    pub fn components(&self) -> PathBuf {
        self.dir.join("components")
    }

    /// Where the component with that digest is in that folder.
    pub fn component_in(components: &Path, sha256: Digest) -> PathBuf {
        components.join(format!("{sha256}.wasm"))
    }

    pub(super) fn plan(&self) -> PathBuf {
        self.dir.join("plan.json")
    }

    fn component_files(&self) -> PathBuf {
        self.dir.join("components.json")
    }

    /// The path of a worker's socket.
    pub fn socket(&self, index: usize) -> PathBuf {
        self.dir.join(format!("w{index}"))
    }

    /// The nodes of a worker that listen, in the order in which it gets their sockets.
    pub fn listening(plan: &Plan, index: usize) -> Vec<NodeId> {
        let nodes: BTreeSet<_> = plan.workers[index].replicas.iter().map(|replica| replica.node).collect();
        nodes.into_iter().filter(|&node| plan.node(node).listen.is_some()).collect()
    }
}

fn read<T: DeserializeOwned>(file: &Path) -> io::Result<T> {
    serde_json::from_slice(&std::fs::read(file)?).map_err(io::Error::other)
}

/// Has the file hold all of `value` or what it held before, whenever it is read.
fn write(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let written = file.with_extension("new");
    std::fs::write(&written, serde_json::to_vec(value).map_err(io::Error::other)?)?;
    std::fs::rename(written, file)
}
