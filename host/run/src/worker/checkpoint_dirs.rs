//! The folders that the replay nodes of a worker write their checkpoints to, and load them from.

use std::path::PathBuf;

use lp_base::plan::{NodeKind, Plan};
use lp_base::words::ReplayCheckpoint;

/// Makes the folders that the replicas of worker number `index` write checkpoints to, which a hardened worker can't, and
/// returns them and those that are only read.
pub fn make_checkpoint_dirs(plan: &Plan, index: usize) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let nodes = plan.workers[index].replicas.iter().map(|replica| &plan.node(replica.node).kind);
    let checkpoints = nodes.filter_map(|kind| match kind {
        NodeKind::Replay(replay) => replay.replay.checkpoint.as_ref(),
        _ => None,
    });
    let (mut written, mut read) = (Vec::new(), Vec::new());
    for ReplayCheckpoint { dir, fallback, .. } in checkpoints {
        // One that can't be made is told of when a checkpoint is to be written.
        if std::fs::create_dir_all(dir).is_ok() {
            written.push(dir.clone());
        }
        read.extend(fallback.clone());
    }
    (written, read)
}
