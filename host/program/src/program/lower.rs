//! From [`ProgramFile`], the words of the file, to [`Program`], what they mean; remembers where each fact stands.

mod kubernetes;
mod limits;
mod listen;
mod policy;
mod replay;
mod restart;
mod sandbox;
mod slurm;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lp_base::words::{Digest, DurationText, HostChoice, ReplayAccess, SizeText};
use toml::Spanned;

use super::file::{HandleFile, HandleTable, NodeFile, NodeType, OperatorFile, ProgramFile, ReplayFile, RestartFile};
use super::problem::{Problem, Problems};
use super::source::{Ceilings, NodePlace, Place, Source};
use super::{Handle, Hardening, Limit, Node, OperatorPolicy, Program, Restart};

/// Lowers what the file at `path` says. Values out of range are kept for `check` to judge; a missing one takes its
/// default, and is a problem where the file must give it.
///
/// The paths of the policy are relative to the file at `operator`.
pub(super) fn lower(
    file: ProgramFile,
    path: &Path,
    operator: Option<&Path>,
    source: Source,
    problems: &mut Problems,
) -> Program {
    let mut lowering = Lowering { source, problems };
    if file.name.is_none() && !lowering.problems.is_broken("name") {
        let problem = Problem::error("missing-name", "the program has no name").at(Some(0..0), "");
        lowering.problems.mark_broken(&["name".to_owned()]);
        lowering.problems.push(problem.help("begin the file with a line such as `name = \"counting\"`".to_owned()));
    }
    let name = file.name.map(|name| lowering.take(Place::ProgramName, name)).unwrap_or_default();
    let grace = file.grace.map(|grace| lowering.take(Place::Grace, grace));
    let grace = grace.and_then(|grace| lowering.duration(&grace, Place::Grace)).unwrap_or(Program::GRACE);
    let message_max = file.message_max.map(|max| lowering.take(Place::MessageMax, max));
    let message_max = message_max.and_then(|max| lowering.size(&max, Place::MessageMax));

    // Serde hands the nodes over by their names; users expect the order in which they wrote them.
    let mut nodes: Vec<_> = file.nodes.unwrap_or_default().into_iter().collect();
    nodes.sort_by_key(|(name, _)| name.span().start);
    let nodes = nodes.into_iter().map(|(name, node)| lowering.node(name, node)).collect();
    let mut colocations: Vec<_> = file.colocate.into_iter().collect();
    colocations.sort_by_key(|(name, _)| name.span().start);
    let colocations = colocations.into_iter().map(|(name, file)| lowering.colocation(name, file)).collect();
    let ceilings = lowering.limits(file.limits, |limit| Place::Ceiling(Ceilings::Program, limit));
    let OperatorFile { limits, allow, require, total } = file.operator_policy;
    let operator_ceilings = lowering.limits(limits, |limit| Place::Ceiling(Ceilings::Operator, limit));
    let dir = operator.and_then(Path::parent).unwrap_or(Path::new(""));
    let policy = lowering.policy(allow, require, total, dir);
    let message_ceiling = ceilings.lower_of(&operator_ceilings).get(Limit::Message).unwrap_or(u64::MAX);
    Program {
        name,
        dir: path.parent().map_or_else(PathBuf::new, Path::to_path_buf),
        nodes,
        colocations,
        grace,
        message_bytes_max: message_max.unwrap_or(Program::MESSAGE_BYTES_MAX.min(message_ceiling)),
        ceilings,
        operator_ceilings,
        hardening: if policy.requires_hardening { Hardening::Require } else { file.hardening },
        policy,
        elsewhere: false,
        source: lowering.source,
    }
}

/// Lowers what the file of an operator at `path` says by itself.
pub(super) fn lower_policy(file: OperatorFile, path: &Path, source: Source, problems: &mut Problems) -> OperatorPolicy {
    let mut lowering = Lowering { source, problems };
    let OperatorFile { limits, allow, require, total } = file;
    let ceilings = lowering.limits(limits, |limit| Place::Ceiling(Ceilings::Operator, limit));
    let policy = lowering.policy(allow, require, total, path.parent().unwrap_or(Path::new("")));
    OperatorPolicy { policy, ceilings }
}

