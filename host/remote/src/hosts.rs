//! The file of hosts: where agents are, and what fits there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lp_base::words::{parse_duration, parse_size};
use serde::Deserialize;
use toml::Spanned;

use crate::arrivals::Arrival;
use crate::key::Fingerprint;

/// How long a host goes unheard of before it counts as lost, if the file does not say.
const LEASE_DEFAULT: Duration = Duration::from_secs(3);

/// How short a lease may be: renewals take a few ways through a network.
const LEASE_MIN: Duration = Duration::from_secs(1);

/// How long a lease may be: as long as processes may outlive their launcher.
const LEASE_MAX: Duration = Duration::from_secs(3600);

/// The port of an agent, where an address has none.
pub const AGENT_PORT: u16 = 7411;

/// The hosts that a program may run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// In the order of their names.
    pub hosts: Vec<Host>,
    /// How long an agent keeps what it started when it hears nothing of the launcher.
    pub lease: Duration,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What it is called.
    pub name: String,
    /// How its agent is reached.
    pub reach: Reach,
    /// What nodes may ask for.
    pub labels: BTreeSet<String>,
    /// The most replicas that run there at the same time; any number if it is not said.
    pub slots: Option<u32>,
    /// The `memory` that all replicas there may have together, in bytes; any if it is not said.
    pub memory: Option<u64>,
    /// Where other hosts reach its workers, if not where the launcher reaches its agent.
    pub advertise: Option<String>,
}

/// How an agent is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// One that listens there.
    Tcp {
        /// A name or an address, and a port.
        address: String,
        /// The key that it must have.
        fingerprint: Fingerprint,
    },
    /// One that is started there by ssh.
    Ssh {
        /// What is given to `ssh`: `user@host`, or a name of its configuration.
        destination: String,
        /// The command that starts lp-host there.
        command: String,
        /// Whether this lp-host is copied there, for the time of the run, if that command is missing or another version.
        copy: bool,
    },
    /// One that comes by itself, as the engine of a cluster has started it. If it is lost, it comes again.
    Arrives {
        /// Where it is waited for.
        arrival: Arrival,
        /// How long.
        wait: Duration,
    },
}

impl Reach {
    /// How long the replicas of a host that is lost wait until it comes again, instead of going to another one.
    pub fn comes_again(&self) -> Option<Duration> {
        match self {
            Self::Arrives { wait, .. } => Some(*wait),
            Self::Tcp { .. } | Self::Ssh { .. } => None,
        }
    }
}

/// A file of hosts that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// It can't be read.
    #[error("`{}` can't be read", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is wrong at some place.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The character of the line, from 1.
        column: usize,
        /// What is wrong, and what would be right.
        message: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct HostsFile {
    lease: Option<Spanned<String>>,
    #[serde(default)]
    hosts: BTreeMap<Spanned<String>, HostFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as [hosts.a]")]
struct HostFile {
    address: Option<Spanned<String>>,
    fingerprint: Option<Spanned<String>>,
    ssh: Option<Spanned<String>>,
    command: Option<Spanned<String>>,
    copy: Option<Spanned<bool>>,
    #[serde(default)]
    labels: BTreeSet<String>,
    slots: Option<u32>,
    memory: Option<Spanned<String>>,
    advertise: Option<Spanned<String>>,
}

/// What is wrong, and where.
type Wrong = (Range<usize>, String);

impl Hosts {
    /// Reads the file.
    ///
    /// # Errors
    /// If it can't be read, or says what can't be: then where and what would be right.
    pub fn load(file: &Path) -> Result<Self, HostsError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| HostsError::File { file: file.to_owned(), source })?;
        let parsed = toml::from_str::<HostsFile>(&text)
            .map_err(|error| (error.span().unwrap_or(0..0), error.message().to_owned()))
            .and_then(Self::of_file);
        parsed.map_err(|(span, message)| {
            let before = &text[..span.start.min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            HostsError::Wrong { file: file.to_owned(), line, column, message }
        })
    }

    fn of_file(file: HostsFile) -> Result<Self, Wrong> {
        let lease = match &file.lease {
            None => LEASE_DEFAULT,
            Some(text) => parse_duration(text.get_ref())
                .filter(|lease| (LEASE_MIN..=LEASE_MAX).contains(lease))
                .ok_or_else(|| (text.span(), "a `lease` is from 1s to 1h, such as `lease = \"3s\"`".to_owned()))?,
        };
        if file.hosts.is_empty() {
            return Err((0..0, "there is no host: each is a table such as `[hosts.a]`".to_owned()));
        }
        let hosts = file.hosts.into_iter().map(|(name, host)| host.checked(&name)).collect::<Result<_, _>>()?;
        Ok(Self { hosts, lease })
    }

    /// The names of all hosts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.name.as_str())
    }
}

