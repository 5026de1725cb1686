//! A graph as a tree: each node with what it does, what it serves and whom it calls.

use lp_program::program::{EdgeStyle, Graph, GraphEdge, GraphNode};

use super::title;

/// The graph as text that ends with a line break.
pub(super) fn tree(graph: &Graph) -> String {
    let mut out = format!("{}\n", graph.program);
    for (index, node) in graph.nodes.iter().enumerate() {
        let is_last = index + 1 == graph.nodes.len();
        branch(&mut out, "", is_last, &title(node));
        let lines = lines(graph, node);
        for (index, line) in lines.iter().enumerate() {
            branch(&mut out, if is_last { "    " } else { "│   " }, index + 1 == lines.len(), line);
        }
    }
    out
}

fn branch(out: &mut String, indent: &str, is_last: bool, text: &str) {
    let fork = if is_last { "└── " } else { "├── " };
    out.push_str(&format!("{indent}{fork}{text}\n"));
}

fn lines(graph: &Graph, node: &GraphNode) -> Vec<String> {
    let mut lines = Vec::new();
    if node.runs == Some(true) {
        lines.push("runs".to_owned());
    }
    lines.extend(node.couriers.iter().flatten().map(|courier| format!("serves {courier}")));
    lines.extend(graph.edges.iter().filter(|edge| edge.from == node.name).map(call));
    lines
}

fn call(edge: &GraphEdge) -> String {
    let GraphEdge { handle, to, interface, style, .. } = edge;
    match (interface, style) {
        (Some(interface), Some(EdgeStyle::Handles)) => format!("{handle} → {to}: {interface}, as handles"),
        (Some(interface), _) => format!("{handle} → {to}: {interface}"),
        (None, _) => format!("{handle} → {to}"),
    }
}
