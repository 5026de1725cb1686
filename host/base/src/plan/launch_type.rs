//! How the workers of a plan come to run, and the names that users have for it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the workers of a plan come to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchType {
    /// Every replica in the process of the host, in parallel.
    Threads,
    /// A process for every replica, and for every colocation of mode `threads`, on this machine.
    Processes,
    /// The same processes, on the hosts of a `hosts.toml`.
    Remote,
}

impl LaunchType {
    /// Every launch type with the names it is called by; the first is its own, the others are Launchpad's.
    pub const NAMES: &[(LaunchType, &[&str])] = &[
        (LaunchType::Threads, &["threads", "local_mt"]),
        (LaunchType::Processes, &["processes", "local_mp"]),
        (LaunchType::Remote, &["remote"]),
    ];
}

/// A text that names no launch type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no launch type is named `{name}`; there are {}{}", known_names(), for_tests(name))]
pub struct UnknownLaunchType {
    name: String,
}

impl fmt::Display for LaunchType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = LaunchType::NAMES.iter().find(|(launch_type, _)| launch_type == self);
        f.write_str(names.expect("every launch type is in the list").1[0])
    }
}

impl FromStr for LaunchType {
    type Err = UnknownLaunchType;

    fn from_str(name: &str) -> Result<LaunchType, UnknownLaunchType> {
        let found = LaunchType::NAMES.iter().find(|(_, names)| names.contains(&name));
        found.map(|(launch_type, _)| *launch_type).ok_or_else(|| UnknownLaunchType { name: name.to_owned() })
    }
}

/// Where the launch types of tests are, which `lp-host run` does not have.
fn for_tests(name: &str) -> &'static str {
    if name.starts_with("test") { "; `lp-host test` has those of tests" } else { "" }
}

fn known_names() -> String {
    let names = LaunchType::NAMES.iter().map(|(_, names)| match names {
        [name, aliases @ ..] if !aliases.is_empty() => format!("`{name}` (also `{}`)", aliases.join("`, `")),
        names => format!("`{}`", names.join("`, `")),
    });
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_type_is_known_by_its_aliases_and_prints_as_itself() {
        for (name, own) in [("local_mt", "threads"), ("local_mp", "processes")] {
            assert_eq!(name.parse::<LaunchType>().map(|launch_type| launch_type.to_string()), Ok(own.to_owned()));
        }
        let error = "vertex_ai".parse::<LaunchType>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no launch type is named `vertex_ai`; there are `threads` (also `local_mt`), \
             `processes` (also `local_mp`), `remote`"
        );
        assert_eq!(serde_json::to_string(&LaunchType::Threads).unwrap(), "\"threads\"");
    }
}
