//! What is wrong with a program, and how it is shown.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use lp_base::shown;

use super::source::Source;

/// The code of every rule, with what it asks of a program.
pub const RULES: &[(&str, &str)] = &[
    ("ambiguous-import", "one handle serves an import, by its name or as the only one that fits"),
    ("bad-address", "an address to listen at is an IP address and a port"),
    ("bad-argument", "an argument has no NUL character"),
    ("bad-ca", "a file of authorities has certificates and no key"),
    ("bad-certificate", "a file of certificates for a node that listens has certificates and no key"),
    ("bad-checkpoint", "the checkpoints of a replay node have a folder of their own"),
    ("bad-config", "a config key is text without control characters"),
    ("bad-digest", "a digest is 64 hexadecimal digits"),
    ("bad-duration", "a duration is a whole number and a unit"),
    ("bad-env", "an environment variable is something that an operating system can hold"),
    ("bad-http", "a grant of HTTP requests is a scheme, a host and a port"),
    ("bad-kubernetes", "what a node asks of Kubernetes is something that a cluster may have"),
    ("bad-listen", "a node that listens has all that it needs to let in only whom it should"),
    ("bad-name", "a name is in kebab-case and short"),
    ("bad-network", "a grant of sockets is a use, an address and a port"),
    ("bad-secret", "a secret is in a file or in an environment variable"),
    ("bad-size", "a size is a whole number and a unit"),
    ("bad-slurm", "what a node asks of Slurm is something that a cluster may have"),
    ("bad-table", "a table of a replay node is one that can be kept"),
    ("bad-time", "a time is written as in RFC 3339"),
    ("colocated-twice", "a node is in one colocation at most"),
    ("duplicate-address", "two nodes don't listen at the same address"),
    ("duplicate-dir", "two directories or files don't appear at the same place in a guest"),
    ("duplicate-member", "a group has each node once"),
    ("duplicate-name", "a name is given once"),
    ("empty-colocation", "a colocation has at least one node"),
    ("empty-group", "a handle reaches at least one node"),
    ("forbidden", "a program asks for nothing that the operator's policy does not allow"),
    ("group-handle", "a plain import is served by a handle of one node"),
    ("guest-dir", "a guest's path of a directory or file is absolute and plain"),
    ("handle-nodes", "a handle has either `node` or `nodes`"),
    ("idle-node", "a node runs or serves calls"),
    ("limit", "a limit is within what can be kept"),
    ("limit-twice", "a limit is given in one place"),
    ("missing-component", "a node has a component"),
    ("missing-dir", "a directory that a guest is given exists"),
    ("missing-file", "a file that a guest is given exists"),
    ("missing-name", "a program has a name"),
    ("missing-table", "a replay node has a table"),
    ("no-access", "a handle of a replay node gives the access that it is used for"),
    ("no-component-file", "the file of a component exists"),
    ("no-courier", "a node that listens exports an interface to call"),
    ("no-nodes", "a program has a node"),
    ("no-program", "the program file can be read"),
    ("no-policy", "the file of an operator's policy can be read"),
    ("no-run", "a component with `run = true` has an entry point"),
    ("not-a-component", "the file of a component is a valid component"),
    ("over-ceiling", "nodes ask for no more than their ceilings allow"),
    ("replicas", "the number of replicas is within what can be run"),
    ("sharded-replay", "a replay node with several replicas is written to through handles, and does not listen"),
    ("shared-restart", "only a colocation of processes has restarts of its own"),
    ("small-limit", "a node's limits have room for what its component starts with"),
    ("syntax", "a program file is TOML"),
    ("two-restarts", "a node has one restart policy"),
    ("type-mismatch", "caller and callee agree on the types of a function"),
    ("unbound-import", "every import is served by a handle"),
    ("unknown-import", "an import of a `wasi:` or `lp:` package is an interface that the host serves"),
    ("unknown-key", "a key is one that the schema knows"),
    ("unknown-node", "a node that is referred to exists"),
    ("unsupported-import", "an import is an interface"),
    ("unsupported-type", "calls between nodes pass values only"),
    ("unused-handle", "a handle serves an import"),
    ("unused-pick", "only calls of a plain import are spread over replicas"),
    ("wrong-digest", "a component file has the digest that its node names"),
    ("wrong-interface", "the node of a handle exports what the handle is used for"),
    ("wrong-kind", "a node has only keys of its kind"),
    ("wrong-type", "a value has the type that the schema says"),
    ("wrong-value", "a value is one of those that the schema says"),
];

