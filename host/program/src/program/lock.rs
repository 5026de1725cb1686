//! Pins the components of a program: writes the digest of each into the text of its program file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use lp_base::words::Digest;
use lp_component::component::Component;
use toml::Table;
use toml::de::{DeTable, DeValue};

use super::link::read_components;
use super::problem::Problems;
use super::source::NodePlace;
use super::{Draft, Node, Program};

/// A program file in which every node names the digest of its component.
#[derive(Debug, Clone)]
pub struct Locked {
    /// The text of the file, the same as before but for the digests.
    pub text: String,
    /// The nodes, in their order.
    pub nodes: Vec<LockedNode>,
}

/// A node whose component is pinned.
#[derive(Debug, Clone)]
pub struct LockedNode {
    /// The name of the node.
    pub name: String,
    /// The component file as the user would write it.
    pub component: String,
    /// The digest of the file.
    pub sha256: Digest,
    /// The digest that the program file has named, if any.
    pub before: Option<Digest>,
}

/// Why components can't be pinned.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file has a mistake, or a component can't be read.
    #[error(transparent)]
    Program(#[from] Problems),
    /// The file is written in a way that leaves no place for a digest.
    #[error(
        "`{0}` has no room for the digests of its components; write each node as a table `[nodes.…]` with a line `component = \"…\"`"
    )]
    NoRoom(String),
}

/// Reads the program file at `path` and the component of each of its nodes, and gives the text that pins them. Writes
/// nothing.
///
/// # Errors
/// If the file has a mistake, or a component can't be read.
pub fn lock(path: &Path) -> Result<Locked, LockError> {
    let Draft { program, mut problems } = Draft::read(path, &[], None)?;
    let components = read_components(&program, &mut problems);
    problems.into_result(())?;
    let pin = |(node, component): (&Node, Option<Arc<Component>>)| {
        let component = component.expect("a component that can't be read is a problem");
        LockedNode {
            name: node.name.clone(),
            component: program.shown(&node.component).to_string(),
            sha256: component.sha256,
            before: node.sha256,
        }
    };
    let nodes = program.nodes.iter().zip(components).filter(|(node, _)| node.replay.is_none());
    let nodes: Vec<_> = nodes.map(pin).collect();
    let text = pinned(&program, &nodes).ok_or_else(|| LockError::NoRoom(path.display().to_string()))?;
    Ok(Locked { text, nodes })
}

/// The text of the program's file with the digests of `nodes`, if that says what it should.
fn pinned(program: &Program, nodes: &[LockedNode]) -> Option<String> {
    let text = program.source.part(&(0..0)).text;
    let tables = DeTable::parse(text).ok()?.into_inner();
    let mut edits = Vec::new();
    for node in nodes.iter().filter(|node| node.before != Some(node.sha256)) {
        let digest = format!("\"{}\"", node.sha256);
        let span = |place| program.source.node_span(&node.name, place);
        edits.push(match (span(NodePlace::Sha256), span(NodePlace::Component)) {
            (Some(old), _) => (old, digest),
            (None, Some(component)) => addition(text, &tables, &node.name, &component, &digest)?,
            (None, None) => return None,
        });
    }
    edits.sort_by_key(|(span, _)| span.start);
    let mut out = String::with_capacity(text.len() + edits.len() * 100);
    let mut done = 0;
    for (span, new) in &edits {
        out.push_str(text.get(done..span.start)?);
        out.push_str(new);
        done = span.end;
    }
    out.push_str(text.get(done..)?);
    says_the_same(text, &out, nodes).then_some(out)
}

/// Where a `sha256` goes for the node whose `component` has its value at `value`, and what is put there: a line below, or,
/// within braces, right behind it.
fn addition(
    text: &str,
    tables: &DeTable<'_>,
    node: &str,
    value: &Range<usize>,
    digest: &str,
) -> Option<(Range<usize>, String)> {
    let line = text[..value.start].rfind('\n').map_or(0, |index| index + 1);
    // The key with what leads to it, such as `component` or `nodes.a.component`.
    let key = text[line..value.start].trim_end().strip_suffix('=')?.trim_end();
    let prefix = ["component", "\"component\"", "'component'"].iter().find_map(|word| key.strip_suffix(word))?;
    if is_in_braces(text, tables, node, value) {
        let path = prefix.rsplit(['{', ',']).next().unwrap_or_default().trim();
        return Some((value.end..value.end, format!(", {path}sha256 = {digest}")));
    }
    let end = text[value.end..].find('\n').map_or(text.len(), |index| value.end + index);
    let (end, line_break) = match text[..end].strip_suffix('\r') {
        Some(before) if end < text.len() => (before.len(), "\r\n"),
        _ => (end, "\n"),
    };
    Some((end..end, format!("{line_break}{prefix}sha256 = {digest}")))
}

/// Whether what is at `place` stands in a table that is written in braces: that of the node, or that of all nodes.
fn is_in_braces(text: &str, tables: &DeTable<'_>, node: &str, place: &Range<usize>) -> bool {
    let nodes = tables.get("nodes");
    let own = nodes.and_then(|nodes| nodes.get_ref().as_table()?.get(node));
    [nodes, own].into_iter().flatten().any(|table| {
        let span = table.span();
        matches!(table.get_ref(), DeValue::Table(_))
            && text[span.start..].starts_with('{')
            && span.start <= place.start
            && place.end <= span.end
    })
}

/// Whether `after` is the program of `before` with the digests of `nodes` and nothing else.
fn says_the_same(before: &str, after: &str, nodes: &[LockedNode]) -> bool {
    let (Ok(mut before), Ok(after)) = (before.parse::<Table>(), after.parse::<Table>()) else { return false };
    let digests: BTreeMap<_, _> = nodes.iter().map(|node| (node.name.as_str(), node.sha256)).collect();
    let tables = before.get_mut("nodes").and_then(toml::Value::as_table_mut);
    for (name, table) in tables.into_iter().flatten() {
        if let (Some(digest), Some(table)) = (digests.get(name.as_str()), table.as_table_mut()) {
            table.insert("sha256".to_owned(), digest.to_string().into());
        }
    }
    before == after
}
