//! How a program file writes the values of `config`: as the text that the guest reads, or as a number or a boolean.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// A value of `config`, as the text that the guest reads: `1000` and `"1000"` are the same.
#[derive(Debug)]
pub(in crate::program) struct ConfigText(pub String);

impl<'de> Deserialize<'de> for ConfigText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ConfigVisitor)
    }
}

struct ConfigVisitor;

impl Visitor<'_> for ConfigVisitor {
    type Value = ConfigText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or a boolean")
    }

    fn visit_str<E>(self, text: &str) -> Result<ConfigText, E> {
        Ok(ConfigText(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<ConfigText, E> {
        Ok(ConfigText(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<ConfigText, E> {
        // With the fraction that tells it from an integer.
        Ok(ConfigText(format!("{number:?}")))
    }

    fn visit_bool<E>(self, is_true: bool) -> Result<ConfigText, E> {
        Ok(ConfigText(is_true.to_string()))
    }
}

impl JsonSchema for ConfigText {
    fn schema_name() -> Cow<'static, str> {
        "ConfigText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string" }, { "type": "integer" }, { "type": "number" }, { "type": "boolean" }
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        value: ConfigText,
    }

    #[test]
    fn a_value_is_read_as_the_file_writes_it() {
        let check = |toml: &str, text: &str| {
            let file: File = toml::from_str(&format!("value = {toml}")).expect("it is a value of config");
            assert_eq!(file.value.0, text);
        };
        check("\"10\"", "10");
        check("10", "10");
        check("-1_000", "-1000");
        check("1.0", "1.0");
        check("1e-9", "1e-9");
        check("true", "true");
    }

    #[test]
    fn tables_and_lists_are_no_values() {
        for toml in ["{ a = 1 }", "[1]", "2026-01-01"] {
            let error = toml::from_str::<File>(&format!("value = {toml}")).map(|_| ()).expect_err("it is none");
            assert!(error.to_string().contains("a string, a number or a boolean"), "{error}");
        }
    }
}
