//! A program: the graph of nodes that the user wrote, in `program.toml` or in Rust, checked and bound by its WIT types.
//!
//! The same graph as a file and in Rust:
//!
//! ```toml
//! name = "counting"
//!
//! [nodes.producer]
//! component = "producer.wasm"
//! replicas = 2
//!
//! [nodes.consumer]
//! component = "consumer.wasm"
//! handles = { producers = "producer" }
//! ```
//!
//! ```
//! use lp_program::program::{Node, Program};
//!
//! let mut program = Program::new("counting");
//! let producers = program.add_node(Node::component("producer", "producer.wasm").replicas(2));
//! program.add_node(Node::component("consumer", "consumer.wasm").handle("producers", &producers));
//! assert_eq!(program.nodes.len(), 2);
//! ```

mod builder;
mod check;
mod colocation;
mod double;
mod file;
mod graph;
mod handle;
mod link;
mod lock;
mod lower;
mod overrides;
mod parse;
mod policy;
mod problem;
mod source;
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use builder::NodeHandle;
pub use check::{NAME_RULE, is_name};
pub use colocation::Colocation;
pub use double::{Answer, Double};
pub use file::{policy_schema, schema};
pub use graph::{Graph, GraphEdge, GraphNode};
pub use handle::Handle;
pub use link::{Binding, BoundHandle, BoundTarget, Linked};
pub use lock::{LockError, Locked, LockedNode, lock};
pub use lp_base::plan::EdgeStyle;
pub use lp_base::words::{
    Access, Addresses, Admission, AdmissionPlan, AtLimit, Authorities, BadAuthorities, BadHost, BadHttpGrant,
    BadNetworkGrant, BadTimestamp, Clock, ColocationMode, Configuration, Hardening, Host, HostPattern, HttpGrant,
    HttpOrigin, Limit, Limits, NetworkGrant, NetworkUse, PathGrant, Pick, RESTARTS_MAX, Random, RateLimiter, Real,
    Replay, ReplayAccess, ReplayCheckpoint, ReplayTable, Restart, RestartPolicy, Retry, Sandbox, SecretSource,
    Selector, SignatureColumn, Timestamp, WhenFull, format_bytes, parse_duration,
};
use lp_base::words::{Digest, HostChoice, KubernetesRequest, SlurmRequest};
pub use overrides::{Override, OverrideError};
use parse::Overlay;
pub use policy::{OperatorPolicy, Policy};
pub use problem::{Location, PROBLEMS_MAX, Problem, Problems, RULES, Severity, TEST_RULES};
use source::Source;
pub use tests::{
    BadTests, CallUpdate, Chance, CrashTime, Effect, Expectation, Expected, Fault, FaultEdge, Grant, Leg, Mishap,
    NodeState, ProgramOutcome, ScriptCall, Span, Start, TESTS_SUFFIX, Test, TestFile, tests_schema,
};

/// The most replicas that one node may have.
pub const REPLICAS_MAX: u32 = 10_000;
/// The longest name of a node, a handle, a colocation or a program.
pub const NAME_BYTES_MAX: usize = 64;

/// The places of nodes by their names.
type NodesByName<'p> = HashMap<&'p str, usize>;

/// A program: named nodes, and for each the handles it holds.
#[derive(Debug, Clone)]
pub struct Program {
    /// The name of the program.
    pub name: String,
    /// The directory of the program file, to which its paths are relative.
    pub dir: PathBuf,
    /// The nodes, in the order in which the file or the builder names them.
    pub nodes: Vec<Node>,
    /// The nodes that belong together, in the order in which the file or the builder names them.
    pub colocations: Vec<Colocation>,
    /// How long nodes may take to stop when they are asked to, before they are dropped.
    pub grace: Duration,
    /// The largest encoded call or result that passes between nodes.
    pub message_bytes_max: u64,
    /// The limits that no node may exceed.
    pub ceilings: Limits,
    /// The limits of whoever runs the program, which no node may exceed either.
    pub operator_ceilings: Limits,
    /// What whoever runs the program allows it to ask for.
    pub policy: Policy,
    /// Whether its nodes run on other machines, so that what they are granted is not looked for on this one.
    pub elsewhere: bool,
    /// Whether worker processes must be hardened.
    pub hardening: Hardening,
    source: Source,
}

