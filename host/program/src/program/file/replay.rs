//! How a program file writes a replay node.

use std::collections::BTreeMap;
use std::fmt;

use lp_base::words::{AtLimit, Configuration, DurationText};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

/// What a node is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::program) enum NodeType {
    /// A WebAssembly component.
    #[default]
    Component,
    /// Tables of experience, which the host itself keeps.
    Replay,
}

/// A table of a replay node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as [[nodes.replay.tables]]")]
#[schemars(title = "table")]
pub(in crate::program) struct TableFile {
    /// The name by which clients know it: `name = "experience"`.
    #[schemars(with = "String")]
    pub name: Option<Spanned<String>>,

    /// Which item is sampled: `"uniform"`, which is the default, `"fifo"`, `"lifo"`, `"min-heap"`, `"max-heap"`, or
    /// `{ prioritized = 0.6 }` with the exponent of the priorities.
    #[serde(default)]
    #[schemars(with = "SelectorFile")]
    pub sampler: Option<Spanned<SelectorFile>>,

    /// Which item makes room when there are more than `max-size`: as for `sampler`. The default is `"fifo"`.
    #[serde(default)]
    #[schemars(with = "SelectorFile")]
    pub remover: Option<Spanned<SelectorFile>>,

    /// The most items: `max-size = 100000`. From 1 to 2147483647.
    #[schemars(with = "u32", range(min = 1, max = i32::MAX))]
    pub max_size: Option<Spanned<i64>>,

    /// An item that was sampled as often is removed: `max-times-sampled = 1`. Without it, items stay.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = i32::MAX))]
    pub max_times_sampled: Option<Spanned<i64>>,

    /// When items may be inserted and sampled: `rate-limiter = { min-size = 100 }`. The default is a `min-size` of 1.
    #[serde(default)]
    #[schemars(with = "RateLimiterFile")]
    pub rate_limiter: Option<Spanned<RateLimiterFile>>,

    /// What the columns of items look like, for clients that check it: `signature = { observation = "float32[?,4]" }`. A
    /// dimension of any size is a `?`; the first one of a column that is not squeezed is its steps.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub signature: Option<BTreeMap<Spanned<String>, Spanned<String>>>,
}

/// When items may be inserted and sampled.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { min-size = 100 }")]
#[schemars(title = "rate limiter")]
pub(in crate::program) struct RateLimiterFile {
    /// Samples wait until there are so many items: `min-size = 100`.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = i32::MAX))]
    pub min_size: Option<Spanned<i64>>,

    /// How many samples are meant for each insert: `samples-per-insert = 4`. It needs an `error-buffer`.
    #[serde(default)]
    #[schemars(with = "f64")]
    pub samples_per_insert: Option<Spanned<f64>>,

    /// How far `inserts * samples-per-insert - samples` may be from what it is with `min-size` inserts and no sample:
    /// `error-buffer = 40`. Or its bounds, `error-buffer = [360, 440]`.
    #[serde(default)]
    #[schemars(with = "ErrorBuffer")]
    pub error_buffer: Option<Spanned<ErrorBuffer>>,

    /// Inserts wait while so many items have not been sampled, and samples while all have: `queue = 100`. With
    /// `max-times-sampled = 1` the table is a queue, or a stack, by its `sampler` and `remover`.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = i32::MAX))]
    pub queue: Option<Spanned<i64>>,
}

/// Where a replay node writes its tables.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { dir = \"checkpoints\" }")]
#[schemars(title = "checkpoint")]
pub(in crate::program) struct CheckpointFile {
    /// The folder, relative to the program file, which is made if it is not there: `dir = "checkpoints"`. The last
    /// checkpoint in it is loaded when the node starts. With several replicas, each has a folder in it.
    #[schemars(with = "String")]
    pub dir: Option<Spanned<String>>,

    /// How often one is written: `every = "10m"`. Without it, one is written when a client asks for it, or a node with
    /// `access = ["admin"]`. Units: ms, s, m, h.
    #[serde(default)]
    #[schemars(with = "DurationText")]
    pub every: Option<Spanned<DurationText>>,