struct Lowering<'a> {
    source: Source,
    problems: &'a mut Problems,
}

impl Lowering<'_> {
    fn take<T>(&mut self, place: Place, value: Spanned<T>) -> T {
        self.source.place(place, value.span());
        value.into_inner()
    }

    fn node(&mut self, name: Spanned<String>, file: NodeFile) -> Node {
        let name_span = name.span();
        let name = name.into_inner();
        let mut of_node = NodeLowering { node: &name, lowering: self };
        of_node.place(NodePlace::Name, name_span.clone());
        let component = file.component.map(|component| of_node.take(NodePlace::Component, component));
        let is_replay = file.node_type == NodeType::Replay;
        if component.is_none() && !is_replay && !of_node.lowering.problems.is_node_broken(&name) {
            let problem = Problem::error("missing-component", format!("the node `{name}` has no component"));
            let problem = problem.at(Some(name_span.clone()), "needs a `component`");
            let help = format!("give the node a line such as `component = \"{name}.wasm\"`");
            of_node.lowering.problems.push_node(&name, problem.help(help));
        }
        if let Some(run) = file.run.as_ref().filter(|run| *run.get_ref()) {
            of_node.place(NodePlace::RunTrue, run.span());
        }
        let mut handles: Vec<_> = file.handles.into_iter().collect();
        handles.sort_by_key(|(name, _)| name.span().start);
        let replay = ReplayFile { tables: file.tables, at_limit: file.at_limit, checkpoint: file.checkpoint };
        let replay = is_replay.then(|| of_node.replay(replay, name_span));
        let (listen, admission) = file.listen.map(|listen| of_node.listen(listen)).unwrap_or_default();
        Node {
            component: component.unwrap_or_default().into(),
            sha256: file.sha256.and_then(|sha256| of_node.sha256(sha256)),
            build: file.build.map(|build| of_node.take(NodePlace::Build, build)),
            replicas: file.replicas.map_or(1, |replicas| of_node.count(NodePlace::Replicas, &replicas)),
            run: file.run.is_none_or(Spanned::into_inner),
            handles: handles.into_iter().map(|(name, handle)| of_node.handle(name, handle)).collect(),
            args: (0..).zip(file.args).map(|(index, arg)| of_node.take(NodePlace::Arg(index), arg)).collect(),
            config: file
                .config
                .into_iter()
                .map(|(key, value)| {
                    of_node.place(NodePlace::Config(key.get_ref().clone()), key.span());
                    (key.into_inner(), value.0)
                })
                .collect(),
            env: file
                .env
                .into_iter()
                .map(|(key, value)| {
                    of_node.place(NodePlace::Env(key.get_ref().clone()), key.span().start..value.span().end);
                    (key.into_inner(), value.into_inner())
                })
                .collect(),
            restart: file.restart.map(|restart| of_node.restart(restart)).unwrap_or_default(),
            listen,
            admission,
            limits: of_node.limits(file.limits, file.sandbox.memory.clone(), file.inbox),
            sandbox: of_node.sandbox(file.sandbox),
            hosts: file.hosts.map(HostChoice::from).unwrap_or_default(),
            slurm: of_node.slurm(file.slurm),
            kubernetes: of_node.kubernetes(file.kubernetes),
            double: None,
            replay,
            name,
        }
    }

    fn duration(&mut self, text: &DurationText, place: Place) -> Option<Duration> {
        let duration = text.duration();
        if duration.is_none() {
            let problem = Problem::error("bad-duration", format!("`{text}` is not a duration"));
            let problem = problem.at(self.source.span(&place), "a whole number and a unit");
            self.report(&place, problem.help("the units are `ms`, `s`, `m` and `h`, as in `1500ms`".to_owned()));
        }
        duration
    }

    fn size(&mut self, text: &SizeText, place: Place) -> Option<u64> {
        let bytes = text.bytes();
        if bytes.is_none() {
            let problem = Problem::error("bad-size", format!("`{text}` is not a size"));
            let problem = problem.at(self.source.span(&place), "a whole number and a unit");
            self.report(&place, problem.help("the units are `B`, `KiB`, `MiB` and `GiB`, as in `64MiB`".to_owned()));
        }
        bytes
    }

    /// A count as near as `u32` comes to it; the values that don't fit are out of every range that `check` allows.
    fn count(&mut self, place: Place, value: &Spanned<i64>) -> u32 {
        self.source.place(place, value.span());
        u32::try_from(*value.get_ref()).unwrap_or(if *value.get_ref() < 0 { 0 } else { u32::MAX })
    }

    fn report(&mut self, place: &Place, problem: Problem) {
        match place {
            Place::Node(node, _) => self.problems.push_node(node, problem),
            _ => self.problems.push(problem),
        }
    }
}

