//! Where this user's keys are, and the hosts that a program runs on.

use std::path::{Path, PathBuf};

use lp_base::plan::{LaunchType, Plan};
use lp_remote::hosts::{Hosts, HostsError};
use lp_remote::key::{Key, KeyError};
use lp_remote::placement::{Placed, place};

use super::screen::{CliError, exit_code};

/// The variable that says where keys are.
const VARIABLE: &str = "LP_HOST_CONFIG";

/// The folder of keys and of the launchers that an agent serves: `$LP_HOST_CONFIG`, or `lp-host` in the user's folder of settings.
pub(super) fn config_dir() -> Result<PathBuf, CliError> {
    let dir = |variable: &str, below: &str| {
        std::env::var_os(variable).filter(|dir| !dir.is_empty()).map(|dir| PathBuf::from(dir).join(below))
    };
    let found =
        dir(VARIABLE, "").or_else(|| dir("XDG_CONFIG_HOME", "lp-host")).or_else(|| dir("HOME", ".config/lp-host"));
    found.ok_or_else(|| {
        let error = "there is no folder for keys, because neither `HOME` nor `XDG_CONFIG_HOME` is set";
        CliError::new(exit_code::WRONG_USAGE, error).hint(format!("set `{VARIABLE}` to one"))
    })
}

/// The key of this user as a launcher, which is made when it is first needed.
pub(super) fn launcher_key() -> Result<Key, CliError> {
    Ok(Key::load_or_create(&config_dir()?.join("launcher.key"))?)
}

/// The key of this user's agent.
pub(super) fn agent_key() -> Result<Key, CliError> {
    Ok(Key::load_or_create(&config_dir()?.join("agent.key"))?)
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        CliError::new(exit_code::WRONG_USAGE, error)
    }
}

impl From<HostsError> for CliError {
    fn from(error: HostsError) -> Self {
        CliError::new(exit_code::WRONG_PROGRAM, error)
    }
}

/// The file of hosts: the one that was named, or that of the environment where the launch type needs one.
pub(super) fn file(named: Option<PathBuf>, launch_type: LaunchType) -> Option<PathBuf> {
    let of_environment = || std::env::var_os("LP_HOST_HOSTS").filter(|file| !file.is_empty()).map(PathBuf::from);
    named.or_else(|| if launch_type == LaunchType::Remote { of_environment() } else { None })
}

/// The hosts of a file, and on which of them the workers of `plan` run.
pub(super) fn placed(file: &Path, plan: &Plan) -> Result<(Hosts, Placed), CliError> {
    let hosts = Hosts::load(file)?;
    let wrong = |message: String| CliError::new(exit_code::WRONG_PROGRAM, message);
    for node in &plan.nodes {
        if let Some(name) = node.hosts.names.iter().find(|name| !hosts.names().any(|other| other == **name)) {
            let known: Vec<_> = hosts.names().map(|name| format!("`{name}`")).collect();
            let message =
                format!("`{}` is to run on the host `{name}`, which `{}` does not have", node.name, file.display());
            return Err(wrong(message).hint(format!("it has {}", known.join(", "))));
        }
    }
    let placed = place(plan, &hosts.hosts)
        .map_err(|unplaced| wrong(unplaced.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    Ok((hosts, placed))
}