/// A named vertex of the graph: one component, run as a number of replicas.
#[derive(Debug, Clone)]
pub struct Node {
    /// The name, in kebab-case, unique in the program.
    pub name: String,
    /// The component file; relative paths are relative to the program's directory until [`Program::load`] or
    /// [`Program::link`] makes them absolute.
    pub component: PathBuf,
    /// What the component file must be; any if there is none.
    pub sha256: Option<Digest>,
    /// The shell command that builds the component, run in the program's directory, or the path of a `build.toml`.
    pub build: Option<String>,
    /// How many instances run, from 1 to [`REPLICAS_MAX`].
    pub replicas: u32,
    /// Whether the component's entry point is run, if it has one.
    pub run: bool,
    /// The clients of other nodes that this node is given.
    pub handles: Vec<Handle>,
    /// The arguments that the guest sees, without its own name.
    pub args: Vec<String>,
    /// The values that `wasi:config` serves.
    pub config: BTreeMap<String, String>,
    /// The environment variables that the guest sees; it inherits none.
    pub env: BTreeMap<String, String>,
    /// When a replica that has ended is started again.
    pub restart: Restart,
    /// The address at which clients from outside the program can call the node.
    pub listen: Option<SocketAddr>,
    /// Who is let in there.
    pub admission: Admission,
    /// The limits of each replica that are not to be those that hold by default.
    pub limits: Limits,
    /// What each replica may use.
    pub sandbox: Sandbox,
    /// The hosts that it may run on, where there are several.
    pub hosts: HostChoice,
    /// What its replicas ask of Slurm, where the program runs there.
    pub slurm: SlurmRequest,
    /// What its replicas ask of Kubernetes, where the program runs there.
    pub kubernetes: KubernetesRequest,
    /// What answers the node's calls in place of its component, in a test.
    pub double: Option<Double>,
    /// What the node keeps, if it is a replay node, which has no component.
    pub replay: Option<Replay>,
}

impl Program {
    /// How long a program whose file says nothing of it lets its nodes take to stop.
    pub const GRACE: Duration = Duration::from_secs(5);
    /// The largest message of a program whose file says nothing of it.
    pub const MESSAGE_BYTES_MAX: u64 = lp_base::words::MESSAGE_BYTES_MAX;

    /// Reads the program file at `path`, replaces what `overrides` name, and checks everything that can be checked
    /// without reading a component. Every mistake in the file is among the problems.
    pub fn load(path: &Path, overrides: &[Override]) -> Result<Program, Problems> {
        Program::load_within(path, overrides, None)
    }

    /// The same under the policy in the file at `operator`, of someone who runs other people's programs: what they may
    /// ask for, and `[limits]` as a program has them.
    pub fn load_within(path: &Path, overrides: &[Override], operator: Option<&Path>) -> Result<Program, Problems> {
        let draft = Draft::read(path, overrides, operator)?;
        draft.problems.into_result(draft.program)
    }

    /// The same for a program whose nodes run on other machines: what they are granted is looked for there, and not here.
    pub fn load_elsewhere(path: &Path, overrides: &[Override], operator: Option<&Path>) -> Result<Program, Problems> {
        let draft = Draft::read_with(path, overrides, operator, None, true)?;
        draft.problems.into_result(draft.program)
    }

    /// Reads the component of every node, binds every import to a handle and compares the types of both ends.
    ///
    /// Checks a program that was built in Rust as [`Program::load`] does one from a file.
    pub fn link(mut self) -> Result<Linked, Problems> {
        let mut problems = Problems::new(&self.source);
        self.make_absolute();
        check::check(&self, &mut problems);
        link::link(self, problems)
    }

    /// The most that any node may ask of `limit`.
    pub fn ceiling(&self, limit: Limit) -> Option<u64> {
        self.ceilings.lower_of(&self.operator_ceilings).get(limit)
    }

    /// What holds for `node`: what it asks for, or else the lower one of the default and the ceiling; `None` is no limit.
    pub fn limit(&self, node: &Node, limit: Limit) -> Option<u64> {
        let default = match limit {
            Limit::Message => Some(self.message_bytes_max),
            limit => limit.default(),
        };
        node.limits.get(limit).or_else(|| [default, self.ceiling(limit)].into_iter().flatten().min())
    }

