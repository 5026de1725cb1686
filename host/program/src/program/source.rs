//! Where a program's text came from, and which part of it each of the program's facts stands in.

use std::collections::HashMap;
use std::ops::Range;

use super::Limit;

/// The text of a program and the places in it. A program that was built in Rust has neither.
///
/// The operator's file and the overrides of the command line follow the file's text, each after a line break, so that
/// one offset names a place in any of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    /// The path as the user gave it.
    pub path: String,
    pub text: String,
    /// The operator's file and the overrides: where each starts in `text`, and what messages call it.
    pub others: Vec<(usize, String)>,
    places: HashMap<Place, Range<usize>>,
}

/// A fact of a program that stands somewhere in its text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    ProgramName,
    Grace,
    MessageMax,
    Ceiling(Ceilings, Limit),
    /// A fact of the node of that name.
    Node(String, NodePlace),
    /// A fact of the colocation of that name.
    Colocation(String, ColocationPlace),
}

/// Whose ceilings they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ceilings {
    /// The program's own, in `[limits]`.
    Program,
    /// Those of whoever runs it.
    Operator,
}

/// A fact of a node that stands somewhere in the program's text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum NodePlace {
    Name,
    Component,
    Sha256,
    Build,
    Replicas,
    /// Present only where the file says `run = true`.
    RunTrue,
    Listen,
    ListenCertificate,
    ListenKey,
    ListenClientCa,
    ListenToken,
    Restart(RestartPlace),
    Limit(Limit),
    Arg(usize),
    Config(String),
    Env(String),
    HandleName(String),
    HandleTimeout(String),
    /// The list of nodes of a handle, or its only node.
    HandleNodes(String),
    HandleNode(String, usize),
    HandleAccess(String),
    /// A key of a table of a replay node, or the table itself for an empty one.
    Table(usize, &'static str),
    Checkpoint,
    CheckpointEvery,
    Fallback,
    DirHost(usize),
    DirGuest(usize),
    FileHost(usize),
    FileGuest(usize),
    InheritEnv(usize),
    /// The name of a secret.
    Secret(String),
    Network(usize),
    Http(usize),
    HttpCa,
    /// A key of `slurm`.
    Slurm(&'static str),
    SlurmLine(usize),
    /// A key of `kubernetes`.
    Kubernetes(&'static str),
    Toleration(usize),
    EnvSecret(usize),
}

/// A fact of a colocation that stands somewhere in the program's text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ColocationPlace {
    Name,
    Node(usize),
    Restart(RestartPlace),
}

/// A fact of a restart policy that stands somewhere in the program's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum RestartPlace {
    Whole,
    Max,
    Window,
    Backoff,
    BackoffMax,
}

/// A part of the text: the program file, the operator's, or one override.
pub(super) struct Part<'a> {
    pub path: &'a str,
    pub text: &'a str,
    pub span: Range<usize>,
}

impl Source {
    pub fn new(path: String, text: String) -> Source {
        Source { path, text, ..Source::default() }
    }

    /// Appends a part that is called `path`, and gives the offset at which it starts.
    pub fn push(&mut self, path: &str, text: &str) -> usize {
        self.text.push('\n');
        let start = self.text.len();
        self.text.push_str(text);
        self.others.push((start, path.to_owned()));
        start
    }

    pub fn place(&mut self, place: Place, span: Range<usize>) {
        self.places.insert(place, span);
    }

    pub fn span(&self, place: &Place) -> Option<Range<usize>> {
        self.places.get(place).cloned()
    }

    pub fn node_span(&self, node: &str, place: NodePlace) -> Option<Range<usize>> {
        self.span(&Place::Node(node.to_owned(), place))
    }

    /// The part that `span` lies in, and where in that part.
    pub fn part(&self, span: &Range<usize>) -> Part<'_> {
        let index = self.others.partition_point(|(start, _)| *start <= span.start);
        let (start, path) = index.checked_sub(1).map_or((0, &self.path), |index| {
            let (start, path) = &self.others[index];
            (*start, path)
        });
        let end = self.others.get(index).map_or(self.text.len(), |(next, _)| next - 1);
        Part { path, text: &self.text[start..end], span: span.start - start..span.end.min(end) - start }
    }
}
