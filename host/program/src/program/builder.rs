//! Builds a [`Program`] in Rust: nodes are added, handles are values.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lp_base::words::Digest;

use lp_base::words::{HostChoice, KubernetesRequest, SlurmRequest};

use super::Double;
use super::source::Source;
use super::{
    Access, Admission, Clock, Colocation, ColocationMode, Handle, Hardening, HttpGrant, Limit, Limits, NetworkGrant,
    Node, PathGrant, Pick, Policy, Program, Random, Replay, ReplayAccess, Restart, Retry, Sandbox, SecretSource,
    WhenFull,
};

/// A reference to a node, to be given to the nodes that shall call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeHandle {
    name: String,
}

impl Program {
    /// A program without nodes. Relative paths are relative to the working directory; set [`Program::dir`] to change
    /// that.
    ///
    /// Nothing is checked before [`Program::link`], so a program can be put together in any order.
    pub fn new(name: impl Into<String>) -> Program {
        Program {
            name: name.into(),
            dir: PathBuf::new(),
            nodes: Vec::new(),
            colocations: Vec::new(),
            grace: Program::GRACE,
            message_bytes_max: Program::MESSAGE_BYTES_MAX,
            ceilings: Limits::default(),
            operator_ceilings: Limits::default(),
            policy: Policy::default(),
            elsewhere: false,
            hardening: Hardening::default(),
            source: Source::default(),
        }
    }

    /// Adds a node, and gives a handle of it for other nodes.
    pub fn add_node(&mut self, node: Node) -> NodeHandle {
        let handle = node.to_handle();
        self.nodes.push(node);
        handle
    }

    /// Has nodes belong together.
    ///
    /// ```
    /// use lp_program::program::{Colocation, Node, Program, Restart};
    ///
    /// let mut program = Program::new("training");
    /// let replay = program.add_node(Node::component("replay", "replay.wasm"));
    /// let learner = program.add_node(Node::component("learner", "learner.wasm").handle("replay", &replay));
    /// program.colocate(Colocation::new("learning", [&replay, &learner]).processes().restart(Restart::on_failure()));
    /// ```
    pub fn colocate(&mut self, colocation: Colocation) {
        self.colocations.push(colocation);
    }
}

impl Node {
    /// A node that runs one replica of the component at `path`, with everything else as in a program file that says
    /// nothing of it.
    pub fn component(name: impl Into<String>, path: impl Into<PathBuf>) -> Node {
        Node {
            name: name.into(),
            component: path.into(),
            sha256: None,
            build: None,
            replicas: 1,
            run: true,
            handles: Vec::new(),
            args: Vec::new(),
            config: BTreeMap::new(),
            env: BTreeMap::new(),
            restart: Restart::default(),
            listen: None,
            admission: Admission::default(),
            limits: Limits::default(),
            sandbox: Sandbox::default(),
            hosts: HostChoice::default(),
            slurm: SlurmRequest::default(),
            kubernetes: KubernetesRequest::default(),
            double: None,
            replay: None,
        }
    }

    /// A node that keeps tables of experience, and is no component.
    ///
    /// ```
    /// use lp_program::program::{Node, RateLimiter, Replay, ReplayTable, Selector};
    ///
    /// let table = ReplayTable {
    ///     name: "experience".to_owned(),
    ///     sampler: Selector::Uniform,
    ///     remover: Selector::Fifo,
    ///     max_size: 10_000,
    ///     max_times_sampled: None,
    ///     rate_limiter: RateLimiter::MinSize(100),
    ///     signature: None,
    /// };
    /// Node::replay("replay", Replay { tables: vec![table], ..Replay::default() });
    /// ```
    pub fn replay(name: impl Into<String>, replay: Replay) -> Node {
        Node { replay: Some(replay), ..Node::component(name, PathBuf::new()) }
    }

    /// Has a double answer the node's calls in place of its component, as it does in tests. It holds no handles and does not
    /// run, and a failure of it is one of the program.
    pub fn replace(&mut self, double: Double) {
        self.double = Some(double);
        (self.handles, self.run, self.restart) = (Vec::new(), false, Restart::default());
    }

