//! The rules of a program that need no component: names, limits, handles, and what the sandbox grants.

mod colocations;
mod limits;
mod listen;
mod sandbox;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use lp_base::suggest;

use super::problem::{Problem, Problems};
use super::source::{NodePlace, Place};
use super::{Handle, NAME_BYTES_MAX, Node, Program, REPLICAS_MAX};

/// Adds what breaks a rule to `problems`.
pub(super) fn check(program: &Program, problems: &mut Problems) {
    if !problems.is_broken("name") {
        let span = program.source.span(&Place::ProgramName);
        problems.problems.extend(name_problem("program", &program.name, span));
    }
    if program.nodes.is_empty() && !problems.is_broken("nodes") {
        let help = "add a node: a table `[nodes.producer]` with a `component`".to_owned();
        let at = (!program.source.text.is_empty()).then_some(0..0);
        problems.push(Problem::error("no-nodes", "the program has no nodes").at(at, "").help(help));
    }
    limits::check(program, problems);
    let mut names = BTreeSet::new();
    for node in &program.nodes {
        if !names.insert(&node.name) {
            let problem = Problem::error("duplicate-name", format!("two nodes are named `{}`", node.name));
            problems.push_node(&node.name, problem);
        }
        NodeCheck { program, node, problems }.all();
    }
    colocations::check(program, problems);
}

/// Whether `name` can be the name of a program, a node or a handle.
pub fn is_name(name: &str) -> bool {
    let words_are_good = name
        .split('-')
        .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    words_are_good && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= NAME_BYTES_MAX
}

/// What a name has to look like, as a hint.
pub const NAME_RULE: &str = "a name is lower-case letters and digits in words joined by `-`, such as `word-counter`; \
    it begins with a letter and has at most 64 characters";
const _: () = assert!(NAME_BYTES_MAX == 64, "the rule names it");

fn name_problem(of: &str, name: &str, span: Option<Range<usize>>) -> Option<Problem> {
    if is_name(name) {
        return None;
    }
    let problem = Problem::error("bad-name", format!("`{name}` can't be the name of a {of}"));
    Some(problem.at(span, "not a name").help(NAME_RULE.to_owned()))
}

struct NodeCheck<'a> {
    program: &'a Program,
    node: &'a Node,
    problems: &'a mut Problems,
}

impl NodeCheck<'_> {
    fn all(&mut self) {
        self.report(name_problem("node", &self.node.name, self.span(NodePlace::Name)));
        self.replicas();
        self.limits();
        let at = |place| self.span(NodePlace::Restart(place));
        self.report(colocations::restart_problem(&self.node.restart, at));
        self.listen();
        self.admission();
        self.handles();
        self.inputs();
        self.sandbox();
    }

    fn span(&self, place: NodePlace) -> Option<Range<usize>> {
        self.program.source.node_span(&self.node.name, place)
    }

    fn report(&mut self, problem: impl IntoIterator<Item = Problem>) {
        for problem in problem {
            self.problems.push_node(&self.node.name, problem);
        }
    }

    fn replicas(&mut self) {
        if !(1..=REPLICAS_MAX).contains(&self.node.replicas) {
            let problem = Problem::error("replicas", format!("`replicas` must be from 1 to {REPLICAS_MAX}"));
            self.report([problem.at(self.span(NodePlace::Replicas), "out of range")]);
        }
    }

    /// An address has room for one node. With port 0, the system sees to that.
    fn listen(&mut self) {
        let Some(address) = self.node.listen.filter(|address| address.port() != 0) else { return };
        let others = self.program.nodes.iter().take_while(|other| !std::ptr::eq(*other, self.node));
        let mut taken = others.filter(|other| other.listen.is_some_and(|other| collide(other, address)));
        if let Some(other) = taken.next() {
            let message = format!("`{}` and `{}` listen at the same address", other.name, self.node.name);
            let problem = Problem::error("duplicate-address", message);
            self.report([problem.at(self.span(NodePlace::Listen), "taken by another node")]);
        }
    }

    fn handles(&mut self) {
        let mut names = BTreeSet::new();
        for handle in &self.node.handles {
            self.report(name_problem("handle", &handle.name, self.span(NodePlace::HandleName(handle.name.clone()))));
            if !names.insert(&handle.name) {
                let (name, node) = (&handle.name, &self.node.name);
                let message = format!("two handles of `{node}` are named `{name}`");
                self.report([Problem::error("duplicate-name", message)]);
            }
            self.handle(handle);
        }
    }

    fn handle(&mut self, handle: &Handle) {
        let name = &handle.name;
        if handle.nodes.is_empty() && !self.problems.is_node_broken(&self.node.name) {
            let problem = Problem::error("empty-group", format!("the handle `{name}` reaches no node"));
            let problem = problem.at(self.span(NodePlace::HandleNodes(name.clone())), "an empty group");
            self.report([problem.help("name at least one node".to_owned())]);
        }
        if handle.timeout == Some(Duration::ZERO) {
            let problem = Problem::error("limit", "a `timeout` must be at least 1ms, or every call fails");
            self.report([problem.at(self.span(NodePlace::HandleTimeout(name.clone())), "out of range")]);
        }
        for (index, target) in handle.nodes.iter().enumerate() {
            let span = self.span(NodePlace::HandleNode(name.clone(), index));
            let mut known = self.program.nodes.iter().map(|node| node.name.as_str());
            if !known.clone().any(|known| known == target) {
                // A node that is there but could not be read is reported where it stands.
                if self.problems.is_node_broken(target) {
                    self.problems.mark_broken(&["nodes".to_owned(), self.node.name.clone()]);
                    continue;
                }
                let problem = Problem::error("unknown-node", format!("no node is named `{target}`"));
                let help = suggest::did_you_mean(target, known.by_ref());
                self.report([problem.at(span, "this handle points nowhere").help(help)]);
            } else if handle.nodes[..index].contains(target) {
                let problem = Problem::error("duplicate-member", format!("`{target}` is in the group `{name}` twice"));
                let help = "name it once; to run more of it, give it more `replicas`".to_owned();
                self.report([problem.at(span, "named before").help(help)]);
            }
        }
    }

    fn inputs(&mut self) {
        for (index, arg) in self.node.args.iter().enumerate() {
            if arg.contains('\0') {
                let problem = Problem::error("bad-argument", "an argument can't contain a NUL character");
                self.report([problem.at(self.span(NodePlace::Arg(index)), "contains `\\u0000`")]);
            }
        }
        for key in self.node.config.keys() {
            if !is_config_key(key) {
                let problem = Problem::error("bad-config", "a config key needs text without control characters");
                self.report([problem.at(self.span(NodePlace::Config(key.clone())), "not a key")]);
            }
        }
        for (name, value) in &self.node.env {
            let message = if !is_env_name(name) {
                ENV_NAME_RULE
            } else if value.contains('\0') {
                "the value of an environment variable can't contain a NUL character"
            } else {
                continue;
            };
            let problem = Problem::error("bad-env", message);
            self.report([problem.at(self.span(NodePlace::Env(name.clone())), "no guest can be given this")]);
        }
    }
}

/// What the name of an environment variable has to look like.
const ENV_NAME_RULE: &str = "the name of an environment variable needs text without `=` and NUL characters";

fn is_env_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

fn is_config_key(key: &str) -> bool {
    !key.is_empty() && !key.contains(char::is_control)
}

/// Whether a port of both addresses would be the same one: an unspecified address stands for every other.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}
