//! Binds the imports of every node's component to the node's handles, and compares the types of both ends.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bind::Binder;

use super::check::check_paths;
use super::problem::{Problem, Problems};
use super::source::NodePlace;
use super::{AdmissionPlan, Authorities, Limit, Node, Program, Replay, Sandbox, SecretSource};
use lp_base::plan::EdgeStyle;
use lp_component::component::{self, Component, Interface, ReadError};

mod admission;
mod authorities;
mod bind;

/// A program whose components were read and whose imports are all bound.
#[derive(Debug, Clone)]
pub struct Linked {
    /// The program.
    pub program: Program,
    /// The component of each node, in the order of the program's nodes. Nodes that share a file share the component.
    pub components: Vec<Arc<Component>>,
    /// The bindings of each node, in the order of the program's nodes.
    pub bindings: Vec<Vec<Binding>>,
    /// The authorities that each node trusts beside Mozilla's, in the order of the program's nodes.
    pub authorities: Vec<Option<Authorities>>,
    /// Who is let in where each node listens, in the order of the program's nodes.
    pub admissions: Vec<AdmissionPlan>,
    /// What each node may use, in the order of the program's nodes, with the links in granted paths followed.
    pub sandboxes: Vec<Sandbox>,
    /// What is probably not as meant, but no reason not to run.
    pub warnings: Problems,
}

/// One import of a component, and the handles that serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The name of the import in the component.
    pub import: String,
    /// How the guest holds the handles.
    pub style: EdgeStyle,
    /// The part of the interface that the caller imports. Nodes of one component share it.
    pub interface: Arc<Interface>,
    /// The handles. A plain import has exactly one, with exactly one target.
    pub handles: Vec<BoundHandle>,
}

/// A handle that serves an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundHandle {
    /// The name of the handle in the node that holds it.
    pub handle: String,
    /// The nodes it reaches.
    pub targets: Vec<BoundTarget>,
}

/// A node that a bound handle reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundTarget {
    /// The index of the node in the program.
    pub node: usize,
    /// The name under which the node's component exports the interface.
    pub interface: String,
}

/// Links `program`, whose mistakes so far are in `problems`.
pub(super) fn link(mut program: Program, mut problems: Problems) -> Result<Linked, Problems> {
    program.nodes.iter_mut().filter_map(|node| node.replay.as_mut()).for_each(resolve_replay);
    let components = read_components(&program, &mut problems);
    check_digests(&program, &components, &mut problems);
    let authorities = authorities::read(&program, &mut problems);
    let admissions = admission::read(&program, &mut problems);
    let mut refused = BTreeSet::new();
    for (node, component) in program.nodes.iter().zip(&components) {
        let Some(component) = component else { continue };
        if node.replay.is_some() {
            continue;
        }
        check_role(&program, node, component, &mut problems);
        check_start(&program, node, component, &mut problems);
        if refused.insert(&component.path) {
            check_methods(&program, node, component, &mut problems);
        }
    }
    let resolve = |sandbox: &Sandbox| if program.elsewhere { sandbox.clone() } else { resolved(sandbox) };
    let sandboxes: Vec<_> = program.nodes.iter().map(|node| resolve(&node.sandbox)).collect();
    for (node, sandbox) in program.nodes.iter().zip(&sandboxes) {
        check_paths(&program, node, sandbox, &mut problems);
    }
    let mut binder = Binder::new(&program, &components, &mut problems);
    let bindings = (0..program.nodes.len())
        .map(|node| match program.nodes[node].double {
            Some(_) => Vec::new(),
            None => binder.bind_node(node),
        })
        .collect();
    problems.into_result_with(|warnings| Linked {
        components: components.into_iter().flatten().collect(),
        sandboxes,
        program,
        bindings,
        authorities,
        admissions,
        warnings,
    })
}

