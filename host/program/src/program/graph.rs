//! The graph of a program by the names in it, for showing: what is linked, or what the handles alone say.

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;

use super::{BoundTarget, EdgeStyle, Linked, Node, Program};
use lp_component::component::{self, Component};

/// A program as named nodes and the edges between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// The name of the program.
    pub program: String,
    /// Whether every component could be read and every import is bound. Otherwise the edges are those of the handles,
    /// and what a component that could not be read exports is unknown.
    pub linked: bool,
    /// The nodes, in the order of the program.
    pub nodes: Vec<GraphNode>,
    /// The edges, in the order of the nodes and handles that they start from.
    pub edges: Vec<GraphEdge>,
}

/// A node of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GraphNode {
    /// The name.
    pub name: String,
    /// How many replicas it has.
    pub replicas: u32,
    /// Whether it has an entry point that is run; `None` where the component could not be read.
    pub runs: Option<bool>,
    /// The interfaces that others can call; `None` where the component could not be read.
    pub couriers: Option<Vec<String>>,
}

/// An edge from a caller to one of its callees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GraphEdge {
    /// The node that holds the handle.
    pub from: String,
    /// The name of the handle.
    pub handle: String,
    /// The node that it reaches.
    pub to: String,
    /// The interface that is called, as the callee names it; `None` where that is not known, or nothing is called.
    pub interface: Option<String>,
    /// How the guest holds the handle; `None` as for the interface.
    pub style: Option<EdgeStyle>,
}

impl Graph {
    /// The graph of a program that could not be linked. Components that can be read say what their nodes are.
    pub fn of(program: &Program) -> Graph {
        let mut components: HashMap<&Path, Option<Component>> = HashMap::new();
        let mut nodes = Vec::with_capacity(program.nodes.len());
        for node in &program.nodes {
            let read = || Component::read(&node.component).ok();
            if node.replay.is_some() {
                nodes.push(GraphNode::of(node, Some(&component::replay())));
                continue;
            }
            nodes.push(GraphNode::of(node, components.entry(&node.component).or_insert_with(read).as_ref()));
        }
        Graph {
            program: program.name.clone(),
            linked: false,
            nodes,
            edges: program.nodes.iter().flat_map(unbound_edges).collect(),
        }
    }

    /// The graph of a linked program.
    pub fn of_linked(linked: &Linked) -> Graph {
        let nodes = linked.program.nodes.iter().zip(&linked.components);
        Graph {
            program: linked.program.name.clone(),
            linked: true,
            nodes: nodes.map(|(node, component)| GraphNode::of(node, Some(component))).collect(),
            edges: (0..linked.program.nodes.len()).flat_map(|node| bound_edges(linked, node)).collect(),
        }
    }
}

impl GraphNode {
    fn of(node: &Node, component: Option<&Component>) -> GraphNode {
        GraphNode {
            name: node.name.clone(),
            replicas: node.replicas,
            runs: component.map(|component| node.run && component.run.is_some()),
            couriers: component
                .map(|component| component.couriers.iter().map(|courier| courier.name.clone()).collect()),
        }
    }
}

fn unbound_edges(node: &Node) -> impl Iterator<Item = GraphEdge> {
    node.handles.iter().flat_map(|handle| {
        handle.nodes.iter().map(|to| GraphEdge {
            from: node.name.clone(),
            handle: handle.name.clone(),
            to: to.clone(),
            interface: None,
            style: None,
        })
    })
}

/// The edges of a node: each handle with what is called through it, and those handles that serve nothing.
fn bound_edges(linked: &Linked, index: usize) -> Vec<GraphEdge> {
    let nodes = &linked.program.nodes;
    // By the handle and the node that it reaches.
    let mut called: HashMap<(&str, &str), Vec<(&BoundTarget, EdgeStyle)>> = HashMap::new();
    for binding in &linked.bindings[index] {
        for bound in &binding.handles {
            for target in &bound.targets {
                let key = (bound.handle.as_str(), nodes[target.node].name.as_str());
                called.entry(key).or_default().push((target, binding.style));
            }
        }
    }
    let edges = |unbound: GraphEdge| match called.get(&(unbound.handle.as_str(), unbound.to.as_str())) {
        None => vec![unbound],
        Some(targets) => {
            let edge = |(target, style): &(&BoundTarget, EdgeStyle)| GraphEdge {
                interface: Some(target.interface.clone()),
                style: Some(*style),
                ..unbound.clone()
            };
            targets.iter().map(edge).collect()
        }
    };
    unbound_edges(&nodes[index]).flat_map(edges).collect()
}
