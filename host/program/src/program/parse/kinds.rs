//! The keys that only some kinds of nodes have.

use toml::de::{DeTable, DeValue};

use super::super::problem::{Problem, Problems};

/// The keys that only replay nodes have.
const OF_REPLAY: [&str; 3] = ["tables", "at-limit", "checkpoint"];

/// The keys that replay nodes share with components.
const SHARED: [&str; 6] = ["type", "replicas", "restart", "listen", "limits", "inbox"];

/// Takes out the keys that a node of its kind does not have, and reports them.
pub(super) fn remove_foreign(table: &mut DeTable<'_>, problems: &mut Problems) {
    let Some(DeValue::Table(nodes)) = table.get_mut("nodes").map(toml::Spanned::get_mut) else { return };
    for (name, node) in nodes.iter_mut() {
        let DeValue::Table(node) = node.get_mut() else { continue };
        let is_replay = node.get("type").and_then(|value| value.get_ref().as_str()) == Some("replay");
        let is_foreign = |key: &str| match is_replay {
            true => !OF_REPLAY.contains(&key) && !SHARED.contains(&key),
            false => OF_REPLAY.contains(&key),
        };
        let foreign: Vec<_> = node.keys().filter(|key| is_foreign(key.get_ref())).cloned().collect();
        for key in foreign {
            let (kind, help) = match is_replay {
                true => {
                    let known = [&OF_REPLAY[..], &SHARED[..]].concat().join("`, `");
                    ("a replay node", format!("remove it; a replay node has `{known}`"))
                }
                false => ("a component", "remove it, or write `type = \"replay\"` instead of a `component`".to_owned()),
            };
            let problem = Problem::error("wrong-kind", format!("`{}` is no key of {kind}", key.get_ref()));
            problems.push_node(name.get_ref(), problem.at(Some(key.span()), "of another kind of node").help(help));
            node.remove(key.get_ref().as_ref());
        }
    }
}
