//! What the replicas of a node may use of their machine. Everything that is not granted here is denied.

mod authorities;
mod host;
mod http;
mod network;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use authorities::{Authorities, BadAuthorities};
pub use host::{BadHost, Host, HostPattern};
pub use http::{BadHttpGrant, HttpGrant, HttpOrigin};
pub use network::{Addresses, BadNetworkGrant, NetworkGrant, NetworkUse};
use serde::{Deserialize, Serialize};

/// What one replica may use. Everything that is not granted is denied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The directories of the host that the guest sees.
    pub dirs: Vec<PathGrant>,
    /// The single files of the host that the guest sees.
    pub files: Vec<PathGrant>,
    /// The environment variables that the guest gets from whoever starts the program.
    pub inherit_env: Vec<String>,
    /// The values that `wasi:config` serves beside those of the node's `config`, and that are shown nowhere.
    pub secrets: BTreeMap<String, SecretSource>,
    /// What the guest may do with sockets.
    pub network: Vec<NetworkGrant>,
    /// Where the guest's HTTP requests may go.
    pub http: Vec<HttpGrant>,
    /// A PEM file with the certificates of authorities that vouch for servers, beside Mozilla's; made absolute as
    /// the path of a component is. What is in it is in the linked program's `authorities`.
    pub http_ca: Option<PathBuf>,
    /// What time the guest sees.
    pub clock: Clock,
    /// Where the guest's random numbers come from.
    pub random: Random,
}

/// A directory or a single file of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathGrant {
    /// The path on the host; made absolute as the path of a component is. A plan has it without symbolic links.
    pub host: PathBuf,
    /// The absolute path under which the guest sees it.
    pub guest: String,
    /// What the guest may do with it.
    pub access: Access,
}

/// What a guest may do with a file or in a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// List and read.
    #[default]
    Read,
    /// List, read, create, write and remove.
    ReadWrite,
}

/// Where the value of a secret is, which is read when the program is launched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// In a file; made absolute as the path of a component is.
    File(PathBuf),
    /// In an environment variable of whoever starts the program.
    Env(String),
}

/// What time a guest sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The machine's.
    #[default]
    Real,
    /// One that starts at this time and goes on by a microsecond each time it is read.
    Fixed(Timestamp),
}

/// Where a guest's random numbers come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Random {
    /// The machine's generator.
    #[default]
    Real,
    /// One that gives the same in every run.
    Seed(i64),
}

/// A time from 1970 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp {
    since_epoch: Duration,
}

/// Why a text is no [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no time from 1970 on as RFC 3339 writes it")]
pub struct BadTimestamp;

impl Timestamp {
    /// The time since the beginning of 1970.
    pub fn since_epoch(self) -> Duration {
        self.since_epoch
    }
}

impl FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Timestamp, BadTimestamp> {
        let time: prost_types::Timestamp = text.parse().map_err(|_| BadTimestamp)?;
        let seconds = u64::try_from(time.seconds).map_err(|_| BadTimestamp)?;
        let nanos = u32::try_from(time.nanos).map_err(|_| BadTimestamp)?;
        Ok(Timestamp { since_epoch: Duration::new(seconds, nanos) })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.since_epoch.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(self.since_epoch.subsec_nanos()).expect("a second has fewer nanoseconds");
        prost_types::Timestamp { seconds, nanos }.fmt(f)
    }
}
