//! The folder that this machine and those of a cluster share: where it is, whether it can be shared, and lp-host in it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lp_base::words::Digest;
use rustix::fs::statfs;

use super::commands;
use crate::cli::screen::{CliError, Screen, exit_code};

/// The variable that says where it is.
pub(in crate::cli) const VARIABLE: &str = "LP_HOST_SHARED_DIR";

/// Where every machine has a folder of its own.
const OF_ONE_MACHINE: [&str; 5] = ["/tmp", "/var/tmp", "/dev", "/run", "/proc"];

/// The kinds of file systems that are in the memory of one machine, by the numbers of `statfs`.
const IN_MEMORY: [(u64, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

/// Those that are on a disk of one machine, which may still offer it to others.
const ON_A_DISK: [(u64, &str); 5] = [
    (0x0000_ef53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x794c_7630, "overlay"),
    (0x2fc1_2fc1, "zfs"),
];

/// Those that several machines have.
const OF_A_NETWORK: [u64; 9] = [
    0x6969,      // NFS
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x1983_0326, // BeeGFS
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0xaad7_aaea, // PanFS
];

/// Where programs on clusters keep what their machines share: what was asked for, `$LP_HOST_SHARED_DIR`, or `.lp-host` in the home
/// directory, which most clusters share.
pub(in crate::cli) fn dir(asked: Option<&Path>) -> Result<PathBuf, CliError> {
    let variable = |name| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = asked.map(Path::to_owned).or_else(|| variable(VARIABLE));
    let dir = dir.or_else(|| variable("HOME").map(|home| home.join(".lp-host")));
    let wrong = |error: String| CliError::new(exit_code::WRONG_USAGE, error).hint(SAY_WHERE);
    let dir = dir.ok_or_else(|| wrong("there is no home directory to keep the program in".to_owned()))?;
    std::path::absolute(&dir).map_err(|error| wrong(format!("`{}`: {error}", dir.display())))
}

/// How much of a digest tells versions of lp-host apart.
const DIGEST_CHARS: usize = 16;

/// What says where it is.
pub(super) const SAY_WHERE: &str =
    "name a folder that all machines of the cluster have, by `--shared-dir` or `LP_HOST_SHARED_DIR`";

/// Makes the folder if it is not there, and refuses one that the machines of the cluster can't have: in memory, or where every machine
/// keeps its own things. One on a disk is only warned of if the cluster has other machines than this one.
pub(in crate::cli) async fn check(dir: &Path, screen: &Screen) -> Result<(), CliError> {
    let refused = |error: String| CliError::new(exit_code::NOT_LAUNCHED, error).hint(SAY_WHERE);
    let failed = |error: io::Error| refused(format!("`{}` can't be used: {error}", dir.display()));
    if !dir.is_dir() {
        DirBuilder::new().mode(0o700).recursive(true).create(dir).map_err(failed)?;
    }
    let real = dir.canonicalize().map_err(failed)?;
    let kind = statfs(&real).map_err(|error| failed(error.into()))?.f_type;
    // The numbers have 32 bits, and their type a sign on some machines.
    let kind = u64::from(kind as u32);
    if OF_A_NETWORK.contains(&kind) {
        return Ok(());
    }
    let named = |kinds: &[(u64, &'static str)]| kinds.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name);
    if let Some(name) = named(&IN_MEMORY) {
        let error =
            format!("`{}` is in the memory of this machine ({name}), where no other one finds it", dir.display());
        return Err(refused(error));
    }
    if let Some(place) = OF_ONE_MACHINE.iter().find(|place| real.starts_with(place)) {
        let error = format!("`{}` is in `{place}`, of which every machine has its own", dir.display());
        return Err(refused(error));
    }
    let Some(name) = named(&ON_A_DISK) else { return Ok(()) };
    let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let short = |name: &str| name.trim().split('.').next().unwrap_or_default().to_owned();
    let is_other = |machine: &String| short(machine) != short(&own);
    if commands::host_names().await.map_err(not_launched)?.iter().any(is_other) {
        screen.warning(&format!(
            "`{}` is on a disk of this machine ({name}); unless the machines of the cluster mount it, the job ends at once",
            dir.display()
        ));
    }
    Ok(())
}

/// That Slurm did not do what it was asked to.
pub(super) fn not_launched(error: commands::SlurmError) -> CliError {
    let hint = error.hint();
    let error = CliError::new(exit_code::NOT_LAUNCHED, error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// This lp-host in that folder, copied there if no run has done so before: by its digest, so that runs of one version share it.
pub(in crate::cli) fn binary(dir: &Path) -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = path_of(&own, dir)?;
    if path.is_file() {
        return Ok(path);
    }
    let folder = path.parent().expect("it is in a folder");
    DirBuilder::new().mode(0o700).recursive(true).create(folder)?;
    let mut unfinished = tempfile::NamedTempFile::new_in(folder)?;
    io::copy(&mut File::open(own)?, &mut unfinished)?;
    unfinished.as_file().set_permissions(fs::Permissions::from_mode(0o700))?;
    unfinished.as_file().sync_all()?;
    unfinished.persist(&path)?;
    Ok(path)
}

/// Where this lp-host is in that folder, or would be.
pub(in crate::cli) fn binary_path(dir: &Path) -> io::Result<PathBuf> {
    path_of(&std::env::current_exe()?, dir)
}

fn path_of(own: &Path, dir: &Path) -> io::Result<PathBuf> {
    let digest = Digest::of(&fs::read(own)?).to_string();
    Ok(dir.join("bin").join(format!("lp-host-{}", &digest[..DIGEST_CHARS])))
}