struct NodeLowering<'a, 'b> {
    node: &'a str,
    lowering: &'a mut Lowering<'b>,
}

impl NodeLowering<'_, '_> {
    fn at(&self, place: NodePlace) -> Place {
        Place::Node(self.node.to_owned(), place)
    }

    fn place(&mut self, place: NodePlace, span: Range<usize>) {
        self.lowering.source.place(self.at(place), span);
    }

    fn take<T>(&mut self, place: NodePlace, value: Spanned<T>) -> T {
        self.lowering.take(self.at(place), value)
    }

    fn count(&mut self, place: NodePlace, value: &Spanned<i64>) -> u32 {
        self.lowering.count(self.at(place), value)
    }

    fn restart(&mut self, file: Spanned<RestartFile>) -> Restart {
        let node = self.node;
        self.lowering.restart(file, |place| Place::Node(node.to_owned(), NodePlace::Restart(place)))
    }

    fn sha256(&mut self, sha256: Spanned<String>) -> Option<Digest> {
        let sha256 = self.take(NodePlace::Sha256, sha256);
        let digest = sha256.parse().ok();
        if digest.is_none() {
            let problem = Problem::error("bad-digest", format!("`{sha256}` is not a SHA-256 digest"));
            let problem = problem.at(self.lowering.source.span(&self.at(NodePlace::Sha256)), "64 hexadecimal digits");
            let help = "`lp-host inspect` shows the digest of a component".to_owned();
            self.lowering.problems.push_node(self.node, problem.help(help));
        }
        digest
    }

    fn handle(&mut self, name: Spanned<String>, file: Spanned<HandleFile>) -> Handle {
        let (name_span, span) = (name.span(), file.span());
        let name = name.into_inner();
        self.place(NodePlace::HandleName(name.clone()), name_span);
        self.place(NodePlace::HandleNodes(name.clone()), span.clone());
        let table = match file.into_inner() {
            HandleFile::Node(node) => HandleTable { node: Some(Spanned::new(span, node)), ..HandleTable::default() },
            HandleFile::Group(nodes) => HandleTable { nodes: Some(nodes), ..HandleTable::default() },
            HandleFile::Table(table) => table,
        };
        if table.node.is_some() == table.nodes.is_some() {
            let message = format!("the handle `{name}` needs either `node` or `nodes`");
            let place = self.at(NodePlace::HandleNodes(name.clone()));
            let problem = Problem::error("handle-nodes", message).at(self.lowering.source.span(&place), "this handle");
            let help = "name one node with `node = \"…\"`, or a group with `nodes = [\"…\"]`";
            self.lowering.problems.push_node(self.node, problem.help(help.to_owned()));
        }
        let nodes = table.nodes.unwrap_or_else(|| table.node.into_iter().collect());
        let timeout = table.timeout.and_then(|timeout| {
            let place = NodePlace::HandleTimeout(name.clone());
            let timeout = self.take(place.clone(), timeout);
            self.lowering.duration(&timeout, self.at(place))
        });
        let access = match table.access {
            Some(access) => self.take(NodePlace::HandleAccess(name.clone()), access).into_iter().collect(),
            None => ReplayAccess::DEFAULT.into(),
        };
        Handle {
            nodes: (0..)
                .zip(nodes)
                .map(|(index, node)| self.take(NodePlace::HandleNode(name.clone(), index), node))
                .collect(),
            timeout,
            wait_for_ready: table.wait_for_ready.unwrap_or(true),
            pick: table.pick,
            retry: table.retry,
            when_full: table.when_full,
            access,
            name,
        }
    }
}
