//! The file of tests as serde types: what `program.test.toml` may say, and the JSON schema of it for editors.

use std::collections::BTreeMap;

use lp_base::words::DurationText;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::program::file::schema_for;

/// The tests of a program.
///
/// ```toml
/// [tests.counts]
/// calls = ["counter.add(1) -> 1", "counter.add(2) -> 3"]
/// ```
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "lp-host tests")]
pub(super) struct TestsFile {
    /// The program file, relative to this one. `NAME.test.toml` has the tests of `NAME.toml` if it says nothing.
    #[serde(default)]
    #[schemars(with = "String")]
    pub program: Option<String>,

    /// The tests by their names, in kebab-case, each as a table `[tests.name]`. At least one.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, TestTable>", extend("minProperties" = 1))]
    pub tests: BTreeMap<Spanned<String>, TestTable>,
}

/// One test: how its program differs, what is done with it, and what is expected.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as [tests.counts]")]
#[schemars(title = "test")]
pub(super) struct TestTable {
    /// What is different from the program file, in its words: `program.nodes.consumer.run = false`. A node that only the
    /// test has drives the program: the test lasts until its `run` returns, and fails if that does.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    #[expect(dead_code, reason = "it is read as a part of the program")]
    program: Option<IgnoredAny>,

    /// Nodes that answer from a table in place of their components: `doubles.store.answers = ["get(_) -> none"]`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, DoubleFile>")]
    pub doubles: BTreeMap<Spanned<String>, DoubleFile>,

    /// Calls from outside, in WAVE, made one after the other: `calls = ["counter.add(1) -> 1"]`. `_` in a result stands for
    /// anything, a call without `->` may return anything, and `fails denied` expects that call error. `counter/1.add(1)`
    /// calls that replica.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub calls: Vec<Spanned<String>>,

    /// Nodes of the program whose `run` must return before the test ends: `waits-for = ["consumer"]`. Those that only the
    /// test has are waited for anyway.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub waits_for: Vec<Spanned<String>>,

    /// How long the test may take: `timeout = "30s"`, which is the default. Units: ms, s, m, h.
    #[serde(default)]
    #[schemars(with = "DurationText", extend("default" = "30s"))]
    pub timeout: Option<Spanned<DurationText>>,

    /// Grants of the program that its nodes keep in the test: `grants = ["network"]`. Without it they have no sockets, no
    /// HTTP, no secrets and no address to listen at, and write to copies of the directories and files that they are granted.
    #[serde(default)]
    pub grants: Vec<Grant>,

    /// What goes wrong in the test: `faults = [{ drop = "client -> store.get", call = 2 }, { crash = "store", at = "1s" }]`.
    /// Needs a deterministic run.
    #[serde(default)]
    #[schemars(with = "Vec<FaultFile>")]
    pub faults: Vec<Spanned<FaultFile>>,

    /// What must have become of the program at the end: `expect = { outcome = "finished" }`.
    #[serde(default)]
    pub expect: ExpectFile,
}

/// Something that goes wrong: one of the first nine keys says what and where, the others when and how.
///
/// Calls are named by their ends, `"client -> store"`, or `"store"` for those of all callers, with a replica or a method
/// where only that is meant: `"client/0 -> store/1.get"`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { drop = \"client -> store\", call = 2 }"
)]
#[schemars(title = "fault")]
pub(super) struct FaultFile {
    /// Calls that take longer: `{ delay = "client -> store", by = "50ms" }`.
    #[schemars(with = "Option<String>")]
    pub delay: Option<Spanned<String>>,
    /// Calls that overtake each other: each takes a time up to `by`, drawn from the seed.
    #[schemars(with = "Option<String>")]
    pub reorder: Option<Spanned<String>>,
    /// Calls that are lost: `{ drop = "client -> store", leg = "answer", probability = 0.1 }`.
    #[schemars(with = "Option<String>")]
    pub drop: Option<Spanned<String>>,
    /// Calls that fail: `{ fail = "store.get", with = "overloaded" }`.
    #[schemars(with = "Option<String>")]
    pub fail: Option<Spanned<String>>,
    /// Calls that find no room in the inbox for the time `by`: `{ fill = "store", by = "1s", call = 5 }`.
    #[schemars(with = "Option<String>")]
    pub fill: Option<Spanned<String>>,
    /// Replicas that crash, all at once: `{ crash = ["store", "cache/0"], at = "2s" }`, `{ crash = "store", call = 3 }`.
    #[schemars(with = "Option<NamesFile>")]
    pub crash: Option<Spanned<NamesFile>>,
    /// Replicas that do nothing for a while: `{ pause = "store", at = "1s", for = "5s" }`.
    #[schemars(with = "Option<NamesFile>")]
    pub pause: Option<Spanned<NamesFile>>,
    /// Replicas that are cut off from all others: `{ partition = ["client", "cache"], within = "1s", for = "100ms" }`.
    #[schemars(with = "Option<NamesFile>")]
    pub partition: Option<Spanned<NamesFile>>,
    /// Replicas whose time of day is ahead of the others': `{ skew = "store", by = "5s" }`.
    #[schemars(with = "Option<NamesFile>")]
    pub skew: Option<Spanned<NamesFile>>,
    /// How long a delay takes, or how far a clock is ahead: `by = "50ms"`.
    #[schemars(with = "Option<DurationText>")]
    pub by: Option<Spanned<DurationText>>,
    /// The call error of `fail`, `"unavailable"` if it says nothing.
    #[schemars(with = "Option<String>")]
    pub with: Option<Spanned<String>>,
    /// Whether the request is struck, as it is without this, or the answer.
    pub leg: Option<LegFile>,
    /// Only this call, counted from 1 among those that are named.
    pub call: Option<u64>,
    /// Each call with this probability, from 0 to 1.
    #[schemars(with = "Option<f64>")]
    pub probability: Option<Spanned<f64>>,
    /// The time since the start of the run from which on it happens.
    #[schemars(with = "Option<DurationText>")]
    pub at: Option<Spanned<DurationText>>,
    /// A time since the start of the run before which that is, drawn from the seed.
    #[schemars(with = "Option<DurationText>")]
    pub within: Option<Spanned<DurationText>>,
    /// How long it goes on.
    #[serde(rename = "for")]
    #[schemars(with = "Option<DurationText>")]
    pub length: Option<Spanned<DurationText>>,
    /// How often it happens at most.
    pub times: Option<u32>,
}

