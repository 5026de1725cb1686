//! Programs that the engine of a cluster runs: what `lp-host run` does for launch types that are no [`LaunchType`] of a plan.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use lp_base::plan::{LaunchType, UnknownLaunchType};

use super::kubernetes;

/// How a program is launched: by this lp-host itself, or on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Launch {
    /// By this lp-host.
    Here(LaunchType),
    /// By an engine. Its plan is one for several hosts, which are the units that the engine starts.
    On(Engine),
}

/// What runs the processes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Slurm,
    Kubernetes,
}

impl Engine {
    const ALL: [Self; 2] = [Self::Slurm, Self::Kubernetes];

    /// The launch type that its users ask for.
    fn name(self) -> &'static str {
        match self {
            Self::Slurm => "slurm",
            Self::Kubernetes => "kubernetes",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Launch {
    type Err = UnknownLaunch;

    fn from_str(name: &str) -> Result<Self, UnknownLaunch> {
        match Engine::ALL.into_iter().find(|engine| engine.name() == name) {
            Some(engine) => Ok(Self::On(engine)),
            None => name.parse().map(Self::Here).map_err(UnknownLaunch),
        }
    }
}

/// A text that names neither a launch type nor an engine.
#[derive(Debug, thiserror::Error)]
#[error("{0}; on clusters there are `slurm` and `kubernetes`")]
pub(super) struct UnknownLaunch(UnknownLaunchType);

/// What is said of launches on clusters alone.
#[derive(Debug, clap::Args)]
pub(super) struct ClusterArgs {
    /// Print what would be submitted to the cluster, and submit nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The folder that this machine shares with those of a cluster of Slurm; `$LP_HOST_SHARED_DIR`, or `~/.lp-host`, if it is not
    /// said
    #[arg(long, value_name = "DIR")]
    pub shared_dir: Option<PathBuf>,
    #[command(flatten)]
    pub kubernetes: kubernetes::Args,
}
