//! What the file of an operator may say: the policy to which whoever runs other people's programs holds them.

use lp_base::words::SizeText;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::LimitsFile;

/// The policy of an operator.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "lp-host policy")]
pub(in crate::program) struct OperatorFile {
    /// The limits that no node may exceed: `limits = { memory = "1GiB", cpu = "1h" }`.
    #[serde(default)]
    pub limits: LimitsFile,

    /// What programs may ask for. A key that is missing allows everything of its kind.
    #[serde(default)]
    pub allow: AllowFile,

    /// What programs must have.
    #[serde(default)]
    pub require: RequireFile,

    /// What all replicas of a program may have together.
    #[serde(default)]
    pub total: TotalFile,
}

/// What programs may ask for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as [allow]")]
#[schemars(title = "allow")]
pub(in crate::program) struct AllowFile {
    /// The directories below which everything is that a node is granted: its `dirs`, its `files`, and its secrets in files.
    /// Relative to the policy file: `dirs = ["/srv/data"]`.
    #[schemars(with = "Option<Vec<String>>")]
    pub dirs: Option<Vec<Spanned<String>>>,

    /// The directories below which a node may be granted `access = "read-write"`: `writable-dirs = ["/srv/data/out"]`.
    #[schemars(with = "Option<Vec<String>>")]
    pub writable_dirs: Option<Vec<Spanned<String>>>,

    /// The grants of sockets, each of which has to be within one of these: `network = ["tcp-connect:10.0.0.0/8:*"]`.
    #[schemars(with = "Option<Vec<String>>")]
    pub network: Option<Vec<Spanned<String>>>,

    /// The grants of HTTP requests, each of which has to be within one of these: `http = ["https://*.example.org"]`.
    #[schemars(with = "Option<Vec<String>>")]
    pub http: Option<Vec<Spanned<String>>>,

    /// The addresses at which a node may `listen`: `listen = ["127.0.0.1:*"]`.
    #[schemars(with = "Option<Vec<String>>")]
    pub listen: Option<Vec<Spanned<String>>>,

    /// The variables of whoever runs the program that a node may get, by `inherit-env` or as a secret:
    /// `inherit-env = ["LANG"]`.
    pub inherit_env: Option<Vec<String>>,

    /// Whether nodes may have secrets: `secrets = false`.
    pub secrets: Option<bool>,

    /// Whether nodes may have a `build` line, which runs as whoever runs the program: `build = false`.
    pub build: Option<bool>,
}

/// What programs must have.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as [require]")]
#[schemars(title = "require")]
pub(in crate::program) struct RequireFile {
    /// Whether every node must name the digest of its component, as `lp-host lock` writes it: `sha256 = true`.
    #[serde(default)]
    pub sha256: bool,

    /// Whether every program runs as if it said `hardening = "require"`: `hardening = true`.
    #[serde(default)]
    pub hardening: bool,
}

/// What all replicas of a program may have together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as [total]")]
#[schemars(title = "total")]
pub(in crate::program) struct TotalFile {
    /// How many replicas all nodes have together, at most: `replicas = 100`.
    pub replicas: Option<u64>,

    /// The `memory` of all replicas together, at most: `memory = "64GiB"`.
    #[schemars(with = "Option<SizeText>")]
    pub memory: Option<Spanned<SizeText>>,
}