/// The code of every rule that only files of tests have, with what it asks of one.
pub const TEST_RULES: &[(&str, &str)] = &[
    ("bad-call", "a call of a test fits the interfaces of its node"),
    ("bad-fault", "a fault of a test says what happens to whom and when"),
    ("bad-tests", "the tests of a node are listed and run as `lp:test/tests` has it"),
    ("no-check", "a test checks something"),
    ("no-edge", "a fault of a test is on an edge of the program"),
    ("no-tests", "the file of tests can be read"),
];

/// The most problems that are kept: nobody reads more, and each is shown with its line of the file.
pub const PROBLEMS_MAX: usize = 200;

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
    /// The code of the rule in [`RULES`], such as `unknown-node`.
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

/// Where a problem is, for tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location<'a> {
    /// The path of the program file as it was given, or `--set` for an override of the command line.
    pub path: &'a str,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// Everything that is wrong with a program, in the order of its text.
#[derive(Debug, Clone)]
pub struct Problems {
    /// The problems, at most [`PROBLEMS_MAX`] of them.
    pub problems: Vec<Problem>,
    /// How many more there are, at least: once there are too many to be shown, the most costly checks are left out.
    pub left_out: usize,
    /// Boxed, because it is large for a part of an error.
    source: Box<Source>,
    /// The parts of the program that a problem was found in, such as `name` or `nodes.producer`. Later stages leave them
    /// alone, because what follows from a first mistake is noise.
    broken: BTreeSet<String>,
}

impl Problem {
    pub(super) fn error(code: &'static str, message: impl Into<String>) -> Problem {
        debug_assert!(
            RULES.iter().chain(TEST_RULES).any(|(known, _)| *known == code),
            "`{code}` is missing among the rules"
        );
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
        Problems { problems: Vec::new(), left_out: 0, source: Box::new(source.clone()), broken: BTreeSet::new() }
    }

    pub(super) fn push(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            return self.problems.push(problem);
        }
        self.left_out += 1;
        // An error is never left out for a warning.
        if problem.severity == Severity::Error
            && let Some(warning) = self.problems.iter().rposition(|problem| problem.severity == Severity::Warning)
        {
            self.problems[warning] = problem;
        }
    }

    pub(super) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    /// Whether the program can't run.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether no further problem will be shown, so that looking for more of them is of no use.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX && self.problems.iter().all(|problem| problem.severity == Severity::Error)
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
        let below = format!("{key}.");
        let mut following = self.broken.range(below.clone()..);
        self.broken.contains(key) || following.next().is_some_and(|part| part.starts_with(&below))
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
        let is_error = self.has_errors();
        let problems = self.in_order();
        if is_error { Err(problems) } else { Ok(make(problems)) }
    }

    /// The problems in the order of the text, those without a place last.
    pub(super) fn in_order(mut self) -> Problems {
        self.problems.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
        self
    }

    /// Where one of these problems is, if the program came from a file.
    pub fn location(&self, problem: &Problem) -> Option<Location<'_>> {
        let part = self.source.part(problem.span.as_ref()?);
        let before = part.text.get(..part.span.start)?;
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        Some(Location {
            path: part.path,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        })
    }

    /// The problems as text for a person, with escape codes for colours if `color`, and none from a component or the program
    /// file. Ends without a line break.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let texts: Vec<_> = self.problems.iter().map(|problem| self.render_one(problem, &renderer)).collect();
        let left_out = (self.left_out > 0).then(|| format!("\n\n… and at least {} more", self.left_out));
        // The renderer leaves some control characters in the text of a program file as they are.
        let text = texts.join("\n\n") + left_out.as_deref().unwrap_or_default();
        if color { shown::styled_lines(&text).into_owned() } else { shown::lines(&text).into_owned() }
    }

    fn render_one(&self, problem: &Problem, renderer: &Renderer) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let snippet = problem.span.as_ref().map(|span| {
            let part = self.source.part(span);
            // Only its own lines: the renderer looks at all that it is given, for each problem.
            let bytes = part.text.as_bytes();
            let before = bytes[..part.span.start].iter().rposition(|byte| *byte == b'\n');
            let start = before.map_or(0, |index| index + 1);
            let after = bytes[part.span.end..].iter().position(|byte| *byte == b'\n');
            let end = after.map_or(bytes.len(), |index| part.span.end + index + 1);
            let span = part.span.start - start..part.span.end - start;
            let annotation = AnnotationKind::Primary.span(span).label(shown::line(&problem.label));
            let line = part.text[..start].matches('\n').count() + 1;
            Snippet::source(&part.text[start..end]).path(part.path).line_start(line).annotation(annotation)
        });
        let title = level.primary_title(shown::line(&problem.message)).id(problem.code);
        let mut report = vec![title.elements(snippet)];
        if let Some(help) = &problem.help {
            report.push(Group::with_title(Level::HELP.secondary_title(shown::line(help))));
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
