//! How a program file writes where a node listens for clients, and who is let in.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

use super::SecretFile;

/// Where a node listens for clients, in full.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { address = \"127.0.0.1:7001\" }")]
#[schemars(title = "listen")]
pub(in crate::program) struct ListenTable {
    /// The address: `address = "0.0.0.0:7001"`. With port 0, the system picks one.
    #[serde(default)]
    #[schemars(with = "String")]
    pub address: Option<Spanned<String>>,

    /// A PEM file, relative to the program file, with the certificate by which clients know the node, followed by those that
    /// lead to an authority: `certificate = "server.pem"`. With it, connections are encrypted. It needs a `key`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub certificate: Option<Spanned<String>>,

    /// A PEM file, relative to the program file, with the private key of the certificate: `key = "server.key"`. It is read
    /// when the program is launched.
    #[serde(default)]
    #[schemars(with = "String")]
    pub key: Option<Spanned<String>>,

    /// A PEM file, relative to the program file, with the certificates of authorities: `client-ca = "clients.pem"`. With it,
    /// only clients are let in that show a certificate of one of these. It needs a `certificate`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub client_ca: Option<Spanned<String>>,

    /// A token that each call has to show, as `authorization: Bearer TOKEN`: `token = { env = "COUNTER_TOKEN" }` or
    /// `token = { file = "token.txt" }`. It is read when the program is launched and has at least 16 characters. Without a
    /// `certificate`, only at an address of this machine.
    #[serde(default)]
    #[schemars(with = "SecretFile")]
    pub token: Option<Spanned<SecretFile>>,
}

/// The two ways to write it.
#[derive(Debug)]
pub(in crate::program) enum ListenFile {
    /// `"127.0.0.1:7001"`
    Address(String),
    /// `{ address = "0.0.0.0:7001", certificate = "server.pem", key = "server.key" }`
    Table(ListenTable),
}

impl<'de> Deserialize<'de> for ListenFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ListenFile, D::Error> {
        deserializer.deserialize_any(ListenVisitor)
    }
}

struct ListenVisitor;

impl<'de> Visitor<'de> for ListenVisitor {
    type Value = ListenFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address such as \"127.0.0.1:7001\", or a table such as { address = \"127.0.0.1:7001\" }")
    }

    fn visit_str<E: serde::de::Error>(self, address: &str) -> Result<ListenFile, E> {
        Ok(ListenFile::Address(address.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ListenFile, A::Error> {
        ListenTable::deserialize(MapAccessDeserializer::new(map)).map(ListenFile::Table)
    }
}

impl JsonSchema for ListenFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Listen".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (address, table) = (generator.subschema_for::<String>(), generator.subschema_for::<ListenTable>());
        json_schema!({ "anyOf": [address, table] })
    }
}
