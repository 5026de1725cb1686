//! What is wrong with a program, and how it is shown.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::source::Source;

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The program can't run.
    Error,
    /// The program can run, but probably not as meant.
    Warning,
}

/// One thing that is wrong with a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The name of the rule, such as `unknown-node`.
    pub code: &'static str,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// The place in the text of [`Problems`], if the program came from a file.
    pub span: Option<Range<usize>>,
    /// What stands beside the place.
    pub label: String,
    /// The line or command that mends it.
    pub help: Option<String>,
}

/// Everything that is wrong with a program, in the order of its text.
#[derive(Debug, Clone)]
pub struct Problems {
    /// The problems.
    pub problems: Vec<Problem>,
    source: Source,
    /// The parts of the program that a problem was found in, such as `name` or `nodes.producer`. Later stages leave them
    /// alone, because what follows from a first mistake is noise.
    broken: BTreeSet<String>,
}

impl Problem {
    pub(super) fn error(code: &'static str, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            code,
            message: message.into(),
            span: None,
            label: String::new(),
            help: None,
        }
    }

    pub(super) fn warning(code: &'static str, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(code, message) }
    }

    pub(super) fn at(self, span: Option<Range<usize>>, label: impl Into<String>) -> Problem {
        Problem { span, label: label.into(), ..self }
    }

    pub(super) fn help(self, help: impl Into<Option<String>>) -> Problem {
        Problem { help: help.into(), ..self }
    }
}

impl Problems {
    pub(super) fn new(source: &Source) -> Problems {
        Problems { problems: Vec::new(), source: source.clone(), broken: BTreeSet::new() }
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Adds a problem of a node.
    pub(super) fn push_node(&mut self, node: &str, problem: Problem) {
        if problem.severity == Severity::Error {
            self.broken.insert(node_part(node));
        }
        self.push(problem);
    }

    /// Notes that the value at these keys is not as its author meant it.
    pub(super) fn mark_broken(&mut self, keys: &[String]) {
        self.broken.extend(match keys {
            [first, node, ..] if first == "nodes" => Some(node_part(node)),
            [first, ..] => Some(first.clone()),
            [] => None,
        });
    }

    /// Whether a problem was found in the value of this key of the program.
    pub(super) fn is_broken(&self, key: &str) -> bool {
        self.broken.iter().any(|part| part.split('.').next() == Some(key))
    }

    /// Whether a problem was found in this node.
    pub(super) fn is_node_broken(&self, node: &str) -> bool {
        self.broken.contains("nodes") || self.broken.contains(&node_part(node))
    }

    /// `value` if nothing is an error, else the problems in the order of the text.
    pub(super) fn into_result<T>(self, value: T) -> Result<T, Problems> {
        self.into_result_with(|_| value)
    }

    /// What `make` makes of the warnings if nothing is an error, else the problems in the order of the text.
    pub(super) fn into_result_with<T>(self, make: impl FnOnce(Problems) -> T) -> Result<T, Problems> {
        let is_error = self.problems.iter().any(|problem| problem.severity == Severity::Error);
        let problems = self.in_order();
        if is_error { Err(problems) } else { Ok(make(problems)) }
    }

    /// The problems in the order of the text, those without a place last.
    pub(super) fn in_order(mut self) -> Problems {
        self.problems.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
        self
    }

    /// The problems as text for a person, with escape codes for colours if `color`. Ends without a line break.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let texts: Vec<_> = self.problems.iter().map(|problem| self.render_one(problem, &renderer)).collect();
        texts.join("\n\n")
    }

    fn render_one(&self, problem: &Problem, renderer: &Renderer) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let snippet = problem.span.as_ref().map(|span| {
            let part = self.source.part(span);
            let annotation = AnnotationKind::Primary.span(part.span).label(problem.label.as_str());
            Snippet::source(part.text).path(part.path).annotation(annotation)
        });
        let title = level.primary_title(problem.message.as_str()).id(problem.code);
        let mut report = vec![title.elements(snippet)];
        if let Some(help) = &problem.help {
            report.push(Group::with_title(Level::HELP.secondary_title(help.as_str())));
        }
        renderer.render(&report)
    }
}

fn node_part(node: &str) -> String {
    format!("nodes.{node}")
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}
