//! The rules of a program that need no component: names, limits, handles, and what the sandbox grants.

mod colocations;
mod kubernetes;
mod limits;
mod listen;
mod policy;
mod replay;
mod sandbox;
mod slurm;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use lp_base::suggest;
pub(super) use policy::check_paths;

use super::problem::{Problem, Problems};
use super::source::{NodePlace, Place};
use super::{Handle, NAME_BYTES_MAX, Node, NodesByName, Program, REPLICAS_MAX};

/// Adds what breaks a rule to `problems`.
pub(super) fn check(program: &Program, problems: &mut Problems) {
    if !problems.is_broken("name") {
        let span = program.source.span(&Place::ProgramName);
        problems.extend(name_problem("program", &program.name, span));
    }
    if program.nodes.is_empty() && !problems.is_broken("nodes") {
        let help = "add a node: a table `[nodes.producer]` with a `component`".to_owned();
        let at = (!program.source.text.is_empty()).then_some(0..0);
        problems.push(Problem::error("no-nodes", "the program has no nodes").at(at, "").help(help));
    }
    limits::check(program, problems);
    let mut names = BTreeSet::new();
    let (nodes, mut listening) = (program.nodes_by_name(), Listening::default());
    for node in &program.nodes {
        if !names.insert(&node.name) {
            let problem = Problem::error("duplicate-name", format!("two nodes are named `{}`", node.name));
            problems.push_node(&node.name, problem);
        }
        let mut check = NodeCheck { program, node, nodes: &nodes, problems };
        check.all();
        check.listen(&mut listening);
    }
    colocations::check(program, &nodes, problems);
    policy::check_totals(program, problems);
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
    let meant = name.to_ascii_lowercase().replace(['_', '.', ' '], "-");
    let help = if is_name(&meant) { format!("write `{meant}`; {NAME_RULE}") } else { NAME_RULE.to_owned() };
    Some(problem.at(span, "not a name").help(help))
}

struct NodeCheck<'a> {
    program: &'a Program,
    node: &'a Node,
    nodes: &'a NodesByName<'a>,
    problems: &'a mut Problems,
}

impl NodeCheck<'_> {
    fn all(&mut self) {
        self.report(name_problem("node", &self.node.name, self.span(NodePlace::Name)));
        self.replicas();
        self.limits();
        let at = |place| self.span(NodePlace::Restart(place));
        self.report(colocations::restart_problem(&self.node.restart, at));
        self.admission();
        self.handles();
        self.inputs();
        self.sandbox();
        self.policy();
        self.replay();
        self.slurm();
        self.kubernetes();
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
    fn listen(&mut self, listening: &mut Listening) {
        let Some(address) = self.node.listen.filter(|address| address.port() != 0) else { return };
        if let Some(other) = listening.add(address, &self.node.name) {
            let message = format!("`{other}` and `{}` listen at the same address", self.node.name);
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
        self.access(handle);
        let mut members = HashSet::new();
        for (index, target) in handle.nodes.iter().enumerate() {
            let span = self.span(NodePlace::HandleNode(name.clone(), index));
            if !self.nodes.contains_key(target.as_str()) {
                // A node that is there but could not be read is reported where it stands.
                if self.problems.is_node_broken(target) {
                    self.problems.mark_broken(&["nodes".to_owned(), self.node.name.clone()]);
                    continue;
                }
                let problem = Problem::error("unknown-node", format!("no node is named `{target}`"));
                let help = self.meant_node(target);
                self.report([problem.at(span, "this handle points nowhere").help(help)]);
            } else if !members.insert(target) {
                let problem = Problem::error("duplicate-member", format!("`{target}` is in the group `{name}` twice"));
                let help = "name it once; to run more of it, give it more `replicas`".to_owned();
                self.report([problem.at(span, "named before").help(help)]);
            }
        }
    }

    /// A guess at which node a mistyped name means, as long as anybody reads it.
    fn meant_node(&self, name: &str) -> Option<String> {
        let known = self.program.nodes.iter().map(|node| node.name.as_str());
        if self.problems.is_full() { None } else { suggest::did_you_mean(name, known) }
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

/// The addresses that nodes listen at so far.
#[derive(Default)]
struct Listening {
    ports: HashMap<u16, Port>,
    /// The name of the node of each address, in the order in which they came.
    nodes: Vec<String>,
}

/// Who listens at one port: the first of all, at each address, and at an unspecified one.
struct Port {
    first: usize,
    unspecified: Option<usize>,
    addresses: HashMap<IpAddr, usize>,
}

impl Listening {
    /// Notes an address, and gives the first node whose port would be the same one: an unspecified address stands for
    /// every other.
    fn add(&mut self, address: SocketAddr, node: &str) -> Option<&str> {
        let own = self.nodes.len();
        self.nodes.push(node.to_owned());
        let port = || Port { first: own, unspecified: None, addresses: HashMap::new() };
        let port = self.ports.entry(address.port()).or_insert_with(port);
        let is_unspecified = address.ip().is_unspecified();
        let any = is_unspecified.then_some(port.first).filter(|first| *first != own);
        let same = port.addresses.get(&address.ip()).copied();
        let taken = [any, same, port.unspecified].into_iter().flatten().min();
        port.addresses.entry(address.ip()).or_insert(own);
        if is_unspecified {
            port.unspecified.get_or_insert(own);
        }
        taken.map(|taken| self.nodes[taken].as_str())
    }
}
