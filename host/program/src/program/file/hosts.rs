//! The hosts that a node may run on: a list of names, or a table that says more.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use lp_base::words::{HostChoice, Placement};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// The hosts that a node may run on.
#[derive(Debug)]
pub(in crate::program) enum HostsFile {
    /// Their names.
    Names(BTreeSet<String>),
    /// In full.
    Table(HostsTable),
}

/// The hosts that a node may run on, in full.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { labels = [\"gpu\"] }")]
#[schemars(title = "hosts")]
pub(in crate::program) struct HostsTable {
    /// Their names: `{ names = ["a", "b"] }`. Any if there are none.
    #[serde(default)]
    pub names: BTreeSet<String>,

    /// What they are labelled with, all of it: `{ labels = ["gpu"] }`.
    #[serde(default)]
    pub labels: BTreeSet<String>,

    /// How replicas are put on them: `{ placement = "pack" }` fills one host and then the next, and `"spread"`, which is the
    /// default, has each on the host that has the fewest.
    #[serde(default)]
    pub placement: Placement,
}

impl From<HostsFile> for HostChoice {
    fn from(file: HostsFile) -> Self {
        match file {
            HostsFile::Names(names) => Self { names, ..Self::default() },
            HostsFile::Table(HostsTable { names, labels, placement }) => Self { names, labels, placement },
        }
    }
}

impl<'de> Deserialize<'de> for HostsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HostsFile, D::Error> {
        deserializer.deserialize_any(HostsVisitor)
    }
}

struct HostsVisitor;

impl<'de> Visitor<'de> for HostsVisitor {
    type Value = HostsFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names, or a table such as { labels = [\"gpu\"] }")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<HostsFile, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = list.next_element()? {
            names.insert(name);
        }
        Ok(HostsFile::Names(names))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HostsFile, A::Error> {
        HostsTable::deserialize(MapAccessDeserializer::new(map)).map(HostsFile::Table)
    }
}

impl JsonSchema for HostsFile {
    fn schema_name() -> Cow<'static, str> {
        "Hosts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<HostsTable>();
        json_schema!({
            "anyOf": [
                { "type": "array", "items": { "type": "string" }, "description": "The names of hosts." },
                table,
            ]
        })
    }
}
