//! The reference of docs/program.md, made from the schema of the program file so that the two can't differ.
//!
//! After a deliberate change, `SNAPSHOTS=overwrite cargo test -p lp-program` writes it anew.

use serde_json::{Map, Value};

const BEGIN: &str = "<!-- made from the schema: begin -->\n";
const END: &str = "<!-- made from the schema: end -->\n";

/// The tables of the file, each with the path of its keys.
struct Reference {
    text: String,
    /// The titles of tables that have their section, so that each has one.
    written: Vec<String>,
}

impl Reference {
    /// Writes the section of a table, and those of the tables in it.
    fn table(&mut self, path: &str, schema: &Value) {
        let heading = if path.is_empty() { "The program".to_owned() } else { format!("`{path}`") };
        self.text.push_str(&format!("\n### {heading}\n\n| key | type | default | what it says |\n|---|---|---|---|\n"));
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, value) in properties {
            let default = match value.get("default") {
                Some(default) => format!("`{}`", literal(default)),
                None if required.contains(&key.as_str()) => "required".to_owned(),
                None => String::new(),
            };
            let description = text(value).replace('\n', " ").replace('|', "\\|");
            self.text.push_str(&format!("| `{key}` | {} | {default} | {description} |\n", kind(value)));
        }
        // Nodes come first: what else has such a table is the same.
        let (nodes, others): (Vec<_>, Vec<_>) = properties.iter().partition(|(key, _)| *key == "nodes");
        for (key, value) in nodes.into_iter().chain(others) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.tables_in(&path, value);
        }
    }

    fn tables_in(&mut self, path: &str, schema: &Value) {
        if let Some(title) = schema["title"].as_str() {
            // Limits have a table of their own in docs/limits.md.
            if title.contains("limits") || self.written.iter().any(|written| written == title) {
                return;
            }
            self.written.push(title.to_owned());
        }
        if schema["properties"].is_object() {
            self.table(path, schema);
        }
        self.choices(path, schema);
        if schema["additionalProperties"].is_object() {
            self.tables_in(&format!("{path}.NAME"), &schema["additionalProperties"]);
        }
        if schema["items"].is_object() {
            self.tables_in(&format!("{path}[]"), &schema["items"]);
        }
    }

    fn choices(&mut self, path: &str, schema: &Value) {
        schema["anyOf"].as_array().into_iter().flatten().for_each(|choice| self.tables_in(path, choice));
    }
}

fn text(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// A value as TOML writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

/// What a value may be, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(value) = schema.get("const") {
        return format!("`{}`", literal(value));
    }
    if let Some(values) = schema["enum"].as_array() {
        return either(values.iter().map(|value| format!("`{}`", literal(value))));
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        return either(choices.iter().map(kind));
    }
    match (schema["type"].as_str().unwrap_or_default(), schema["pattern"].as_str()) {
        ("array", _) if schema["items"].is_object() => format!("list of {}", kind(&schema["items"])),
        ("array", _) => "list".to_owned(),
        ("object", _) if schema["additionalProperties"].is_object() => {
            format!("table of {}", kind(&schema["additionalProperties"]))
        }
        ("object", _) => "table".to_owned(),
        ("string", Some(pattern)) if pattern.contains("ms") => "duration".to_owned(),
        ("string", Some(pattern)) if pattern.contains("KiB") => "size".to_owned(),
        (kind, _) => kind.to_owned(),
    }
}

fn either(kinds: impl Iterator<Item = String>) -> String {
    let mut different = Vec::new();
    kinds.filter(|kind| !kind.is_empty()).for_each(|kind| {
        if !different.contains(&kind) {
            different.push(kind);
        }
    });
    different.join(" or ")
}

#[test]
fn the_reference_in_the_docs_is_that_of_the_schema() {
    let mut reference = Reference { text: String::new(), written: Vec::new() };
    reference.table("", &super::schema());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/program.md");
    let docs = std::fs::read_to_string(path).expect("the docs stand beside the host");
    let (before, rest) = docs.split_once(BEGIN).expect("the docs have the reference");
    let (_, after) = rest.split_once(END).expect("the reference has an end");
    let right = format!("{before}{BEGIN}{}\n{END}{after}", reference.text);
    if std::env::var_os("SNAPSHOTS").is_some_and(|action| action == "overwrite") {
        std::fs::write(path, &right).expect("the docs can be written");
    }
    let now = std::fs::read_to_string(path).expect("the docs stand beside the host");
    assert!(now == right, "docs/program.md differs from the schema: write it anew with SNAPSHOTS=overwrite");
}

#[test]
fn every_key_of_a_program_file_is_described() {
    fn check(path: &str, schema: &Value) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            assert!(!text(value).is_empty(), "`{path}.{key}` has no description");
        }
        match schema {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| check(&format!("{path}.{key}"), value)),
            Value::Array(items) => items.iter().for_each(|value| check(path, value)),
            _ => {}
        }
    }
    check("", &super::schema());
}
