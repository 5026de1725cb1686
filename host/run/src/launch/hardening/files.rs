//! Which files a worker process can reach, by Landlock.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, Scope, make_bitflags, path_beneath_rules,
};
use lp_base::plan::{LaunchType, Plan};
use lp_base::words::Access;

/// The newest version of Landlock's interface that is made use of; an older kernel gives what it has.
const NEWEST: ABI = ABI::V9;

/// What a directory that a guest may only read is opened for.
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// What a guest may do in a directory that it can write. WASI has no words for making pipes and sockets, but those that are
/// there can be moved and get second names, as they can without these walls. Devices can't.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | MakeSym | MakeFifo | MakeSock | RemoveFile
        | RemoveDir | Refer
});

/// What the C library and TLS read to find a host by its name and to know it, and the kernel's account of this process.
const SYSTEM: [&str; 12] = [
    "/dev/null",
    "/dev/urandom",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/pki/tls/certs",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/proc/self",
    "/usr/share/ca-certificates",
];

/// The files that a worker needs beside those of its nodes.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// To be read: the compile cache, and the program itself, for the names in the report of a panic.
    pub read: Vec<PathBuf>,
    /// To be written: the temporary directories of replicas.
    pub write: Vec<PathBuf>,
    /// The sockets of other workers.
    pub sockets: Vec<PathBuf>,
}

/// What came of it.
pub struct Restricted {
    pub no_new_privileges: bool,
    pub version: i32,
}

/// Shuts this thread and those that it will start out of every file but those that worker number `index` needs.
pub fn restrict(plan: &Plan, index: usize, granted: &Granted) -> Result<Restricted, String> {
    let status = rules(plan, index, granted).map_err(|error| error.to_string())?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            let version = kernel_abi.unwrap_or(effective_abi as i32);
            Ok(Restricted { no_new_privileges: status.no_new_privs, version })
        }
        LandlockStatus::NotEnabled => Err("the kernel has it, and was started without it".to_owned()),
        LandlockStatus::NotImplemented => Err("the kernel lacks it".to_owned()),
    }
}

fn rules(plan: &Plan, index: usize, granted: &Granted) -> Result<landlock::RestrictionStatus, RulesetError> {
    let mut nodes: Vec<_> = plan.workers[index].replicas.iter().map(|replica| replica.node).collect();
    nodes.dedup();
    let nodes: Vec<_> = nodes.into_iter().map(|id| plan.node(id)).collect();
    let dirs = |access: Access| {
        let dirs = nodes.iter().flat_map(|node| &node.sandbox.dirs).filter(move |dir| dir.access == access);
        dirs.map(|dir| dir.host.as_path())
    };
    let files = |access: Access| {
        let files = nodes.iter().flat_map(|node| &node.sandbox.files).filter(move |file| file.access == access);
        files.map(|file| file.host.as_path())
    };
    // Landlock knows ports and no addresses, so it has nothing to say of nodes that may use some.
    let uses_network = nodes.iter().any(|node| !node.sandbox.network.is_empty() || !node.sandbox.http.is_empty());
    let network = match (uses_network, plan.launch_type) {
        (true, _) => BitFlags::empty(),
        // Workers on other hosts are found at ports that nobody knows before, by names that are asked for.
        (false, LaunchType::Remote) => make_bitflags!(AccessNet::{BindTcp}),
        (false, LaunchType::Threads | LaunchType::Processes) => AccessNet::from_all(NEWEST),
    };
    let own = granted.read.iter().map(PathBuf::as_path).chain(SYSTEM.iter().map(Path::new));
    let write = granted.write.iter().map(PathBuf::as_path);
    let rules = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?;
    // A worker's own listening sockets come from its launcher.
    let rules = if network.is_empty() { rules } else { rules.handle_access(network)? };
    rules
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(own.chain(dirs(Access::Read)).chain(files(Access::Read)), READ))?
        .add_rules(path_beneath_rules(dirs(Access::ReadWrite).chain(files(Access::ReadWrite)).chain(write), WRITE))?
        .add_rules(path_beneath_rules(&granted.sockets, AccessFs::ResolveUnix))?
        .restrict_self()
}
