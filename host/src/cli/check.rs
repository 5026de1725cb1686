//! `lp-host check`: everything that is wrong with a program, without running it.

mod explain;
mod stale;

use clap::ValueEnum;
use lp_program::program::{Draft, Graph, Linked, Problem, Problems, Program, Severity};
use serde_json::{Value, json};
use stale::Stale;

use super::ProgramArgs;
use super::screen::{CliError, Screen, exit_code};

/// Checks a program and its components without running them
///
/// Reads the program file and every component, binds each import to a handle and compares the types of both ends. All
/// problems are shown at once, each with its place and how to fix it. Exits with 0 if the program can run, 3 if not.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: ProgramArgs,
    /// List what the program may do, for the person who has to approve it: what its build lines run, and the files, variables,
    /// addresses, servers and other nodes that each node may use. What reaches far is marked with `!`
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

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let draft = args.program.draft();
    let program = draft.as_ref().ok().map(|draft| draft.program.clone());
    // Reported even for a program that can't run, since it may be why.
    let stale = draft.as_ref().ok().filter(|draft| !draft.problems.has_errors());
    let stale = stale.map(|draft| stale::find(&draft.program)).unwrap_or_default();
    let result = draft.and_then(Draft::link);
    let explained = program.filter(|_| args.explain);
    if args.format == Format::Json {
        screen.data(&format!("{:#}\n", to_json(&result, &stale, explained.as_ref())));
        return Ok(if result.is_ok() { 0 } else { exit_code::WRONG_PROGRAM });
    }
    // A program that can't run as it stands is explained as well: what is missing may be made by whoever approves it.
    if let Some(program) = &explained {
        screen.data(&format!("{}\n", explain::table(program)));
    }
    for stale in &stale {
        screen.warning(&stale.message);
        screen.help(&stale.help);
    }
    let linked = result?;
    screen.warnings(&linked.warnings);
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

fn to_json(result: &Result<Linked, Problems>, stale: &[Stale], explained: Option<&Program>) -> Value {
    let (mut json, problems) = match result {
        Ok(linked) => {
            let Size { nodes, replicas, edges } = Size::of(linked);
            let json = json!({
                "valid": true,
                "program": linked.program.name,
                "nodes": nodes,
                "replicas": replicas,
                "edges": edges,
            });
            (json, &linked.warnings)
        }
        Err(problems) => (json!({ "valid": false }), problems),
    };
    let mut shown = problems_to_json(problems);
    shown.extend(stale.iter().map(Stale::to_json));
    json["problems"] = shown.into();
    if problems.left_out > 0 {
        json["problems_left_out"] = problems.left_out.into();
    }
    if let Some(program) = explained {
        json["grants"] = explain::to_json(program).into();
        json["totals"] = explain::totals_to_json(program);
    }
    json
}

/// The line of JSON that says that a program can't run.
pub(super) fn invalid_to_json(problems: &Problems) -> Value {
    json!({ "type": "invalid", "problems": problems_to_json(problems), "problems_left_out": problems.left_out })
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