    /// How many are kept: `keep = 3`, which is the default. From 1 to 1000.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = 1000), extend("default" = 3))]
    pub keep: Option<Spanned<i64>>,

    /// A folder of checkpoints to load from when `dir` has none: `fallback = "pretrained"`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub fallback: Option<Spanned<String>>,

    /// Whose settings of the tables hold where a checkpoint differs: `configuration = "program"`, which is the default, or
    /// `"stored"`, as Reverb has it. What differs is told.
    #[serde(default)]
    pub configuration: Configuration,
}

/// The keys that a replay node alone has.
#[derive(Debug, Default)]
pub(in crate::program) struct ReplayFile {
    pub tables: Option<Vec<Spanned<TableFile>>>,
    pub at_limit: Option<AtLimit>,
    pub checkpoint: Option<Spanned<CheckpointFile>>,
}

/// The two ways to write a selector.
#[derive(Debug)]
pub(in crate::program) enum SelectorFile {
    Uniform,
    Fifo,
    Lifo,
    MinHeap,
    MaxHeap,
    /// `{ prioritized = 0.6 }`
    Prioritized(f64),
}

const SELECTORS: [&str; 5] = ["uniform", "fifo", "lifo", "min-heap", "max-heap"];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { prioritized = 0.6 }")]
#[schemars(title = "prioritized")]
struct PrioritizedTable {
    /// Each item is sampled in proportion to its priority to the power of this.
    prioritized: f64,
}

impl<'de> Deserialize<'de> for SelectorFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SelectorVisitor)
    }
}

struct SelectorVisitor;

impl<'de> Visitor<'de> for SelectorVisitor {
    type Value = SelectorFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a selector such as \"uniform\", or a table such as { prioritized = 0.6 }")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<SelectorFile, E> {
        Ok(match name {
            "uniform" => SelectorFile::Uniform,
            "fifo" => SelectorFile::Fifo,
            "lifo" => SelectorFile::Lifo,
            "min-heap" => SelectorFile::MinHeap,
            "max-heap" => SelectorFile::MaxHeap,
            "prioritized" => {
                return Err(E::custom("`prioritized` has an exponent: write it as { prioritized = 0.6 }"));
            }
            _ => return Err(E::unknown_variant(name, &SELECTORS)),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SelectorFile, A::Error> {
        let table = PrioritizedTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(SelectorFile::Prioritized(table.prioritized))
    }
}

impl JsonSchema for SelectorFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Selector".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<PrioritizedTable>();
        json_schema!({ "anyOf": [{ "type": "string", "enum": SELECTORS }, table] })
    }
}

/// The two ways to write the error buffer of a rate limiter.
#[derive(Debug)]
pub(in crate::program) enum ErrorBuffer {
    /// `40`
    Around(f64),
    /// `[360, 440]`
    Bounds(f64, f64),
}

impl<'de> Deserialize<'de> for ErrorBuffer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ErrorBufferVisitor)
    }
}

struct ErrorBufferVisitor;

impl<'de> Visitor<'de> for ErrorBufferVisitor {
    type Value = ErrorBuffer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number such as 40, or two bounds such as [360, 440]")
    }

    fn visit_i64<E>(self, number: i64) -> Result<ErrorBuffer, E> {
        Ok(ErrorBuffer::Around(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<ErrorBuffer, E> {
        Ok(ErrorBuffer::Around(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<ErrorBuffer, A::Error> {
        let mut next = || numbers.next_element::<f64>();
        match (next()?, next()?, next()?) {
            (Some(min), Some(max), None) => Ok(ErrorBuffer::Bounds(min, max)),
            _ => Err(A::Error::custom("the bounds are two numbers")),
        }
    }
}

impl JsonSchema for ErrorBuffer {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ErrorBuffer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let bounds = json_schema!({ "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 });
        json_schema!({ "anyOf": [{ "type": "number" }, bounds] })
    }
}
