//! From the text of a program file to [`ProgramFile`], with every mistake of the text.
//!
//! Serde stops at the first mistake. So keys that no type knows are found with the schema, and after a wrong value the
//! entry with it is taken out and the rest is deserialised again.

mod kinds;
mod operator;

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use lp_base::suggest;
use serde::de::DeserializeOwned;
use serde_json::Value as Schema;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::file::{OperatorFile, ProgramFile, schema};
use super::overrides::{Change, Override};
use super::problem::{Problem, Problems};
use super::source::Source;

/// The largest program file. A thousand nodes, written out by a script, are some 200 KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The most wrong values that are reported: each costs one more pass over the file.
const WRONG_VALUES_MAX: usize = 64;

/// What serde calls things, and what they are called in TOML.
const TOML_WORDS: &[(&str, &str)] = &[
    ("expected i64", "expected a whole number"),
    ("expected a sequence", "expected a list"),
    ("expected a map", "expected a table"),
    ("invalid type: sequence", "invalid type: a list"),
    ("invalid type: map", "invalid type: a table"),
    ("unknown variant", "unknown value"),
    ("missing field", "missing key"),
];

/// A table of another file whose values take the place of a program's, and whose nodes are added to it.
#[derive(Debug, Clone)]
pub(super) struct Overlay {
    /// What messages call the file.
    pub path: String,
    /// Its whole text, which is TOML.
    pub text: String,
    /// The keys of the table in it; there may be none.
    pub keys: Vec<String>,
}

/// Parses the file at `path` with `overrides` and `overlay` in place of its values. Fails if no part of it can be relied on.
pub(super) fn parse(
    path: &Path,
    overrides: &[Override],
    operator: Option<&Path>,
    overlay: Option<&Overlay>,
) -> Result<(ProgramFile, Source, Problems), Problems> {
    let shown = path.display().to_string();
    let text = read(path).map_err(|reason| {
        let mut problems = Problems::new(&Source::default());
        problems.push(Problem::error("no-program", format!("`{shown}` {reason}")));
        problems
    })?;
    let mut source = Source::new(shown, text.clone());
    let operator = operator.map(|path| operator::read(path, &mut source)).transpose()?;
    let starts: Vec<_> = overrides.iter().map(|setting| source.push("--set", &setting.shown)).collect();
    let overlaid = overlay.map(|overlay| {
        let start = source.push(&overlay.path, &overlay.text);
        (format!("{}{}", " ".repeat(start), overlay.text), &overlay.keys)
    });
    let mut problems = Problems::new(&source);

    let mut table = read_table(&text, &mut problems)?;
    if let Some((text, keys)) = &overlaid {
        let root = DeTable::parse(text).expect("an overlay is TOML").into_inner();
        if let Some(overlay) = keys.iter().try_fold(root, |table, key| take_table(table, key)) {
            merge(&mut table, overlay);
        }
    }

    // Each override is parsed behind as many blanks as there is text before it, so that its spans need no shifting.
    let padded: Vec<_> = overrides
        .iter()
        .zip(&starts)
        .map(|(setting, start)| format!("{}{}", " ".repeat(*start), setting.toml()))
        .collect();
    for (setting, text) in overrides.iter().zip(&padded) {
        let line = DeTable::parse(text).expect("an override is a line of TOML").into_inner();
        if names_known_nodes(&line, setting.depth, &table, &mut problems) {
            match setting.change {
                Change::Replace => replace(&mut table, line, setting.depth),
                Change::Append => problems.extend(append(&mut table, line, setting.depth)),
                Change::Remove => problems.extend(remove(&mut table, line)),
            }
        }
    }

    let mut keys = Vec::new();
    remove_unknown(&mut table, &schema(), &mut keys, &mut problems);
    kinds::remove_foreign(&mut table, &mut problems);
    if let Some(text) = &operator {
        operator::add(text, &mut table, &mut problems)?;
    }
    let file = deserialize(table, source.text.len(), &mut problems);
    Ok((file, source, problems))
}

