//! The rules of colocations and of restart policies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lp_base::suggest;
use lp_base::words::{ColocationMode, RESTARTS_MAX, Restart, RestartPolicy};

use super::name_problem;
use crate::program::problem::{Problem, Problems};
use crate::program::source::{ColocationPlace, NodePlace, Place, RestartPlace};
use crate::program::{Colocation, NodesByName, Program};

/// Adds what is wrong with the colocations of `program` to `problems`.
pub(super) fn check(program: &Program, nodes: &NodesByName<'_>, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    let mut colocated = BTreeMap::new();
    for colocation in &program.colocations {
        if !names.insert(&colocation.name) {
            let message = format!("two colocations are named `{}`", colocation.name);
            problems.push(Problem::error("duplicate-name", message));
        }
        let span = span(program, colocation, ColocationPlace::Name);
        problems.extend(name_problem("colocation", &colocation.name, span.clone()));
        if colocation.nodes.is_empty() && !problems.is_broken("colocate") {
            let message = format!("the colocation `{}` has no nodes", colocation.name);
            let problem = Problem::error("empty-colocation", message).at(span, "needs `nodes`");
            problems.push(problem.help("give it a line such as `nodes = [\"learner\", \"replay\"]`".to_owned()));
        }
        check_nodes(program, nodes, colocation, &mut colocated, problems);
        if let Some(restart) = &colocation.restart {
            check_shared(program, nodes, colocation, restart, problems);
        }
    }
}

fn span(program: &Program, colocation: &Colocation, place: ColocationPlace) -> Option<std::ops::Range<usize>> {
    program.source.span(&Place::Colocation(colocation.name.clone(), place))
}

fn check_nodes<'a>(
    program: &Program,
    nodes: &NodesByName<'_>,
    colocation: &'a Colocation,
    colocated: &mut BTreeMap<&'a str, &'a str>,
    problems: &mut Problems,
) {
    for (index, node) in colocation.nodes.iter().enumerate() {
        let span = span(program, colocation, ColocationPlace::Node(index));
        if !nodes.contains_key(node.as_str()) {
            // A node that is there but could not be read is reported where it stands.
            if !problems.is_node_broken(node) {
                let known = program.nodes.iter().map(|node| node.name.as_str());
                let problem = Problem::error("unknown-node", format!("no node is named `{node}`"));
                let help = if problems.is_full() { None } else { suggest::did_you_mean(node, known) };
                problems.push(problem.at(span, "this colocates nothing").help(help));
            }
        } else if let Some(first) = colocated.insert(node, &colocation.name) {
            let message = format!("the node `{node}` is already in the colocation `{first}`");
            let problem = Problem::error("colocated-twice", message).at(span, "named before");
            problems.push(problem.help("a node is in one colocation, and named there once".to_owned()));
        }
    }
}

/// Checks the restart policy that the nodes of a colocation share.
fn check_shared(
    program: &Program,
    nodes: &NodesByName<'_>,
    colocation: &Colocation,
    restart: &Restart,
    problems: &mut Problems,
) {
    let at = |place| span(program, colocation, ColocationPlace::Restart(place));
    problems.extend(restart_problem(restart, at));
    if colocation.mode == ColocationMode::Threads {
        let message = format!("the nodes of `{}` share no restarts, because its mode is `threads`", colocation.name);
        let problem = Problem::error("shared-restart", message).at(at(RestartPlace::Whole), "has no effect");
        problems.push(problem.help("give the nodes a `restart` each, or use `mode = \"processes\"`".to_owned()));
    }
    let nodes = colocation.nodes.iter().filter_map(|name| Some(&program.nodes[*nodes.get(name.as_str())?]));
    for node in nodes.filter(|node| node.restart.policy != RestartPolicy::Never) {
        let message = format!("the node `{}` has a `restart` beside that of `{}`", node.name, colocation.name);
        let span = program.source.node_span(&node.name, NodePlace::Restart(RestartPlace::Whole));
        let problem = Problem::error("two-restarts", message).at(span, "one of two");
        problems.push_node(&node.name, problem.help("remove one of the two".to_owned()));
    }
}

/// What is out of range in a restart policy whose facts stand where `span` says.
pub(super) fn restart_problem(
    restart: &Restart,
    span: impl Fn(RestartPlace) -> Option<std::ops::Range<usize>>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut report = |place, message: String| {
        problems.push(Problem::error("limit", message).at(span(place), "out of range"));
    };
    if !(1..=RESTARTS_MAX).contains(&restart.max) {
        report(RestartPlace::Max, format!("the `max` of a `restart` must be from 1 to {RESTARTS_MAX}"));
    }
    if restart.window == Duration::ZERO {
        report(RestartPlace::Window, "a `window` must be at least 1ms, or no restart counts".to_owned());
    }
    if restart.backoff == Duration::ZERO {
        report(RestartPlace::Backoff, "a `backoff` must be at least 1ms, or it does not grow".to_owned());
    }
    if restart.backoff_max < restart.backoff {
        report(RestartPlace::BackoffMax, "`backoff-max` must not be less than `backoff`".to_owned());
    }
    problems
}
