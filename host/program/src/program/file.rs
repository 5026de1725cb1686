//! The program file as serde types: what `program.toml` may say, and the JSON schema of it for editors.
//!
//! The comments on the fields are the user's reference: they become the descriptions in the schema. Every field is
//! optional for serde, so that a missing one is reported by its own rule with the rest of the file still checked.

mod colocation;
mod config;
mod hosts;
mod kubernetes;
mod limits;
mod listen;
mod operator;
mod replay;
mod restart;
mod sandbox;
mod slurm;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub(super) use colocation::ColocationFile;
use config::ConfigText;
use hosts::HostsFile;
pub(super) use kubernetes::KubernetesFile;
use limits::another_way;
pub(super) use limits::{LimitText, LimitsFile};
pub(super) use listen::ListenFile;
use lp_base::words::{AtLimit, DurationText, Limit, ReplayAccess, SizeText};
pub(super) use operator::{AllowFile, OperatorFile, RequireFile, TotalFile};
pub(super) use replay::{CheckpointFile, ErrorBuffer, NodeType, RateLimiterFile, ReplayFile, SelectorFile, TableFile};
pub(super) use restart::{RestartFile, RestartTable};
pub(super) use sandbox::{ClockFile, PathFile, RandomFile, SandboxFile, SecretFile};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
pub(super) use slurm::SlurmFile;
use toml::Spanned;

use super::{Hardening, Pick, REPLICAS_MAX, Retry, WhenFull};

/// A distributed program: named nodes that call each other through handles.
///
/// ```toml
/// name = "counting"
///
/// [nodes.producer]
/// component = "producer.wasm"
///
/// [nodes.consumer]
/// component = "consumer.wasm"
/// handles = { producers = "producer" }
/// ```
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "lp-host program")]
pub(super) struct ProgramFile {
    /// The name of the program, in kebab-case, at most 64 characters: `name = "counting"`.
    #[schemars(with = "String")]
    pub name: Option<Spanned<String>>,

    /// How long nodes may take to stop when they are asked to, before they are dropped: `grace = "5s"`, which is the
    /// default. Units: ms, s, m, h.
    #[serde(default)]
    #[schemars(with = "DurationText", extend("default" = "5s"))]
    pub grace: Option<Spanned<DurationText>>,

    /// The largest call or result that passes between nodes, encoded: `message-max = "64MiB"`, which is the default.
    /// Units: B, KiB, MiB, GiB. At most 1GiB.
    #[serde(default)]
    #[schemars(with = "SizeText", extend("default" = "64MiB"))]
    pub message_max: Option<Spanned<SizeText>>,

    /// Whether worker processes, of the launch type `processes`, are hardened by the kernel: no new privileges, Landlock,
    /// a filter of system calls, no core files. `hardening = "auto"`, which is the default, has as much of it as there
    /// is, with a warning if that is not all; `"require"` launches the program with all of it or not at all, and so not
    /// as `threads`; `"off"` does without.
    #[serde(default)]
    pub hardening: Hardening,

    /// The nodes by their names, in kebab-case, each as a table `[nodes.name]`. At least one.
    #[schemars(with = "BTreeMap<String, NodeFile>", extend("minProperties" = 1))]
    pub nodes: Option<BTreeMap<Spanned<String>, NodeFile>>,

    /// Nodes that belong together, by a name in kebab-case, each as a table `[colocate.name]`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ColocationFile>")]
    pub colocate: BTreeMap<Spanned<String>, ColocationFile>,

    /// The limits that no node may exceed, and that a node which says nothing has where they are below its default:
    /// `limits = { memory = "1GiB", cpu = "1h" }`.
    #[serde(default)]
    pub limits: LimitsFile,

    /// The policy of whoever runs the program. It comes from a file of its own and is put here when that is read.
    #[serde(default)]
    #[schemars(skip)]
    pub operator_policy: OperatorFile,
}

/// One node: a component, and everything that it is given.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as [nodes.producer]")]
#[schemars(title = "node")]
pub(super) struct NodeFile {
    /// What the node is: `type = "component"`, which is the default, or `type = "replay"` for tables of experience that the
    /// host itself keeps, as Reverb does. A replay node has `tables` and no component.
    #[serde(default, rename = "type")]
    pub node_type: NodeType,

    /// The component file, relative to the program file: `component = "producer.wasm"`.
    #[schemars(with = "String")]
    pub component: Option<Spanned<String>>,

    /// The SHA-256 digest that the component file must have, as `lp-host inspect` shows it: `sha256 = "9f86d0…"`. A
    /// component that is another one is refused.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = "^[0-9A-Fa-f]{64}$"))]
    pub sha256: Option<Spanned<String>>,

    /// The command that builds the component, run by a shell in the directory of the program file:
    /// `build = "cargo build --release --target wasm32-wasip2 -p producer"`. Or the path of a `build.toml` beside the
    /// source, which says its language: `build = "nodes/producer/build.toml"`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub build: Option<Spanned<String>>,