/// Parses the file of an operator by itself.
pub(super) fn parse_policy(path: &Path) -> Result<(OperatorFile, Source, Problems), Problems> {
    let mut source = Source::default();
    let text = operator::read(path, &mut source)?;
    let (mut problems, mut table) = (Problems::new(&source), DeTable::new());
    operator::add(&text, &mut table, &mut problems)?;
    let file: ProgramFile = deserialize(table, source.text.len(), &mut problems);
    Ok((file.operator_policy, source, problems))
}

/// The table of a whole file, as far as its mistakes leave one that can be relied on.
pub(super) fn read_table<'t>(text: &'t str, problems: &mut Problems) -> Result<DeTable<'t>, Problems> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut last: Option<usize> = None;
    for error in &errors {
        // One slip makes the parser stumble on the same line again; only the first is of use.
        let start = error.span().map(|span| span.start.min(text.len()));
        let is_same_line = start.zip(last).is_some_and(|(a, b)| !text.as_bytes()[a.min(b)..a.max(b)].contains(&b'\n'));
        if !is_same_line {
            problems.push(syntax_problem(error, text));
        }
        last = start;
    }
    // A table with a doubled key is whole but for that key; after any other error the rest of the text may be anything.
    if problems.problems.iter().any(|problem| problem.code == "syntax") {
        return Err(problems.clone().in_order());
    }
    Ok(root.into_inner())
}

/// Puts the values of `from` into `into`, table by table.
fn merge<'i>(into: &mut DeTable<'i>, from: DeTable<'i>) {
    for (key, value) in from {
        match (into.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value) {
            (Some(DeValue::Table(old)), value) if value.get_ref().is_table() => {
                if let DeValue::Table(new) = value.into_inner() {
                    merge(old, new);
                }
            }
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn take_table<'i>(mut table: DeTable<'i>, key: &str) -> Option<DeTable<'i>> {
    match table.remove(key)?.into_inner() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

pub(super) fn read(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("could not be read: {error}"),
    })?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| format!("could not be read: {error}"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is larger than the {FILE_BYTES_MAX} bytes that a program file may have"));
    }
    Ok(text)
}

fn syntax_problem(error: &toml::de::Error, text: &str) -> Problem {
    if error.message() == "duplicate key" {
        let name = error.span().and_then(|span| text.get(span)).unwrap_or_default();
        let problem = Problem::error("duplicate-name", format!("`{name}` is given twice in the same table"));
        return problem.at(error.span(), "given again here");
    }
    Problem::error("syntax", error.message()).at(error.span(), "not understood from here on")
}

/// Whether the node within which an override changes something exists: a mistyped name must not make a new node.
fn names_known_nodes(setting: &DeTable<'_>, depth: usize, table: &DeTable<'_>, problems: &mut Problems) -> bool {
    let names = |table: &DeTable<'_>| -> Vec<(String, Range<usize>)> {
        let nodes = table.get("nodes").and_then(|nodes| nodes.get_ref().as_table());
        nodes.map_or(Vec::new(), |nodes| nodes.keys().map(|key| (key.get_ref().to_string(), key.span())).collect())
    };
    let known = names(table);
    // One that replaces all nodes names none of them.
    for (name, span) in if depth > 1 { names(setting) } else { Vec::new() } {
        if !known.iter().any(|(known, _)| *known == name) {
            let help = suggest::did_you_mean(&name, known.iter().map(|(name, _)| name.as_str()));
            let problem = Problem::error("unknown-node", format!("no node is named `{name}`"));
            problems.push(problem.at(Some(span), "this overrides nothing").help(help));
            return false;
        }
    }
    true
}

/// Puts the value that `line` has at the end of its path, of `depth` keys, into `into`, in place of what is there.
fn replace<'i>(into: &mut DeTable<'i>, line: DeTable<'i>, depth: usize) {
    let Some((key, value)) = line.into_iter().next() else { return };
    let old = into.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut);
    match (old, value) {
        (Some(DeValue::Table(old)), value) if depth > 1 => {
            if let DeValue::Table(inner) = value.into_inner() {
                replace(old, inner, depth - 1);
            }
        }
        (_, value) => {
            into.insert(key, value);
        }
    }
}

