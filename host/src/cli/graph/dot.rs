//! A graph in the language of Graphviz.

use std::fmt::Write;

use lp_program::program::Graph;

use super::{details, title};

/// The graph as text that ends with a line break.
pub(super) fn dot(graph: &Graph) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("writing to a string can't fail");
    line(format!("digraph {} {{", quoted([graph.program.as_str()])));
    line("  rankdir=LR;".to_owned());
    line("  node [shape=box, fontname=\"monospace\"];".to_owned());
    line("  edge [fontname=\"monospace\"];".to_owned());
    for node in &graph.nodes {
        let title = title(node);
        let label = quoted(std::iter::once(title.as_str()).chain(details(node)));
        line(format!("  {} [label={label}];", quoted([node.name.as_str()])));
    }
    for edge in &graph.edges {
        let (from, to) = (quoted([edge.from.as_str()]), quoted([edge.to.as_str()]));
        line(format!("  {from} -> {to} [label={}];", quoted([edge.handle.as_str()])));
    }
    line("}".to_owned());
    out
}

/// Lines as one quoted string. In such a string `\` begins an escape, and only `"` needs one.
fn quoted<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<_> = lines.into_iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_would_end_a_string_is_escaped() {
        assert_eq!(super::quoted([r#"a"b\"#, "c"]), r#""a\"b\\\nc""#);
    }
}
