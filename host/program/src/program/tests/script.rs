//! The calls of a test and the answers of its doubles, checked by the types of their nodes.

use lp_base::calls::CALL_ERRORS;
use lp_component::component::MethodTypes;
use lp_component::script::{Line, Outcome, Resolved, ScriptError};
use lp_component::value::Pattern;
use toml::Spanned;

use super::file::DoubleFile;
use super::unknown_node;
use crate::program::Linked;
use crate::program::problem::{Problem, Problems};

/// A call that a test makes from outside of the program.
#[derive(Debug, Clone)]
pub struct ScriptCall {
    /// Its place among the calls of the file; `None` of one that the file does not have.
    pub place: Option<usize>,
    /// The line as it was written.
    pub line: String,
    /// The node, by its place in the program.
    pub node: usize,
    /// Which of its replicas.
    pub replica: u32,
    /// The interface, as the component names it.
    pub interface: String,
    /// The method.
    pub method: String,
    /// The types of the method.
    pub types: MethodTypes,
    /// The request.
    pub request: Vec<u8>,
    /// What is expected of the call.
    pub expected: Expected,
}

/// What a test expects of a call.
#[derive(Debug, Clone)]
pub enum Expected {
    /// A result, whatever it is.
    Any,
    /// A result of that pattern.
    Result(Pattern),
    /// The call error of that name.
    Fails(String),
    /// A `result<_, string>` that is no error: one that is says what the test found.
    Passes,
}

impl ScriptCall {
    /// The call that a line makes of a program.
    ///
    /// # Errors
    /// If it makes none.
    pub fn read(linked: &Linked, line: &str) -> Result<Self, Problem> {
        call(linked, &Spanned::new(0..line.len(), line.to_owned())).map_err(|problem| *problem)
    }
}

/// The calls of a test, as far as they are right.
pub(super) fn calls(linked: &Linked, lines: &[Spanned<String>], problems: &mut Problems) -> Vec<ScriptCall> {
    let mut calls = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        match call(linked, line) {
            Ok(call) => calls.push(ScriptCall { place: Some(place), ..call }),
            Err(problem) => problems.push(*problem),
        }
    }
    calls
}

fn call(linked: &Linked, text: &Spanned<String>) -> Result<ScriptCall, Box<Problem>> {
    let failed = |error: ScriptError| Box::new(problem(&error, text));
    let line = Line::parse(text.get_ref()).map_err(failed)?;
    let (name, replica) = line.target.split_once('/').unwrap_or((line.target, "0"));
    let nodes = &linked.program.nodes;
    let Some(place) = nodes.iter().position(|node| node.name == name) else {
        let known: Vec<_> = nodes.iter().map(|node| node.name.clone()).collect();
        return Err(Box::new(unknown_node(name, text.span(), &known)));
    };
    let (node, component) = (&nodes[place], &linked.components[place]);
    let replica = replica.parse().ok().filter(|replica| *replica < node.replicas).ok_or_else(|| {
        let message = format!("`{name}` has the replicas 0 to {}, and no `{}`", node.replicas - 1, line.target);
        Box::new(Problem::error("bad-call", message).at(Some(text.span()), "this calls nothing"))
    })?;
    let Resolved { interface, method, types } = line.resolve(&component.couriers).map_err(failed)?;
    let request = line.request(types).map_err(failed)?;
    let expected = match line.outcome {
        Outcome::Any => Expected::Any,
        Outcome::Fails(case) => Expected::Fails(call_error(case, text)?.to_owned()),
        Outcome::Result(_) => line.result_pattern(types).map_err(failed)?.map_or(Expected::Any, Expected::Result),
    };
    Ok(ScriptCall {
        place: None,
        line: text.get_ref().trim().to_owned(),
        node: place,
        replica,
        interface: interface.name.clone(),
        method: method.name.clone(),
        types: types.clone(),
        request,
        expected,
    })
}

/// Checks the answers of a double by the types of the component that it stands in for.
pub(super) fn check_double(linked: &Linked, node: &str, double: &DoubleFile, problems: &mut Problems) {
    let nodes = linked.program.nodes.iter().zip(&linked.components);
    let Some((_, component)) = nodes.into_iter().find(|(known, _)| known.name == node) else { return };
    for answer in &double.answers {
        let text = Spanned::new(answer.span(), answer.get_ref().line().to_owned());
        let checked = Line::parse_method(text.get_ref()).and_then(|line| {
            let Resolved { types, .. } = line.resolve(&component.couriers)?;
            line.argument_patterns(types)?;
            match line.outcome {
                Outcome::Fails(case) => Ok(Some(case.to_owned())),
                _ => line.response(types).map(|_| None),
            }
        });
        match checked {
            Ok(Some(case)) => problems.problems.extend(call_error(&case, &text).err().map(|problem| *problem)),
            Ok(None) => {}
            Err(error) => problems.push(problem(&error, &text)),
        }
    }
}

fn call_error<'c>(case: &'c str, text: &Spanned<String>) -> Result<&'c str, Box<Problem>> {
    if CALL_ERRORS.contains(&case) {
        return Ok(case);
    }
    let problem = Problem::error("bad-call", format!("there is no call error `{case}`"));
    let help = format!("there are `{}`", CALL_ERRORS.join("`, `"));
    Err(Box::new(problem.at(Some(text.span()), "this can't happen").help(help)))
}

fn problem(error: &ScriptError, text: &Spanned<String>) -> Problem {
    let help = error.known().map(|known| format!("there are {}", known.trim_end().replace('\n', ", ")));
    Problem::error("bad-call", error.to_string()).at(Some(text.span()), "this line").help(help)
}
