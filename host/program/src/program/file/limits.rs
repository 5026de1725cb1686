//! How a program file writes limits: the same table for a node, for the program's ceilings, and in an operator's file.
//! Its keys, and what the schema says of them, are the rows of `lp_base::words::Limit`.

use std::borrow::Cow;
use std::fmt;

use lp_base::words::{DurationText, Limit, SizeText, Unit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use toml::Spanned;

/// A value as the file writes it.
#[derive(Debug)]
pub(in crate::program) enum LimitText {
    Size(SizeText),
    Duration(DurationText),
    Count(i64),
}

/// The table `limits = { memory = "64MiB" }`: the limits that it gives, in its order.
#[derive(Debug, Default)]
pub(in crate::program) struct LimitsFile(Vec<(Limit, Spanned<LimitText>)>);

impl IntoIterator for LimitsFile {
    type Item = (Limit, Spanned<LimitText>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl LimitText {
    /// A value of one form at its place.
    pub fn spanned<T>(value: Spanned<T>, form: impl Fn(T) -> LimitText) -> Spanned<LimitText> {
        Spanned::new(value.span(), form(value.into_inner()))
    }
}

impl<'de> Deserialize<'de> for LimitsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LimitsVisitor)
    }
}

struct LimitsVisitor;

impl<'de> Visitor<'de> for LimitsVisitor {
    type Value = LimitsFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table such as { memory = \"64MiB\" }")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LimitsFile, A::Error> {
        let mut given = Vec::new();
        // A key that is no limit is an error here already.
        while let Some(limit) = map.next_key::<Limit>()? {
            let text = match limit.unit() {
                Unit::Bytes => LimitText::spanned(map.next_value()?, LimitText::Size),
                Unit::Millis => LimitText::spanned(map.next_value()?, LimitText::Duration),
                Unit::Count => LimitText::spanned(map.next_value()?, LimitText::Count),
            };
            given.push((limit, text));
        }
        Ok(LimitsFile(given))
    }
}

impl JsonSchema for LimitsFile {
    fn schema_name() -> Cow<'static, str> {
        "limits".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let properties: Map<String, Value> = Limit::ALL
            .into_iter()
            .map(|limit| (limit.key().to_owned(), limit_schema(limit, generator).to_value()))
            .collect();
        json_schema!({ "title": "limits", "type": "object", "properties": properties, "additionalProperties": false })
    }
}

fn limit_schema(limit: Limit, generator: &mut SchemaGenerator) -> Schema {
    let mut schema = match limit.unit() {
        Unit::Bytes => SizeText::json_schema(generator),
        Unit::Millis => DurationText::json_schema(generator),
        Unit::Count => u64::json_schema(generator),
    };
    let example = format!("{} = {}", limit.key(), limit.literal(limit.example()));
    describe(&mut schema, limit, &format!("{}: `{example}`.", limit.bounds()), limit.note());
    schema
}

/// Completes the schema of a key outside of `limits` that is another way to write `limit`: its comment says how to write
/// it, the row says the rest. For `#[schemars(transform = ...)]`.
pub(super) fn another_way(limit: Limit) -> impl FnMut(&mut Schema) {
    move |schema| {
        let comment = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let (first, rest) = limit.bounds().split_at(1);
        let opening = format!("{comment} It bounds {}{rest}.", first.to_lowercase());
        describe(schema, limit, &opening, "");
    }
}

/// Adds the values of `limit` to the schema of a key, and a description that begins with `opening`.
fn describe(schema: &mut Schema, limit: Limit, opening: &str, note: &str) {
    let range = limit.range();
    if limit.unit() == Unit::Count {
        schema.insert("minimum".to_owned(), (*range.start()).into());
        if *range.end() < u64::MAX {
            schema.insert("maximum".to_owned(), (*range.end()).into());
        }
    }
    if let Some(default) = limit.default() {
        let is_count = limit.unit() == Unit::Count;
        let default = if is_count { Value::from(default) } else { Value::from(limit.show(default)) };
        schema.insert("default".to_owned(), default);
    }
    let beyond = format!("Beyond it, {}.", limit.beyond());
    let sentences = [opening, &beyond, note, &default_sentence(limit), &values_sentence(limit)];
    let sentences: Vec<_> = sentences.into_iter().filter(|sentence| !sentence.is_empty()).collect();
    schema.insert("description".to_owned(), sentences.join(" ").into());
}

fn default_sentence(limit: Limit) -> String {
    match limit.default() {
        Some(default) => format!("The default is {}.", limit.show(default)),
        None => "There is no limit by default.".to_owned(),
    }
}

fn values_sentence(limit: Limit) -> String {
    let range = limit.show_range();
    let (first, rest) = range.split_at(1);
    let range = first.to_uppercase() + rest;
    match limit.unit() {
        Unit::Bytes => format!("Units: B, KiB, MiB, GiB. {range}."),
        Unit::Millis => format!("Units: ms, s, m, h. {range}."),
        Unit::Count => format!("{range}."),
    }
}
