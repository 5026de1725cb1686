//! What a program file says of the sandbox of a node.

use std::collections::BTreeMap;
use std::fmt;

use lp_base::words::{Access, Limit, SizeText};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use toml::Spanned;

use super::limits::another_way;

/// What each replica may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { memory = \"64MiB\" }")]
#[schemars(title = "sandbox")]
pub(in crate::program) struct SandboxFile {
    /// The node's `limits.memory`, another way to write it: `sandbox = { memory = "64MiB" }`.
    #[serde(default)]
    #[schemars(with = "SizeText", transform = another_way(Limit::Memory))]
    pub memory: Option<Spanned<SizeText>>,

    /// The directories that the guest sees: `sandbox = { dirs = [{ host = "data", guest = "/data" }] }`. None without.
    #[serde(default)]
    pub dirs: Vec<PathFile>,

    /// The single files that the guest sees: `sandbox = { files = [{ host = "model.bin", guest = "/model.bin" }] }`,
    /// and nothing of the directories that they are in. None without.
    #[serde(default)]
    pub files: Vec<PathFile>,

    /// The environment variables that the guest gets from whoever starts the program, by their names:
    /// `sandbox = { inherit-env = ["LANG"] }`. They must be set then. None without.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub inherit_env: Vec<Spanned<String>>,

    /// Values that the guest reads through `wasi:config` as it does those of `config`, and that the host shows nowhere:
    /// `sandbox = { secrets = { api-key = { file = "api-key.txt" } } }`. None without.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, SecretFile>")]
    pub secrets: BTreeMap<Spanned<String>, Spanned<SecretFile>>,

    /// What the guest may do with sockets, each a use, an address and a port:
    /// `sandbox = { network = ["tcp-connect:10.0.0.0/8:5432", "dns:*.example.org"] }`. The uses are `tcp-connect`,
    /// `tcp-listen`, `udp` for whom datagrams go to and come from, `udp-bind` for where they are sent from and received,
    /// and `dns` for names to look up. An address may be a network such as `10.0.0.0/8` or `*` for all, IPv6 is in
    /// brackets, and a port may be a range such as `8000-8010`, `*` for all, or for `tcp-listen` and `udp-bind` 0 for one
    /// that the system picks. None without.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub network: Vec<Spanned<String>>,

    /// Where the guest's requests by `wasi:http` may go, each a scheme, a host and a port, 443 or 80 if it is left out:
    /// `sandbox = { http = ["https://api.example.org", "https://*.example.org:8443"] }`. A redirect is a request of its
    /// own. `*` stands for any host or port. Nowhere without.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub http: Vec<Spanned<String>>,

    /// A PEM file, relative to the program file, with the certificates of authorities that vouch for the servers of the
    /// guest's requests by `https`, beside Mozilla's: `sandbox = { http-ca = "ca.pem" }`. Such as those of a company, or of
    /// its proxy. Only Mozilla's without.
    #[serde(default)]
    #[schemars(with = "String")]
    pub http_ca: Option<Spanned<String>>,

    /// What time the guest sees: `sandbox = { clock = "real" }`, which is the default, or
    /// `sandbox = { clock = { fixed = "2026-01-01T00:00:00Z" } }` for one that starts there and goes on by a microsecond
    /// each time it is read. What the guest waits for takes the time that it takes in either.
    #[serde(default)]
    #[schemars(extend("default" = "real"))]
    pub clock: ClockFile,

    /// Where the guest's random numbers come from: `sandbox = { random = "real" }`, which is the default and fit for keys,
    /// or `sandbox = { random = { seed = 1 } }` for the same ones in every run, different in each replica.
    #[serde(default)]
    #[schemars(extend("default" = "real"))]
    pub random: RandomFile,
}

/// A directory or a single file that the guest sees.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { host = \"data\", guest = \"/data\" }"
)]
#[schemars(title = "directory or file")]
pub(in crate::program) struct PathFile {
    /// The directory or file of this machine, relative to the program file: `host = "data"`. It must exist.
    #[schemars(with = "String")]
    pub host: Spanned<String>,

    /// The absolute path under which the guest sees it: `guest = "/data"`.
    #[schemars(with = "String")]
    pub guest: Spanned<String>,

    /// What the guest may do with it: `access = "read"`, which is the default, or `access = "read-write"`. It can't remove
    /// or rename it.
    #[serde(default)]
    pub access: Access,
}

/// Where the value of a secret is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { file = \"api-key.txt\" } or { env = \"API_KEY\" }"
)]
#[schemars(title = "secret")]
pub(in crate::program) struct SecretFile {
    /// The file with it, relative to the program file: `{ file = "api-key.txt" }`. A line break at its end is left out.
    /// Either this or `env`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub file: Option<String>,

    /// The environment variable, of whoever starts the program, with it: `{ env = "API_KEY" }`. Either this or `file`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub env: Option<String>,
}

/// The two ways to write a clock.
#[derive(Debug, Default)]
pub(in crate::program) enum ClockFile {
    /// `"real"`
    #[default]
    Real,
    /// `{ fixed = "2026-01-01T00:00:00Z" }`
    Table(ClockTable),
}

/// A clock that shows the same in every run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { fixed = \"2026-01-01T00:00:00Z\" }")]
#[schemars(title = "fixed clock")]
pub(in crate::program) struct ClockTable {
    /// The time that the clock starts at, as RFC 3339 writes it: `{ fixed = "2026-01-01T00:00:00Z" }`.
    #[schemars(with = "String")]
    pub fixed: Spanned<String>,
}

/// The two ways to write a source of random numbers.
#[derive(Debug, Default)]
pub(in crate::program) enum RandomFile {
    /// `"real"`
    #[default]
    Real,
    /// `{ seed = 1 }`
    Table(RandomTable),
}

/// A source of the same random numbers in every run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { seed = 1 }")]
#[schemars(title = "seeded random numbers")]
pub(in crate::program) struct RandomTable {
    /// What the numbers depend on, beside the names of the program and the replica: `{ seed = 1 }`.
    #[schemars(with = "u64")]
    pub seed: i64,
}

macro_rules! real_or_table {
    ($file:ident, $table:ident, $visitor:ident, $expected:literal) => {
        impl<'de> Deserialize<'de> for $file {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$file, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }

        struct $visitor;

        impl<'de> Visitor<'de> for $visitor {
            type Value = $file;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expected)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<$file, E> {
                match text {
                    "real" => Ok($file::Real),
                    _ => Err(E::unknown_variant(text, &["real"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$file, A::Error> {
                $table::deserialize(MapAccessDeserializer::new(map)).map($file::Table)
            }
        }

        impl JsonSchema for $file {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($file).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let table = generator.subschema_for::<$table>();
                json_schema!({ "anyOf": [{ "type": "string", "const": "real", "description": "The machine's own." }, table] })
            }
        }
    };
}

real_or_table!(
    ClockFile,
    ClockTable,
    ClockVisitor,
    "\"real\", or a table such as { fixed = \"2026-01-01T00:00:00Z\" }"
);
real_or_table!(RandomFile, RandomTable, RandomVisitor, "\"real\", or a table such as { seed = 1 }");