/// The message of a call that a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LegFile {
    /// To the callee.
    Request,
    /// Back to the caller.
    Answer,
}

/// The name of a node or a replica, or a list of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a name such as \"store\" or \"store/1\", or a list of them")]
pub(super) enum NamesFile {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl NamesFile {
    pub fn names(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
        .iter()
        .map(String::as_str)
    }
}

/// A kind of grant that nodes have in a test only if it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// `listen`
    Listen,
    /// `sandbox.network`
    Network,
    /// `sandbox.http`
    Http,
    /// `sandbox.secrets` and `sandbox.inherit-env`
    Secrets,
    /// Writing to the directories and files themselves
    Write,
}

/// What answers the calls of a node in place of its component.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { answers = [\"get(_) -> none\"] }"
)]
#[schemars(title = "double")]
pub(super) struct DoubleFile {
    /// The answers: `answers = ["get(\"a\") -> some(1)", { call = "get(_) fails unavailable", times = 2 }]`. A call gets the
    /// first one that is for it and not used up; without one the test fails.
    #[serde(default)]
    #[schemars(with = "Vec<AnswerFile>")]
    pub answers: Vec<Spanned<AnswerFile>>,
}

/// An answer, and how often it is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a text such as \"get(_) -> none\", or a table such as { call = \"get(_) -> none\", times = 2 }"
)]
pub(super) enum AnswerFile {
    /// As often as it is asked for.
    Line(String),
    /// A number of times.
    Table(AnswerTable),
}

/// An answer that is given a number of times.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AnswerTable {
    /// The call and its answer: `call = "get(_) -> none"`.
    pub call: String,
    /// How many calls must get it: `times = 2`.
    pub times: u32,
}

impl AnswerFile {
    pub fn line(&self) -> &str {
        match self {
            Self::Line(line) => line,
            Self::Table(table) => &table.call,
        }
    }

    pub fn times(&self) -> Option<u32> {
        match self {
            Self::Line(_) => None,
            Self::Table(table) => Some(table.times),
        }
    }
}

/// What must have become of a program.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { outcome = \"finished\" }")]
#[schemars(title = "expect")]
pub(super) struct ExpectFile {
    /// Whether the program must end well, `outcome = "finished"`, as it must without it too, or fail: `outcome = "failed"`.
    #[serde(default)]
    #[schemars(with = "ProgramOutcome")]
    pub outcome: Option<ProgramOutcome>,

    /// How each replica of a node must have ended: `states = { consumer = "finished" }`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, NodeState>")]
    pub states: BTreeMap<Spanned<String>, NodeState>,

    /// Texts that must be in the output, each within a line as a terminal shows it: `output = ["consumer/0 │ sum: 10"]`.
    #[serde(default)]
    pub output: Vec<String>,

    /// Texts that must be in no line of the output.
    #[serde(default)]
    pub no_output: Vec<String>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramOutcome {
    /// Well, by itself or at the end of the test.
    #[default]
    Finished,
    /// A node failed.
    Failed,
}

/// How a replica ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Its `run` returned.
    Finished,
    /// It ended with the program.
    Ended,
    /// It failed.
    Failed,
    /// It was dropped before it ended.
    Killed,
}

/// What must have become of a program at the end of a test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// How it ended.
    pub outcome: ProgramOutcome,
    /// How each replica of a node ended.
    pub states: BTreeMap<String, NodeState>,
    /// Texts that are in a line of the output.
    pub output: Vec<String>,
    /// Texts that are in none.
    pub no_output: Vec<String>,
}

impl ExpectFile {
    pub fn expectation(&self) -> Expectation {
        Expectation {
            outcome: self.outcome.unwrap_or_default(),
            states: self.states.iter().map(|(name, state)| (name.get_ref().clone(), *state)).collect(),
            output: self.output.clone(),
            no_output: self.no_output.clone(),
        }
    }
}

/// The JSON schema (draft 2020-12) of a file of tests, made from the types that parse it.
pub fn tests_schema() -> serde_json::Value {
    schema_for::<TestsFile>()
}
