//! The temporary directory that a replica has to itself, in the directory of the run, with which it is removed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lp_base::plan::{NodePlan, Plan, ReplicaId};
use lp_base::scheduler::Scheduler;
use lp_base::words::{Access, ColocationMode, PathGrant};

/// Where a guest sees it.
const GUEST_PATH: &str = "/tmp";

/// The node with such a directory among those it is granted, and where that is, for a replica that has one: those of
/// colocations of processes, unless their node has a directory there already.
pub(super) fn grant(
    plan: &Plan,
    replica: ReplicaId,
    node: Arc<NodePlan>,
    run_dir: Option<&Path>,
) -> (Arc<NodePlan>, Option<PathBuf>) {
    let mode = plan.colocation_of(replica).map(|colocation| plan.colocations[colocation].mode);
    let is_there = |guest: &str| Path::new(guest).parent() == Some(Path::new(GUEST_PATH));
    let sandbox = &node.sandbox;
    let is_taken = sandbox.dirs.iter().any(|dir| dir.guest == GUEST_PATH)
        || sandbox.files.iter().any(|file| is_there(&file.guest));
    let Some(run_dir) = run_dir.filter(|_| mode == Some(ColocationMode::Processes) && !is_taken) else {
        return (node, None);
    };
    // A granted path is opened without following links.
    let run_dir = std::fs::canonicalize(run_dir).unwrap_or_else(|_| run_dir.to_owned());
    let host = run_dir.join(format!("tmp-{}-{}", node.name, replica.index));
    let dir = PathGrant { host: host.clone(), guest: GUEST_PATH.to_owned(), access: Access::ReadWrite };
    let mut node = NodePlan::clone(&node);
    node.sandbox.dirs.push(dir);
    (Arc::new(node), Some(host))
}

/// Makes the directories of the replicas of worker number `index` and returns them: a hardened worker can only empty them.
pub fn make_temporary_dirs(plan: &Plan, index: usize, run_dir: &Path) -> Vec<PathBuf> {
    let replicas = plan.workers[index].replicas.iter();
    let dirs = replicas.filter_map(|&replica| {
        let node = Arc::new(plan.node(replica.node).clone());
        grant(plan, replica, node, Some(run_dir)).1
    });
    // One that can't be made is told of when its replica starts.
    dirs.filter(|dir| dir.is_dir() || DirBuilder::new().mode(0o700).create(dir).is_ok()).collect()
}

/// Makes the directory, empty, for the next life of its replica.
pub(super) async fn make_anew(dir: Option<PathBuf>, scheduler: &Scheduler) {
    let Some(dir) = dir else { return };
    let made = scheduler.blocking(move || {
        // There is none before the first life. The replica fails to start, and says so, where there is none now.
        let _ = std::fs::remove_dir_all(&dir);
        let _ = DirBuilder::new().mode(0o700).create(&dir);
    });
    made.await;
}
