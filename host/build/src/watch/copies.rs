//! Copies of the components that run. A build writes to the file that a node names at any time, while a worker that is
//! started again must find the component that the program was checked with.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lp_base::plan::{ComponentFiles, ComponentPlan, NodePlan, Plan};
use lp_base::words::Digest;
use lp_component::component::Component;
use lp_run::launch::WorkerFiles;

/// Of so many plans the copies are kept: the one that runs, the one that replaces it, and those on the way.
const PLANS_MAX: usize = 4;

/// A folder with the copies.
pub(super) struct Copies {
    dir: PathBuf,
    /// Those of each plan, the latest last.
    plans: VecDeque<BTreeSet<PathBuf>>,
}

impl Copies {
    /// Makes the folder.
    pub(super) fn create(dir: PathBuf) -> io::Result<Copies> {
        DirBuilder::new().mode(0o700).create(&dir)?;
        Ok(Copies { dir, plans: VecDeque::new() })
    }

    /// Copies the components of `plan`, which are in `files`, removes those that no plan needs any more, and returns where
    /// the copies are.
    pub(super) fn take(&mut self, plan: &Plan, files: &ComponentFiles) -> io::Result<ComponentFiles> {
        let mut copies = Vec::new();
        for component in plan.nodes.iter().filter_map(NodePlan::component) {
            let copy = WorkerFiles::component_in(&self.dir, component.sha256);
            if !copy.exists() {
                write(component, files, &copy)?;
            }
            copies.push((component.sha256, copy));
        }
        let taken = copies.iter().map(|(_, copy)| copy.clone()).collect();
        self.plans.push_back(taken);
        if self.plans.len() > PLANS_MAX {
            let oldest = self.plans.pop_front().unwrap_or_default();
            for copy in oldest.iter().filter(|copy| !self.plans.iter().any(|plan| plan.contains(*copy))) {
                let _ = fs::remove_file(copy);
            }
        }
        Ok(copies.into_iter().collect())
    }
}

fn write(component: &ComponentPlan, files: &ComponentFiles, copy: &Path) -> io::Result<()> {
    let file = files.of(component.sha256).map_err(io::Error::other)?;
    let bytes = Component::read_bytes(file).map_err(io::Error::other)?;
    if Digest::of(&bytes) != component.sha256 {
        return Err(io::Error::other(format!("`{}` changed while it was read", file.display())));
    }
    let written = copy.with_extension("new");
    fs::write(&written, bytes)?;
    fs::rename(written, copy)
}