    /// How many instances of the node run: `replicas = 2`. From 1, which is the default, to 10000.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = REPLICAS_MAX), extend("default" = 1))]
    pub replicas: Option<Spanned<i64>>,

    /// Whether the component's `wasi:cli/run` is run when the node starts: `run = false` leaves a node that only
    /// serves calls. Without it, the entry point is run if the component has one.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub run: Option<Spanned<bool>>,

    /// The clients of other nodes that the node is given, by the names it knows them by:
    /// `handles = { producers = "producer" }`. A name in the table is a node, a list of names is a group, and a table
    /// says more: `handles = { producers = { node = "producer", timeout = "5s" } }`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, HandleFile>")]
    pub handles: BTreeMap<Spanned<String>, Spanned<HandleFile>>,

    /// The arguments that the guest sees: `args = ["--steps", "10"]`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub args: Vec<Spanned<String>>,

    /// The values that the guest reads through `wasi:config`: `config = { greeting = "hello", steps = 1000 }`. Each reaches it as
    /// text.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ConfigText>", extend("default" = {}))]
    pub config: BTreeMap<Spanned<String>, ConfigText>,

    /// The environment variables that the guest sees: `env = { RUST_LOG = "info" }`. It inherits none.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub env: BTreeMap<Spanned<String>, Spanned<String>>,

    /// When a replica that has ended is started again: `restart = "on-failure"`, or with its budget
    /// `restart = { policy = "on-failure", max = 3, window = "60s" }`. It starts over, with its `run` if it has one.
    /// Without it, a replica that fails fails the program.
    #[serde(default)]
    #[schemars(with = "RestartFile")]
    pub restart: Option<Spanned<RestartFile>>,

    /// The address at which clients from outside the program can call the node: `listen = "127.0.0.1:7001"`, or with who is
    /// let in `listen = { address = "0.0.0.0:7001", certificate = "server.pem", key = "server.key" }`. With port 0, the
    /// system picks one.
    #[serde(default)]
    #[schemars(with = "ListenFile")]
    pub listen: Option<Spanned<ListenFile>>,

    /// What each replica may use at most: `limits = { memory = "64MiB", call-cpu = "1s" }`.
    #[serde(default)]
    pub limits: LimitsFile,

    /// The limits on calls to each replica: `inbox = { queued-max = 1024, concurrent-max = 256 }`.
    #[serde(default)]
    pub inbox: InboxFile,

    /// What each replica may use: `sandbox = { memory = "64MiB" }`. What is not granted is denied.
    #[serde(default)]
    pub sandbox: SandboxFile,

    /// The hosts that the node may run on, where a program runs on several: `hosts = ["a", "b"]`, or by what hosts are labelled
    /// with and how replicas are put on them, `hosts = { labels = ["gpu"], placement = "pack" }`.
    #[serde(default)]
    #[schemars(with = "HostsFile")]
    pub hosts: Option<HostsFile>,

    /// What the node asks of Slurm, with `--launch-type slurm`: `slurm = { cpus = 4, memory = "8GiB", partition = "gpu" }`.
    #[serde(default)]
    pub slurm: SlurmFile,

    /// What the node asks of Kubernetes, with `--launch-type kubernetes`: `kubernetes = { cpu = "2", memory = "8GiB" }`.
    #[serde(default)]
    pub kubernetes: KubernetesFile,

    /// The tables of a replay node, each as `[[nodes.name.tables]]`. At least one.
    #[serde(default)]
    #[schemars(with = "Vec<TableFile>", extend("minItems" = 1))]
    pub tables: Option<Vec<Spanned<TableFile>>>,

    /// What becomes of an insert into a replay node whose chunks take `limits.memory`: with `at-limit = "block"`, which is
    /// the default, it waits for room; with `"evict"`, items of its table make room, as its `remover` picks them.
    #[serde(default)]
    #[schemars(with = "AtLimit")]
    pub at_limit: Option<AtLimit>,

    /// Where a replay node writes its tables, and loads them from when it starts:
    /// `checkpoint = { dir = "checkpoints", every = "10m" }`. Without it, they are lost with the node.
    #[serde(default)]
    #[schemars(with = "CheckpointFile")]
    pub checkpoint: Option<Spanned<CheckpointFile>>,
}

/// A client of one node or of a group, in full.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { node = \"producer\" }")]
#[schemars(title = "handle")]
pub(super) struct HandleTable {
    /// The node that the handle reaches: `{ node = "producer" }`. Either this or `nodes`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub node: Option<Spanned<String>>,

    /// The group of nodes that the handle reaches: `{ nodes = ["left", "right"] }`. Either this or `node`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub nodes: Option<Vec<Spanned<String>>>,

