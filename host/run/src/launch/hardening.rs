//! Walls around a worker process, beside those of its guests' sandboxes: what the kernel takes from a process that asks
//! for it, so that a guest that broke out of its sandbox finds little to do.
//!
//! They go up while the process has a single thread, because Landlock holds for a thread and those that it starts. So
//! they stand already while components are compiled.

mod files;
mod system_calls;

pub use files::Granted;
use lp_base::plan::{NodePlan, Plan, ReplicaId};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use serde::{Deserialize, Serialize};

use super::WorkerFiles;

/// The walls that stand around a worker process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardened {
    /// Nothing that the process starts can have more rights than it, such as by a set-user-ID file.
    pub no_new_privileges: bool,
    /// The version of Landlock's interface that is in force: the process sees the files of its nodes and no others.
    pub landlock: Option<i32>,
    /// A filter of system calls is in force: the process can't start others, nor look into them.
    pub seccomp: bool,
    /// The process leaves no core file, in which secrets would be.
    pub no_core_dumps: bool,
    /// The most files and sockets that the process may have open, by the limits of its nodes.
    pub open_files_max: Option<u64>,
    /// What could not be had, and why.
    pub missing: Vec<String>,
}

impl Hardened {
    /// How much of it there is, in a word.
    pub fn word(&self) -> &'static str {
        match () {
            () if *self == Self::default() => "off",
            () if self.missing.is_empty() => "full",
            () => "partial",
        }
    }

    /// What a user should know of what is missing.
    pub(super) fn warning(&self) -> Option<String> {
        let missing = || format!("worker processes are hardened in part: {}", self.missing.join("; "));
        (!self.missing.is_empty()).then(missing)
    }
}

/// Raises every wall that can be had around this process, which runs worker number `index` of `plan`, needs the files of
/// `granted`, and has one thread.
pub fn harden(plan: &Plan, index: usize, granted: &Granted) -> Hardened {
    let mut hardened = Hardened::default();
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    match setrlimit(Resource::Core, none) {
        Ok(()) => hardened.no_core_dumps = true,
        Err(error) => hardened.missing.push(format!("core files can't be forbidden: {error}")),
    }
    match limit_open_files(plan, index) {
        Ok(max) => hardened.open_files_max = Some(max),
        Err(error) => hardened.missing.push(format!("open files can't be limited: {error}")),
    }
    match files::restrict(plan, index, granted) {
        Ok(restricted) => {
            hardened.no_new_privileges = restricted.no_new_privileges;
            hardened.landlock = Some(restricted.version);
        }
        Err(reason) => hardened.missing.push(format!("no Landlock: {reason}")),
    }
    // Other processes of the same user would read its memory otherwise, where credentials and secrets are.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        hardened.missing.push(format!("other processes can't be kept from looking into it: {error}"));
    }
    match system_calls::restrict() {
        Ok(()) => (hardened.seccomp, hardened.no_new_privileges) = (true, true),
        Err(reason) => hardened.missing.push(format!("no seccomp: {reason}")),
    }
    hardened
}

/// What a worker has open beside what its guests do and the connections of clients: sockets, libraries, whatever finds hosts
/// by their names.
const HOST_FILES: u64 = 4096;

/// Limits the files and sockets of this process to what its replicas may have and the host needs, if that is less than it
/// has by now. Where the process has less, by a soft limit, it gets that much.
fn limit_open_files(plan: &Plan, index: usize) -> rustix::io::Result<u64> {
    let of_replica = |replica: &ReplicaId| {
        let NodePlan { limits, sandbox, .. } = plan.node(replica.node);
        let granted = (sandbox.dirs.len() + sandbox.files.len()) as u64;
        limits.open_files + limits.sockets + u64::from(limits.http_requests) + granted
    };
    let of_guests: u64 = plan.workers[index].replicas.iter().map(of_replica).sum();
    // A quarter is for connections of clients, so that four times as many files have room for all of them.
    let listening = WorkerFiles::listening(plan, index);
    let clients = listening.into_iter().map(|node| u64::from(plan.node(node).limits.listen_connections)).max();
    let clients = clients.unwrap_or(0) * WorkerFiles::listening(plan, index).len() as u64;
    // Two for each other worker: a connection to it, and one from it.
    let needed = (HOST_FILES + 2 * plan.workers.len() as u64 + of_guests + clients).max(4 * clients);
    let max = getrlimit(Resource::Nofile).maximum.map_or(needed, |hard| hard.min(needed));
    setrlimit(Resource::Nofile, Rlimit { current: Some(max), maximum: Some(max) })?;
    Ok(max)
}
