//! `lp-host graph`: a program's nodes and edges, to read, to draw or to process.

mod dot;
mod layout;
mod mermaid;
mod svg;
mod tree;

use clap::ValueEnum;
use lp_program::program::{Graph, GraphNode, Problems};

use super::ProgramArgs;
use super::screen::{CliError, Screen};

/// Shows the nodes of a program and who calls whom
///
/// It works before anything is built, and then shows the handles of the program file without the interfaces behind them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: ProgramArgs,
    /// How to write the graph
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A tree
    Text,
    /// For Graphviz: `lp-host graph --format dot program.toml | dot -Tpng -o program.png`
    Dot,
    /// For Mermaid, as Markdown files may have it
    Mermaid,
    /// One JSON object
    Json,
    /// A drawing
    Svg,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let program = args.program.load()?;
    let graph = match program.clone().link() {
        Ok(linked) => Graph::of_linked(&linked),
        Err(problems) => {
            explain(&problems, screen);
            Graph::of(&program)
        }
    };
    let of_shown = |write: fn(&Graph) -> String| write(&shown(graph.clone()));
    screen.data(&match args.format {
        Format::Text => of_shown(tree::tree),
        Format::Dot => of_shown(dot::dot),
        Format::Mermaid => of_shown(mermaid::mermaid),
        Format::Json => json(&graph),
        Format::Svg => of_shown(svg::svg),
    });
    Ok(0)
}

/// The graph with the names of interfaces, which components chose, as people can look at them.
fn shown(mut graph: Graph) -> Graph {
    let couriers = graph.nodes.iter_mut().filter_map(|node| node.couriers.as_mut()).flatten();
    for name in couriers.chain(graph.edges.iter_mut().filter_map(|edge| edge.interface.as_mut())) {
        *name = lp_base::shown::line(name).into_owned();
    }
    graph
}

/// Says why the graph is not all that it could be.
fn explain(problems: &Problems, screen: &Screen) {
    if problems.problems.iter().all(|problem| problem.code == "no-component-file") {
        return screen.note("components are not built yet, so what is called through the handles is left out");
    }
    screen.warning("the components don't fit the program, so only its handles are shown; see `lp-host check`");
}

fn json(graph: &Graph) -> String {
    let text = serde_json::to_string_pretty(graph).expect("a graph is names and numbers");
    format!("{text}\n")
}

/// The name of a node and how many replicas it has, where that is more than one.
fn title(node: &GraphNode) -> String {
    match node.replicas {
        1 => node.name.clone(),
        replicas => format!("{} ×{replicas}", node.name),
    }
}

/// The lines below the title of a node in a drawing.
fn details(node: &GraphNode) -> impl Iterator<Item = &str> {
    let runs = node.runs.is_some_and(|runs| runs).then_some("runs");
    runs.into_iter().chain(node.couriers.iter().flatten().map(String::as_str))
}