    /// How long a call may take, from being made to its result: `{ node = "producer", timeout = "5s" }`. Without it a
    /// call may take forever. Units: ms, s, m, h.
    #[serde(default)]
    #[schemars(with = "DurationText")]
    pub timeout: Option<Spanned<DurationText>>,

    /// Whether a call waits for a node that is not up yet, instead of failing as unavailable:
    /// `{ node = "producer", wait-for-ready = false }`.
    #[serde(default)]
    #[schemars(with = "bool", extend("default" = true))]
    pub wait_for_ready: Option<bool>,

    /// Which of the ready replicas a call of a plain import goes to: `{ node = "producer", pick = "least-pending" }`
    /// for the one with the fewest unanswered calls of this caller. By default they take turns, `"round-robin"`.
    #[serde(default)]
    pub pick: Pick,

    /// Which calls are made again when their callee was lost and may have worked on them:
    /// `{ node = "producer", retry = "idempotent" }` for all of them. The default is `"never"`.
    #[serde(default)]
    pub retry: Retry,

    /// What the handle lets the node do with a replay node: `{ node = "replay", access = ["read", "write"] }`, which is the
    /// default. `"read"` is for `lp:replay/reader`, `"write"` for `writer`, and `"admin"` for `admin`.
    #[serde(default)]
    #[schemars(with = "Vec<ReplayAccess>")]
    pub access: Option<Spanned<Vec<ReplayAccess>>>,

    /// What a call to a replica does that has as many calls waiting as it accepts:
    /// `{ node = "producer", when-full = "fail" }` fails as overloaded at once. By default, `"wait"`, it waits for room
    /// until its timeout.
    #[serde(default)]
    pub when_full: WhenFull,
}

/// The limits on calls to each replica.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { queued-max = 1024 }")]
#[schemars(title = "inbox")]
pub(super) struct InboxFile {
    /// The node's `limits.calls-queued`, another way to write it: `inbox = { queued-max = 100 }`.
    #[serde(default)]
    #[schemars(with = "u32", transform = another_way(Limit::CallsQueued))]
    pub queued_max: Option<Spanned<i64>>,

    /// The node's `limits.calls-concurrent`, another way to write it: `inbox = { concurrent-max = 16 }`.
    #[serde(default)]
    #[schemars(with = "u32", transform = another_way(Limit::CallsConcurrent))]
    pub concurrent_max: Option<Spanned<i64>>,

    /// The node's `limits.calls-per-connection`, another way to write it: `inbox = { in-flight-per-connection = 100 }`.
    #[serde(default)]
    #[schemars(with = "u32", transform = another_way(Limit::CallsPerConnection))]
    pub in_flight_per_connection: Option<Spanned<i64>>,
}

/// The three ways to write a handle.
#[derive(Debug)]
pub(super) enum HandleFile {
    /// `"producer"`
    Node(String),
    /// `["left", "right"]`
    Group(Vec<Spanned<String>>),
    /// `{ node = "producer", timeout = "5s" }`
    Table(HandleTable),
}

impl<'de> Deserialize<'de> for HandleFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HandleFile, D::Error> {
        deserializer.deserialize_any(HandleVisitor)
    }
}

struct HandleVisitor;

impl<'de> Visitor<'de> for HandleVisitor {
    type Value = HandleFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a node, a list of names, or a table such as { node = \"producer\", timeout = \"5s\" }")
    }

    fn visit_str<E>(self, name: &str) -> Result<HandleFile, E> {
        Ok(HandleFile::Node(name.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<HandleFile, A::Error> {
        let mut group = Vec::new();
        while let Some(name) = names.next_element()? {
            group.push(name);
        }
        Ok(HandleFile::Group(group))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HandleFile, A::Error> {
        HandleTable::deserialize(MapAccessDeserializer::new(map)).map(HandleFile::Table)
    }
}

impl JsonSchema for HandleFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Handle".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<HandleTable>();
        json_schema!({
            "anyOf": [
                { "type": "string", "description": "The name of a node." },
                { "type": "array", "items": { "type": "string" }, "description": "The names of a group of nodes." },
                table,
            ]
        })
    }
}

/// The JSON schema (draft 2020-12) of a program file, made from the types that parse it.
pub fn schema() -> serde_json::Value {
    schema_for::<ProgramFile>()
}

/// The JSON schema (draft 2020-12) of the policy file of an operator.
pub fn policy_schema() -> serde_json::Value {
    schema_for::<OperatorFile>()
}

/// The JSON schema of a file, made from the type that parses it.
pub(super) fn schema_for<T: JsonSchema>() -> serde_json::Value {
    let mut settings = schemars::generate::SchemaSettings::draft2020_12();
    // Editors show a subschema better where it is used than behind a reference; the file has few types.
    settings.inline_subschemas = true;
    // TOML has no null, so none can be a default.
    settings.transforms.push(Box::new(RecursiveTransform(|schema: &mut Schema| {
        if schema.get("default").is_some_and(serde_json::Value::is_null) {
            schema.remove("default");
        }
    })));
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