/// Reads the components of `program` and binds nothing.
pub(super) fn unbound(program: Program) -> Result<Linked, Problems> {
    let mut problems = Problems::new(&program.source);
    let components = read_components(&program, &mut problems);
    check_digests(&program, &components, &mut problems);
    let (bindings, authorities) = (vec![Vec::new(); components.len()], vec![None; components.len()]);
    let admissions = vec![AdmissionPlan::default(); components.len()];
    problems.into_result_with(|warnings| Linked {
        components: components.into_iter().flatten().collect(),
        sandboxes: program.nodes.iter().map(|node| resolved(&node.sandbox)).collect(),
        program,
        bindings,
        authorities,
        admissions,
        warnings,
    })
}

/// The component of each node, where it can be read. A file is read once however many nodes name it.
pub(super) fn read_components(program: &Program, problems: &mut Problems) -> Vec<Option<Arc<Component>>> {
    let mut read: HashMap<&Path, Result<Arc<Component>, ReadError>> = HashMap::new();
    let mut components = Vec::new();
    for node in &program.nodes {
        if node.replay.is_some() {
            components.push(Some(component::replay()));
            continue;
        }
        if node.component == PathBuf::new() {
            components.push(None);
            continue;
        }
        let result =
            read.entry(&node.component).or_insert_with(|| Component::read(&node.component).map(Arc::new)).as_ref();
        components.push(result.ok().cloned());
        if let Err(error) = result {
            let problem = read_problem(program, node, error);
            let span = program.source.node_span(&node.name, NodePlace::Component);
            problems.push_node(&node.name, problem.at(span, format!("the component of `{}`", node.name)));
        }
    }
    components
}

/// Reports the components that are others than their nodes name.
fn check_digests(program: &Program, components: &[Option<Arc<Component>>], problems: &mut Problems) {
    for (node, component) in program.nodes.iter().zip(components) {
        if let (Some(component), Some(wanted)) = (component, node.sha256)
            && component.sha256 != wanted
        {
            problems.push_node(&node.name, wrong_digest(program, node, component));
        }
    }
}

/// Whoever pinned a component wants to look at another one before it runs.
fn wrong_digest(program: &Program, node: &Node, component: &Component) -> Problem {
    let message = format!("`{}` is not the component that `{}` names", program.shown(&node.component), node.name);
    let span = program.source.node_span(&node.name, NodePlace::Sha256);
    let problem = Problem::error("wrong-digest", message).at(span, "the component has another digest");
    problem.help(format!("if it is the one that you want, write `sha256 = \"{}\"`", component.sha256))
}

fn read_problem(program: &Program, node: &Node, error: &ReadError) -> Problem {
    let shown = program.shown(&node.component);
    let message = format!("`{shown}` {error}");
    match (error, &node.build) {
        (ReadError::Missing, Some(build)) => {
            Problem::error("no-component-file", message).help(format!("`lp-host run --build` builds it with `{build}`"))
        }
        (ReadError::Missing, None) => {
            let help = "correct the path, or give the node a `build` command and use `lp-host run --build`".to_owned();
            Problem::error("no-component-file", message).help(help)
        }
        _ => Problem::error("not-a-component", message),
    }
}

/// A node must do something: run, or serve calls. A double may stand for one that is to do nothing.
fn check_role(program: &Program, node: &Node, component: &Component, problems: &mut Problems) {
    if node.double.is_some() {
        return;
    }
    let shown = program.shown(&component.path);
    let run_true = program.source.node_span(&node.name, NodePlace::RunTrue);
    if run_true.is_some() && component.run.is_none() {
        let problem = Problem::error("no-run", format!("`{shown}` has nothing to run"));
        let help = "remove `run`, or export `wasi:cli/run` from the component".to_owned();
        return problems.push_node(&node.name, problem.at(run_true, "asks for a run").help(help));
    }
    let listen = program.source.node_span(&node.name, NodePlace::Listen);
    if node.listen.is_some() && component.couriers.is_empty() {
        let problem = Problem::error("no-courier", format!("`{shown}` exports no interface to call"));
        let help = "remove `listen`, or export an interface from the component".to_owned();
        return problems.push_node(&node.name, problem.at(listen, "nothing to call here").help(help));
    }
    if (node.run && component.run.is_some()) || !component.couriers.is_empty() {
        return;
    }
    let problem = Problem::error("idle-node", format!("the node `{}` neither runs nor serves calls", node.name));
    let span = program.source.node_span(&node.name, NodePlace::Component);
    let (label, help) = match component.run {
        Some(_) => ("exports no interface to call", "remove `run = false`, or export an interface from the component"),
        None => ("exports nothing that the host uses", "export `wasi:cli/run` or an interface from the component"),
    };
    problems.push_node(&node.name, problem.at(span, label).help(help.to_owned()));
}

