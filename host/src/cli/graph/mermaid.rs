//! A graph in the language of Mermaid.

use std::fmt::Write;

use lp_program::program::Graph;

use super::{details, title};

/// The graph as text that ends with a line break.
pub(super) fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    let mut line = |text: String| writeln!(out, "  {text}").expect("writing to a string can't fail");
    for (index, node) in graph.nodes.iter().enumerate() {
        let title = title(node);
        let lines: Vec<_> = std::iter::once(title.as_str()).chain(details(node)).map(escaped).collect();
        line(format!("{}[\"{}\"]", id(index), lines.join("<br>")));
    }
    for edge in &graph.edges {
        let place = |name: &str| graph.nodes.iter().position(|node| node.name == name);
        if let (Some(from), Some(to)) = (place(&edge.from), place(&edge.to)) {
            line(format!("{} -->|\"{}\"| {}", id(from), escaped(&edge.handle), id(to)));
        }
    }
    out
}

/// A name that can't be one of Mermaid's words, such as `end`.
fn id(index: usize) -> String {
    format!("node{index}")
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '#' | '"' | '<' | '>' | '&' | '`' => out.push_str(&format!("#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_has_a_meaning_is_escaped() {
        assert_eq!(super::escaped("a\"<b>#"), "a#34;#60;b#62;#35;");
    }
}
