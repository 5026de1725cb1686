//! `lp-host check`: everything that is wrong with a program, without running it.

mod explain;
mod stale;

use clap::ValueEnum;
use lp_program::program::{Graph, Linked, Problem, Problems, Severity};
use serde_json::{Value, json};
use stale::Stale;

use super::ProgramArgs;
use super::screen::{Failure, Screen, exit_code};

/// Checks a program and its components without running them
///
/// Reads the program file and every component, binds each import to a handle and compares the types of both ends. All
/// problems are shown at once, each with its place and what mends it. Exits with 0 if the program can run, 3 if not.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: ProgramArgs,
    /// List what each node may touch: files, variables, addresses, servers and other nodes
    #[arg(long)]
    explain: bool,
    /// How to write what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, on stderr
    Text,
    /// One JSON object on stdout
    Json,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, Failure> {
    let result = args.program.link();
    // Told even of a program that can't run, since it may be why.
    let stale = args.program.load().map(|program| stale::find(&program)).unwrap_or_default();
    if args.format == Format::Json {
        screen.data(&format!("{:#}\n", to_json(&result, &stale, args.explain)));
        return Ok(if result.is_ok() { 0 } else { exit_code::WRONG_PROGRAM });
    }
    for stale in &stale {
        screen.warning(&stale.message);
        screen.help(&stale.help);
    }
    let linked = result?;
    screen.warnings(&linked.warnings);
    if args.explain {
        screen.data(&format!("{}\n", explain::table(&linked.program)));
    }
    let size = Size::of(&linked);
    screen.note(&format!(
        "`{}` can run: {}, {}, {}",
        linked.program.name,
        counted(size.nodes, "node"),
        counted(size.replicas, "replica"),
        counted(size.edges, "edge")
    ));
    Ok(0)
}

struct Size {
    nodes: usize,
    replicas: usize,
    edges: usize,
}

impl Size {
    fn of(linked: &Linked) -> Size {
        let nodes = &linked.program.nodes;
        let replicas = nodes.iter().map(|node| node.replicas as usize).sum();
        Size { nodes: nodes.len(), replicas, edges: Graph::of_linked(linked).edges.len() }
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn to_json(result: &Result<Linked, Problems>, stale: &[Stale], explain: bool) -> Value {
    let mut json = match result {
        Ok(linked) => {
            let Size { nodes, replicas, edges } = Size::of(linked);
            let mut json = json!({
                "valid": true,
                "program": linked.program.name,
                "nodes": nodes,
                "replicas": replicas,
                "edges": edges,
                "problems": problems_to_json(&linked.warnings),
            });
            if explain {
                json["grants"] = explain::to_json(&linked.program).into();
            }
            json
        }
        Err(problems) => json!({ "valid": false, "problems": problems_to_json(problems) }),
    };
    if let Some(problems) = json["problems"].as_array_mut() {
        problems.extend(stale.iter().map(Stale::to_json));
    }
    json
}

fn problems_to_json(problems: &Problems) -> Vec<Value> {
    let to_json = |problem: &Problem| {
        let location = problems.location(problem);
        json!({
            "severity": match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "code": problem.code,
            "message": problem.message,
            "path": location.as_ref().map(|location| location.path),
            "line": location.as_ref().map(|location| location.line),
            "column": location.as_ref().map(|location| location.column),
            "label": (!problem.label.is_empty()).then_some(&problem.label),
            "help": problem.help,
        })
    };
    problems.problems.iter().map(to_json).collect()
}