/// Adds the value that `line` has at the end of its path, of `depth` keys, or each value of its list, to the list in `into`.
fn append<'i>(into: &mut DeTable<'i>, line: DeTable<'i>, depth: usize) -> Option<Problem> {
    let (key, mut value) = line.into_iter().next()?;
    let name = key.get_ref().to_string();
    match into.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut) {
        Some(DeValue::Table(old)) if depth > 1 => match value.into_inner() {
            DeValue::Table(inner) => append(old, inner, depth - 1),
            _ => None,
        },
        Some(DeValue::Array(old)) if depth == 1 => {
            for value in listed(value) {
                old.push(value);
            }
            None
        }
        Some(_) => {
            let problem =
                Problem::error("wrong-type", format!("`{name}` is not a list, so nothing can be added to it"));
            Some(problem.at(Some(key.span()), "not a list in the program file").help("`=` replaces it".to_owned()))
        }
        None => {
            make_list(&mut value, depth);
            into.insert(key, value);
            None
        }
    }
}

/// The values of a list, or the only one.
fn listed(value: Spanned<DeValue<'_>>) -> DeArray<'_> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Array(values) => values,
        single => [Spanned::new(span, single)].into_iter().collect(),
    }
}

/// Makes a list of what stands at the end of a path of `depth` keys, unless it is one.
fn make_list(value: &mut Spanned<DeValue<'_>>, depth: usize) {
    if depth > 1
        && let DeValue::Table(inner) = value.get_mut()
    {
        return inner.iter_mut().for_each(|(_, value)| make_list(value, depth - 1));
    }
    let span = value.span();
    let taken = std::mem::replace(value, Spanned::new(span.clone(), DeValue::Boolean(false)));
    *value = Spanned::new(span, DeValue::Array(listed(taken)));
}

/// Takes out the key at the end of the path of `line`. One that is not there may be a mistyped one of another name.
fn remove(from: &mut DeTable<'_>, line: DeTable<'_>) -> Option<Problem> {
    let (key, value) = line.into_iter().next()?;
    let name = key.get_ref().as_ref();
    let known: Vec<_> = from.keys().map(|key| key.get_ref().to_string()).collect();
    match (from.get_mut(name).map(Spanned::get_mut), value.into_inner()) {
        (Some(DeValue::Table(inner)), DeValue::Table(line)) => return remove(inner, line),
        (Some(_), DeValue::Integer(_)) => {
            from.remove(name);
            return None;
        }
        _ => {}
    }
    let help = suggest::did_you_mean(name, known.iter().map(String::as_str));
    let problem = Problem::error("unknown-key", format!("the program has no `{name}` here that could be removed"));
    Some(problem.at(Some(key.span()), "not in the program file").help(help))
}

/// Takes out the keys that `schema` doesn't know, and reports them.
pub(super) fn remove_unknown(
    table: &mut DeTable<'_>,
    schema: &Schema,
    path: &mut Vec<String>,
    problems: &mut Problems,
) {
    let known: Vec<&str> = properties(schema).map(|(name, _)| name.as_str()).collect();
    let mut unknown = Vec::new();
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().to_string();
        path.push(name.clone());
        let inner = properties(schema).find(|(known, _)| **known == name).map(|(_, schema)| schema);
        match inner.or_else(|| schema.get("additionalProperties").filter(|schema| **schema != false)) {
            Some(schema) => remove_unknown_within(value.get_mut(), schema, path, problems),
            None => {
                problems.mark_broken(path);
                unknown.push(name.clone());
                let meant = suggest::nearest(&name, known.iter().copied());
                // The key that was meant is not missing, only mistyped.
                if let Some(meant) = meant {
                    path.pop();
                    path.push(meant.to_owned());
                    problems.mark_broken(path);
                }
                let help = match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("known here: `{}`", known.join("`, `")),
                };
                let problem = Problem::error("unknown-key", format!("`{name}` is not a key that is known here"));
                problems.push(problem.at(Some(key.span()), "unknown key").help(help));
            }
        }
        path.pop();
    }
    for name in unknown {
        table.remove(name.as_str());
    }
}