    /// The place of each node by its name; of several of one name, the first.
    fn nodes_by_name(&self) -> NodesByName<'_> {
        // The last of several wins, so they come in backwards.
        self.nodes.iter().enumerate().rev().map(|(index, node)| (node.name.as_str(), index)).collect()
    }

    /// Joins relative paths to the program's directory, so that nothing later depends on the working directory.
    fn make_absolute(&mut self) {
        // It fails only for an empty path or without a working directory; then paths stay relative to what there is.
        let join = |path: &Path| std::path::absolute(self.dir.join(path)).unwrap_or_else(|_| self.dir.join(path));
        for node in &mut self.nodes {
            if !node.component.as_os_str().is_empty() {
                node.component = join(&node.component);
            }
            for dir in &mut node.sandbox.dirs {
                dir.host = join(&dir.host);
            }
            for file in &mut node.sandbox.files {
                file.host = join(&file.host);
            }
            if let Some(checkpoint) = node.replay.as_mut().and_then(|replay| replay.checkpoint.as_mut()) {
                checkpoint.dir = join(&checkpoint.dir);
                checkpoint.fallback = checkpoint.fallback.as_deref().map(join);
            }
            if let Some(path) = &mut node.sandbox.http_ca {
                *path = join(path);
            }
            let Admission { certificate, key, client_ca, token } = &mut node.admission;
            for path in [certificate, key, client_ca].into_iter().flatten() {
                *path = join(path);
            }
            for source in node.sandbox.secrets.values_mut().chain(token) {
                if let SecretSource::File(path) = source {
                    *path = join(path);
                }
            }
        }
        self.dir = std::path::absolute(self.dir.join(".")).unwrap_or_else(|_| self.dir.clone());
    }

    /// A path as the user would write it: relative to the program's directory where it lies in that.
    pub fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        match path.strip_prefix(&self.dir) {
            Ok(inner) if inner.as_os_str().is_empty() => Path::new(".").display(),
            Ok(inner) => inner.display(),
            Err(_) => path.display(),
        }
    }
}

impl Linked {
    /// Reads and links the program file at `path`: [`Program::load`] and [`Program::link`] with the problems of both.
    ///
    /// A node with a problem in the file is not linked, because what follows from its first mistake is noise.
    pub fn load(path: &Path, overrides: &[Override]) -> Result<Linked, Problems> {
        Linked::load_within(path, overrides, None)
    }

    /// The same under the policy of an operator, as [`Program::load_within`].
    pub fn load_within(path: &Path, overrides: &[Override], operator: Option<&Path>) -> Result<Linked, Problems> {
        Draft::read(path, overrides, operator)?.link()
    }

    /// The same for a program whose nodes run on other machines: what they are granted is looked for there, and not here.
    pub fn load_elsewhere(path: &Path, overrides: &[Override], operator: Option<&Path>) -> Result<Linked, Problems> {
        Draft::read_with(path, overrides, operator, None, true)?.link()
    }

    /// The program with its components and nothing bound: what it takes to compile them. Whether they fit together is not
    /// asked.
    pub fn unbound(program: Program) -> Result<Linked, Problems> {
        link::unbound(program)
    }
}

impl OperatorPolicy {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let (file, source, mut problems) = parse::parse_policy(path)?;
        let operator = lower::lower_policy(file, path, source, &mut problems);
        problems.into_result(operator)
    }
}

/// A program read from a file as far as its mistakes allow, and those mistakes: for looking at a program that may not be
/// able to run.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The program, without what could not be read.
    pub program: Program,
    /// What is wrong with the file. Components are not looked at.
    pub problems: Problems,
}

impl Draft {
    /// Reads the program file at `path`, as [`Program::load_within`] does.
    ///
    /// # Errors
    /// If no part of the file can be relied on: it can't be read, or is not TOML.
    pub fn read(path: &Path, overrides: &[Override], operator: Option<&Path>) -> Result<Draft, Problems> {
        Draft::read_with(path, overrides, operator, None, false)
    }

    /// The same with a table of another file laid over it.
    fn read_with(
        path: &Path,
        overrides: &[Override],
        operator: Option<&Path>,
        overlay: Option<&Overlay>,
        elsewhere: bool,
    ) -> Result<Draft, Problems> {
        let (file, source, mut problems) = parse::parse(path, overrides, operator, overlay)?;
        let mut program = lower::lower(file, path, operator, source, &mut problems);
        program.elsewhere = elsewhere;
        program.make_absolute();
        check::check(&program, &mut problems);
        Ok(Draft { program, problems })
    }

    /// Reads and links the components, as [`Linked::load`] does.
    ///
    /// # Errors
    /// If the file has mistakes, or its components don't fit together: all of it.
    pub fn link(self) -> Result<Linked, Problems> {
        link::link(self.program, self.problems)
    }
}