    /// A handle of this node before it is added, for nodes that call each other in a circle.
    ///
    /// ```
    /// use lp_program::program::{Node, Program};
    ///
    /// let mut program = Program::new("ping-pong");
    /// let ping = Node::component("ping", "ping.wasm");
    /// let pong = Node::component("pong", "pong.wasm").handle("ping", &ping.to_handle());
    /// let pong = program.add_node(pong);
    /// program.add_node(ping.handle("pong", &pong));
    /// ```
    pub fn to_handle(&self) -> NodeHandle {
        NodeHandle { name: self.name.clone() }
    }

    /// Gives the node a client of `node`, called `name`. All replicas of `node` are behind it.
    pub fn handle(self, name: impl Into<String>, node: &NodeHandle) -> Node {
        self.handle_with(Handle::new(name, [node]))
    }

    /// Gives the node a client of several nodes, called `name`.
    pub fn group<'a>(self, name: impl Into<String>, nodes: impl IntoIterator<Item = &'a NodeHandle>) -> Node {
        self.handle_with(Handle::new(name, nodes))
    }

    /// Gives the node a client with settings of its own.
    pub fn handle_with(mut self, handle: Handle) -> Node {
        self.handles.push(handle);
        self
    }

    /// Refuses every component file but the one with this digest.
    pub fn sha256(self, digest: Digest) -> Node {
        Node { sha256: Some(digest), ..self }
    }

    /// Runs that many instances.
    pub fn replicas(self, replicas: u32) -> Node {
        Node { replicas, ..self }
    }

    /// Has `double` answer the calls in place of the component, of which only the interfaces count.
    pub fn double(self, double: Double) -> Node {
        Node { double: Some(double), handles: Vec::new(), run: false, restart: Restart::default(), ..self }
    }

    /// Leaves the entry point of the component alone: the node only serves calls.
    pub fn without_run(self) -> Node {
        Node { run: false, ..self }
    }

    /// Builds the component by this shell command when a build is asked for.
    pub fn build(self, command: impl Into<String>) -> Node {
        Node { build: Some(command.into()), ..self }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Node {
        self.args.push(arg.into());
        self
    }

    /// Sets a value that `wasi:config` serves.
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Node {
        self.config.insert(key.into(), value.into());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Node {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Starts replicas again that have ended.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use lp_program::program::{Node, Restart};
    ///
    /// let often = Restart::on_failure().budget(10, Duration::from_secs(60));
    /// Node::component("producer", "producer.wasm").restart(often);
    /// ```
    pub fn restart(self, restart: Restart) -> Node {
        Node { restart, ..self }
    }

    /// Lets clients from outside the program call the node at `address`.
    pub fn listen(self, address: SocketAddr) -> Node {
        Node { listen: Some(address), ..self }
    }

    /// Lets in only some of the clients that call the node at its address.
    pub fn admission(self, admission: Admission) -> Node {
        Node { admission, ..self }
    }

    /// Limits what each replica may use, in the unit of the limit: bytes, milliseconds, or a number.
    ///
    /// ```
    /// use lp_program::program::{Limit, Node};
    ///
    /// Node::component("producer", "producer.wasm").limit(Limit::Memory, 64 << 20).limit(Limit::CallCpu, 500);
    /// ```
    pub fn limit(mut self, limit: Limit, value: u64) -> Node {
        self.limits.set(limit, value);
        self
    }

    /// Shows the guest a directory of the host.
    pub fn dir(mut self, host: impl Into<PathBuf>, guest: impl Into<String>, access: Access) -> Node {
        self.sandbox.dirs.push(PathGrant { host: host.into(), guest: guest.into(), access });
        self
    }

    /// Shows the guest a single file of the host.
    pub fn file(mut self, host: impl Into<PathBuf>, guest: impl Into<String>, access: Access) -> Node {
        self.sandbox.files.push(PathGrant { host: host.into(), guest: guest.into(), access });
        self
    }

    /// Gives the guest an environment variable of whoever starts the program.
    pub fn inherit_env(mut self, name: impl Into<String>) -> Node {
        self.sandbox.inherit_env.push(name.into());
        self
    }

    /// Gives the guest a value through `wasi:config` that is shown nowhere else.
    pub fn secret(mut self, name: impl Into<String>, source: SecretSource) -> Node {
        self.sandbox.secrets.insert(name.into(), source);
        self
    }

    /// Lets the guest use sockets.
    pub fn network(mut self, grant: NetworkGrant) -> Node {
        self.sandbox.network.push(grant);
        self
    }

    /// Lets the guest make HTTP requests.
    ///
    /// ```
    /// use lp_program::program::Node;
    ///
    /// let grant = "https://*.example.org".parse().expect("a grant");
    /// Node::component("reader", "reader.wasm").http(grant);
    /// ```
    pub fn http(mut self, grant: HttpGrant) -> Node {
        self.sandbox.http.push(grant);
        self
    }

    /// Has the guest's HTTPS requests trust the authorities whose certificates are in a PEM file, beside Mozilla's.
    pub fn http_ca(mut self, path: impl Into<PathBuf>) -> Node {
        self.sandbox.http_ca = Some(path.into());
        self
    }

    /// Sets what time the guest sees.
    pub fn clock(mut self, clock: Clock) -> Node {
        self.sandbox.clock = clock;
        self
    }

    /// Sets where the guest's random numbers come from.
    pub fn random(mut self, random: Random) -> Node {
        self.sandbox.random = random;
        self
    }
}

impl Handle {
    /// A client called `name` of one node or of a group, whose calls take as long as they need and wait for nodes that
    /// are not up yet.
    pub fn new<'a>(name: impl Into<String>, nodes: impl IntoIterator<Item = &'a NodeHandle>) -> Handle {
        Handle {
            name: name.into(),
            nodes: nodes.into_iter().map(|node| node.name.clone()).collect(),
            timeout: None,
            wait_for_ready: true,
            pick: Pick::default(),
            retry: Retry::default(),
            when_full: WhenFull::default(),
            access: ReplayAccess::DEFAULT.into(),
        }
    }

    /// Lets the node do this with a replay node, and nothing else.
    pub fn access(self, access: impl IntoIterator<Item = ReplayAccess>) -> Handle {
        Handle { access: access.into_iter().collect(), ..self }
    }

    /// Lets a call fail after this long.
    pub fn timeout(self, timeout: Duration) -> Handle {
        Handle { timeout: Some(timeout), ..self }
    }

    /// Lets a call to a node that is not up yet fail at once.
    pub fn fail_fast(self) -> Handle {
        Handle { wait_for_ready: false, ..self }
    }

    /// Chooses which replica a call of a plain import goes to.
    pub fn pick(self, pick: Pick) -> Handle {
        Handle { pick, ..self }
    }

    /// Has calls made again whose callee was lost, since making them twice is the same as making them once.
    pub fn idempotent(self) -> Handle {
        Handle { retry: Retry::Idempotent, ..self }
    }

    /// Lets a call to a replica that has no room for it fail at once.
    pub fn fail_when_full(self) -> Handle {
        Handle { when_full: WhenFull::Fail, ..self }
    }
}

impl Colocation {
    /// A colocation of `nodes` in one process.
    pub fn new<'a>(name: impl Into<String>, nodes: impl IntoIterator<Item = &'a NodeHandle>) -> Colocation {
        Colocation {
            name: name.into(),
            nodes: nodes.into_iter().map(|node| node.name.clone()).collect(),
            mode: ColocationMode::Threads,
            return_on_first_completed: false,
            restart: None,
        }
    }

    /// Gives each replica a process of its own.
    pub fn processes(self) -> Colocation {
        Colocation { mode: ColocationMode::Processes, ..self }
    }

    /// Ends the other nodes when the first `run` of one returns.
    pub fn return_on_first_completed(self) -> Colocation {
        Colocation { return_on_first_completed: true, ..self }
    }

    /// Starts replicas of the nodes again that have ended, with one budget for all of them.
    pub fn restart(self, restart: Restart) -> Colocation {
        Colocation { restart: Some(restart), ..self }
    }
}