impl HostFile {
    fn checked(self, name: &Spanned<String>) -> Result<Host, Wrong> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let text = name.get_ref();
        if text.is_empty() || text.len() > 64 || !text.chars().all(is_plain) {
            let message =
                "the name of a host has lower-case letters, digits and dashes, at most 64 together".to_owned();
            return Err((name.span(), message));
        }
        let memory = match &self.memory {
            None => None,
            Some(size) => Some(parse_size(size.get_ref()).ok_or_else(|| {
                (size.span(), "a size has a unit out of `B`, `KiB`, `MiB` and `GiB`, as in `16GiB`".to_owned())
            })?),
        };
        Ok(Host {
            name: text.clone(),
            reach: self.reach(name)?,
            memory,
            labels: self.labels,
            slots: self.slots,
            advertise: self.advertise.map(Spanned::into_inner),
        })
    }

    fn reach(&self, name: &Spanned<String>) -> Result<Reach, Wrong> {
        match (&self.address, &self.ssh) {
            (Some(address), None) => {
                if let Some(key) = self.command.as_ref().map(Spanned::span).or(self.copy.as_ref().map(Spanned::span)) {
                    return Err((key, "`command` and `copy` are for hosts that are reached by `ssh`".to_owned()));
                }
                let fingerprint = self.fingerprint.as_ref().ok_or_else(|| {
                    let mend = "`lp-host agent --print-fingerprint` on that host shows it";
                    (address.span(), format!("a host with an `address` needs the `fingerprint` of its agent: {mend}"))
                })?;
                let parsed = fingerprint.get_ref().parse();
                let fingerprint = parsed.map_err(|error| (fingerprint.span(), format!("{error}")))?;
                let address = with_port(address.get_ref());
                Ok(Reach::Tcp { address, fingerprint })
            }
            (None, Some(ssh)) => {
                if let Some(fingerprint) = &self.fingerprint {
                    let message = "a host that is reached by `ssh` has no `fingerprint`: ssh knows it".to_owned();
                    return Err((fingerprint.span(), message));
                }
                let destination = ssh.get_ref().clone();
                if destination.is_empty() || destination.starts_with('-') {
                    return Err((ssh.span(), "`ssh` is a destination such as `user@host`".to_owned()));
                }
                let command = self.command.as_ref().map_or("lp-host", |command| command.get_ref()).to_owned();
                let copy = self.copy.as_ref().is_some_and(|copy| *copy.get_ref());
                Ok(Reach::Ssh { destination, command, copy })
            }
            (Some(_), Some(ssh)) => Err((ssh.span(), "a host has either an `address` or `ssh`".to_owned())),
            (None, None) => {
                let message = format!("`{}` has neither an `address` nor `ssh`", name.get_ref());
                Err((name.span(), message))
            }
        }
    }
}

/// The address with the port of an agent, unless it has one.
fn with_port(address: &str) -> String {
    let has_port = match address.strip_prefix('[') {
        Some(rest) => rest.contains("]:"),
        // An IPv6 address by itself has several.
        None => address.matches(':').count() == 1,
    };
    match (has_port, address.contains(':') && !address.starts_with('[')) {
        (true, _) => address.to_owned(),
        (false, true) => format!("[{address}]:{AGENT_PORT}"),
        (false, false) => format!("{address}:{AGENT_PORT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Hosts, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hosts.toml");
        std::fs::write(&file, text).unwrap();
        Hosts::load(&file).map_err(|error| error.to_string().replace(&*file.to_string_lossy(), "hosts.toml"))
    }

    #[test]
    fn hosts_are_reached_by_their_keys_or_by_ssh() {
        let key = Fingerprint::of(b"a");
        let text = format!(
            "lease = \"2s\"\n[hosts.a]\naddress = \"10.0.0.1\"\nfingerprint = \"{key}\"\nslots = 4\nmemory = \"1GiB\"\n\
             labels = [\"gpu\"]\n[hosts.b]\nssh = \"ada@b\"\ncopy = true\nadvertise = \"b.example.org\"\n"
        );
        let hosts = load(&text).unwrap();
        let a = Host {
            name: "a".to_owned(),
            reach: Reach::Tcp { address: "10.0.0.1:7411".to_owned(), fingerprint: key },
            labels: ["gpu".to_owned()].into(),
            slots: Some(4),
            memory: Some(1 << 30),
            advertise: None,
        };
        let reach = Reach::Ssh { destination: "ada@b".to_owned(), command: "lp-host".to_owned(), copy: true };
        let b = Host {
            name: "b".to_owned(),
            reach,
            labels: BTreeSet::new(),
            slots: None,
            memory: None,
            advertise: Some("b.example.org".to_owned()),
        };
        assert_eq!(hosts, Hosts { hosts: vec![a, b], lease: Duration::from_secs(2) });
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_would_be_right() {
        let check = |text: &str, expected: &str| {
            let error = load(text).unwrap_err();
            assert!(error.starts_with("hosts.toml:") && error.contains(expected), "{error}");
        };
        check("", "there is no host");
        check("[hosts.a]\n", "1:8: `a` has neither an `address` nor `ssh`");
        check("[hosts.a]\naddress = \"b\"\n", "2:11: a host with an `address` needs the `fingerprint`");
        check("[hosts.a]\naddress = \"b\"\nfingerprint = \"x\"\n", "3:15: a fingerprint is");
        check("[hosts.a]\nssh = \"b\"\naddress = \"c\"\n", "2:7: a host has either");
        check("[hosts.a]\nssh = \"-oProxyCommand=x\"\n", "2:7: `ssh` is a destination");
        check("[hosts.A]\nssh = \"b\"\n", "1:8: the name of a host");
        check("lease = \"1ms\"\n[hosts.a]\nssh = \"b\"\n", "1:9: a `lease` is from 1s");
        check("[hosts.a]\nssh = \"b\"\nmemory = \"lots\"\n", "3:10:");
        check("[hosts.a]\nssh = \"b\"\nslot = 1\n", "3:1: unknown field `slot`");
    }

    #[test]
    fn an_address_without_a_port_has_that_of_agents() {
        for (address, with) in [
            ("a.example", "a.example:7411"),
            ("a.example:1", "a.example:1"),
            ("10.0.0.1", "10.0.0.1:7411"),
            ("::1", "[::1]:7411"),
            ("[::1]", "[::1]:7411"),
            ("[::1]:1", "[::1]:1"),
        ] {
            assert_eq!(with_port(address), with);
        }
    }
}
