//! What this machine and account lack for programs on Slurm.

use super::{commands, shared};
use crate::cli::screen::Screen;

/// The oldest Slurm whose commands are known to fit.
const OLDEST: (u32, u32) = (22, 5);

/// The commands that launches and what follows them take.
const COMMANDS: [&str; 5] = ["sbatch", "squeue", "scontrol", "scancel", "sinfo"];

/// What was looked at, with what is missing and what fixes it, if anything is.
pub(in crate::cli) struct Finding {
    pub what: &'static str,
    pub missing: Option<(String, String)>,
}

/// Looks at everything that a launch needs.
pub(in crate::cli) async fn findings(screen: &Screen) -> Vec<Finding> {
    let missing = COMMANDS.into_iter().filter(|command| !commands::is_there(command)).collect::<Vec<_>>();
    if !missing.is_empty() {
        let mend = "run this on a login node of the cluster, or `apt-get install slurm-client` with its slurm.conf";
        let missing = Some((format!("there is no {}", missing.join(", ")), mend.to_owned()));
        return vec![Finding { what: "commands", missing }];
    }
    let folder = match shared::dir(None) {
        Ok(dir) => shared::check(&dir, screen).await,
        Err(error) => Err(error),
    };
    let folder = folder.err().map(|error| (error.text(), shared::SAY_WHERE.to_owned()));
    vec![
        Finding { what: "commands", missing: None },
        Finding { what: "version", missing: version().await },
        Finding { what: "controller", missing: partitions().await },
        Finding { what: "shared folder", missing: folder },
    ]
}

async fn version() -> Option<(String, String)> {
    let said = match commands::call("sinfo", &["--version"], None).await {
        Ok(said) => said,
        Err(error) => return Some((error.to_string(), "`sinfo --version` must work".to_owned())),
    };
    let number = said.split_whitespace().last().unwrap_or_default();
    let mut parts = number.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST => None,
        _ => Some((format!("`{}` is older than 22.05", said.trim()), "ask the people who run the cluster".to_owned())),
    }
}

/// Whether the controller answers, with a partition that takes jobs.
async fn partitions() -> Option<(String, String)> {
    match commands::call("sinfo", &["--noheader", "--format=%a"], None).await {
        Ok(states) if states.lines().any(|state| state.trim() == "up") => None,
        Ok(_) => Some(("no partition is up".to_owned(), "`sinfo` says which there are".to_owned())),
        Err(error) => Some((error.to_string(), "`scontrol ping` says whether the controller runs".to_owned())),
    }
}
