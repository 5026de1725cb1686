//! How a program file writes a restart policy.

use std::fmt;

use lp_base::words::{DurationText, RESTARTS_MAX, Restart, RestartPolicy};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IntoDeserializer, MapAccess, Visitor};
use toml::Spanned;

/// When a replica that has ended is started again, in full.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { policy = \"on-failure\" }")]
#[schemars(title = "restart")]
pub(in crate::program) struct RestartTable {
    /// Which ends a restart follows: `policy = "never"`, `policy = "on-failure"` or `policy = "always"`, which also
    /// starts a `run` again that has returned.
    pub policy: RestartPolicy,

    /// The most restarts of a replica within one window; if it ends once more, the program fails: `max = 3`, which is
    /// the default. From 1 to 1000000.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = RESTARTS_MAX), extend("default" = Restart::default().max))]
    pub max: Option<Spanned<i64>>,

    /// How long a restart counts: `window = "60s"`, which is the default. A replica that has been well for so long has
    /// its whole budget again. Units: ms, s, m, h.
    #[serde(default)]
    #[schemars(with = "DurationText", extend("default" = "60s"))]
    pub window: Option<Spanned<DurationText>>,

    /// The time before the first restart, which doubles with each further one in the window: `backoff = "200ms"`,
    /// which is the default. Units: ms, s, m, h.
    #[serde(default)]
    #[schemars(with = "DurationText", extend("default" = "200ms"))]
    pub backoff: Option<Spanned<DurationText>>,

    /// The longest that the time before a restart grows to: `backoff-max = "10s"`, which is the default. Units: ms, s,
    /// m, h.
    #[serde(default)]
    #[schemars(with = "DurationText", extend("default" = "10s"))]
    pub backoff_max: Option<Spanned<DurationText>>,
}

/// The two ways to write a restart policy.
#[derive(Debug)]
pub(in crate::program) enum RestartFile {
    /// `"on-failure"`
    Policy(RestartPolicy),
    /// `{ policy = "on-failure", max = 3 }`
    Table(RestartTable),
}

impl<'de> Deserialize<'de> for RestartFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RestartFile, D::Error> {
        deserializer.deserialize_any(RestartVisitor)
    }
}

struct RestartVisitor;

impl<'de> Visitor<'de> for RestartVisitor {
    type Value = RestartFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy such as \"on-failure\", or a table such as { policy = \"on-failure\", max = 3 }")
    }

    fn visit_str<E: serde::de::Error>(self, policy: &str) -> Result<RestartFile, E> {
        RestartPolicy::deserialize(policy.into_deserializer()).map(RestartFile::Policy)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RestartFile, A::Error> {
        RestartTable::deserialize(MapAccessDeserializer::new(map)).map(RestartFile::Table)
    }
}

impl JsonSchema for RestartFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Restart".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (policy, table) = (generator.subschema_for::<RestartPolicy>(), generator.subschema_for::<RestartTable>());
        json_schema!({ "anyOf": [policy, table] })
    }
}