fn remove_unknown_within(value: &mut DeValue<'_>, schema: &Schema, path: &mut Vec<String>, problems: &mut Problems) {
    // Where several forms are allowed, only one of them is a table.
    let forms = schema.get("anyOf").and_then(Schema::as_array);
    let schema = forms.and_then(|forms| forms.iter().find(|form| form["type"] == "object")).unwrap_or(schema);
    match value {
        DeValue::Table(table) if schema["type"] == "object" => remove_unknown(table, schema, path, problems),
        DeValue::Array(array) if schema["type"] == "array" => {
            for item in array.iter_mut() {
                remove_unknown_within(item.get_mut(), &schema["items"], path, problems);
            }
        }
        _ => {}
    }
}

fn properties(schema: &Schema) -> impl Iterator<Item = (&String, &Schema)> {
    schema.get("properties").and_then(Schema::as_object).into_iter().flatten()
}

/// What the table says, but for the entries with wrong values, which are reported.
pub(super) fn deserialize<T: DeserializeOwned + Default>(
    mut table: DeTable<'_>,
    text_len: usize,
    problems: &mut Problems,
) -> T {
    for _ in 0..WRONG_VALUES_MAX {
        let root = Spanned::new(0..text_len, table.clone());
        let error = match T::deserialize(toml::de::Deserializer::from(root)) {
            Ok(file) => return file,
            Err(error) => error,
        };
        problems.push(value_problem(&error));
        let mut path = Vec::new();
        if !error.span().is_some_and(|span| remove_at(&mut table, &span, &mut path)) {
            break;
        }
        problems.mark_broken(&path);
    }
    // What the file lacks now is not what its author left out.
    problems.mark_broken(&["name".to_owned()]);
    problems.mark_broken(&["nodes".to_owned()]);
    T::default()
}

/// What serde says of a value, in the words of TOML.
fn value_problem(error: &toml::de::Error) -> Problem {
    let mut message = error.message().to_owned();
    for (rust, toml) in TOML_WORDS {
        message = message.replace(rust, toml);
    }
    let problem = match message.strip_prefix("invalid type: ").and_then(|types| types.split_once(", expected ")) {
        Some((found, expected)) => Problem::error("wrong-type", format!("expected {expected}, found {found}")),
        None => Problem::error("wrong-value", message),
    };
    problem.at(error.span(), "this value")
}

/// Takes out the innermost entry that `span` lies in, and leaves its keys in `path`. The tables of `[headers]` have the
/// span of the header only, so every table is searched.
fn remove_at(table: &mut DeTable<'_>, span: &Range<usize>, path: &mut Vec<String>) -> bool {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        path.push(key.get_ref().to_string());
        if remove_within(value.get_mut(), span, path) {
            return true;
        }
        if contains(&key.span(), span) || covers(value, span) {
            found = Some(key.get_ref().to_string());
            break;
        }
        path.pop();
    }
    found.is_some_and(|key| table.remove(key.as_str()).is_some())
}

fn remove_within(value: &mut DeValue<'_>, span: &Range<usize>, path: &mut Vec<String>) -> bool {
    match value {
        DeValue::Table(table) => remove_at(table, span, path),
        DeValue::Array(array) => array.iter_mut().any(|item| remove_within(item.get_mut(), span, path)),
        _ => false,
    }
}

/// Whether `span` lies in the value or in an item of it: an array of `[[headers]]` has the span of its first header.
fn covers(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    let items = value.get_ref().as_array();
    contains(&value.span(), span) || items.is_some_and(|items| items.iter().any(|item| covers(item, span)))
}

fn contains(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