/// A component that starts with more memory than its node may have never starts.
fn check_start(program: &Program, node: &Node, component: &Component, problems: &mut Problems) {
    let starts_with =
        [(Limit::Memory, component.memory_bytes, "memory"), (Limit::TableElements, component.table_elements, "table")];
    for (limit, needed, what) in starts_with {
        let value = program.limit(node, limit).expect("this limit has a default");
        if needed <= value {
            continue;
        }
        let (shown, needed_shown) = (program.shown(&component.path), limit.show(needed));
        let size = if limit == Limit::Memory { needed_shown.clone() } else { format!("{needed_shown} elements") };
        let message = format!(
            "`{shown}` starts with a {what} of {size}, but `{limit}` of `{}` is {}",
            node.name,
            limit.show(value)
        );
        let help = match program.ceiling(limit) {
            _ if !limit.range().contains(&needed) => "no node can have as much".to_owned(),
            Some(ceiling) if ceiling < needed => {
                format!("the ceiling is {}: ask for a higher one", limit.show(ceiling))
            }
            _ => format!("give the node at least `{limit} = {}`", limit.literal(needed)),
        };
        let span = program.source.node_span(&node.name, NodePlace::Limit(limit));
        let span = span.or_else(|| program.source.node_span(&node.name, NodePlace::Component));
        let problem = Problem::error("small-limit", message).at(span, "too little for it to start");
        problems.push_node(&node.name, problem.help(help));
    }
}

/// What a component offers to others must be something that calls can carry.
fn check_methods(program: &Program, node: &Node, component: &Component, problems: &mut Problems) {
    for courier in &component.couriers {
        for method in &courier.methods {
            let Some(reason) = &method.refused else { continue };
            let message = format!("calls can't carry `{}` of `{}`: {reason}", method.name, courier.name);
            let span = program.source.node_span(&node.name, NodePlace::Component);
            let problem = Problem::error("unsupported-type", message).at(span, "exports it");
            problems.push_node(&node.name, problem.help(bind::VALUES_ONLY.to_owned()));
        }
    }
}

/// The same for the folders of a replay node, of which the one that it writes to may not be there yet.
fn resolve_replay(replay: &mut Replay) {
    let Some(checkpoint) = &mut replay.checkpoint else { return };
    for path in std::iter::once(&mut checkpoint.dir).chain(&mut checkpoint.fallback) {
        let found = path.ancestors().find_map(|above| Some((above, std::fs::canonicalize(above).ok()?)));
        if let Some((above, real)) = found {
            let rest = path.strip_prefix(above).expect("it is above the path");
            *path = real.join(rest);
        }
    }
}

/// The links of a granted path are followed here, once, before any guest runs. A replica that opens it refuses links: one
/// that is there by then was made by a guest, to have another one, or its own next life, be granted something else.
fn resolved(sandbox: &Sandbox) -> Sandbox {
    let resolve = |path: &mut PathBuf| {
        // What is not there any more stays as it is written, and can't be opened.
        *path = std::fs::canonicalize(&*path).unwrap_or_else(|_| path.clone());
    };
    let mut sandbox = sandbox.clone();
    sandbox.dirs.iter_mut().chain(&mut sandbox.files).for_each(|grant| resolve(&mut grant.host));
    for source in sandbox.secrets.values_mut() {
        if let SecretSource::File(path) = source {
            resolve(path);
        }
    }
    sandbox
}
