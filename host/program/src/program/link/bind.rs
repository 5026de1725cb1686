//! The binding rule: which handle of a node serves which import of its component.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::super::problem::{Problem, Problems};
use super::super::source::NodePlace;
use super::super::{Handle, Node, NodesByName, Pick, Program};
use super::{Binding, BoundHandle, BoundTarget, EdgeStyle};
use lp_base::words::ReplayAccess;
use lp_component::component::{self, Component, ImportKind, Interface, Mismatch};

pub(super) const VALUES_ONLY: &str =
    "pass values: numbers, text, lists, records, variants, options, results, tuples, flags, enums";

/// Binds one node after the other.
///
/// A program may have ten thousand nodes and a component a hundred thousand functions, so nothing here looks through all
/// of either for each of the other.
pub(super) struct Binder<'a> {
    program: &'a Program,
    nodes: NodesByName<'a>,
    components: &'a [Option<Arc<Component>>],
    /// The components without repetition, each with the first node that has it.
    distinct: Vec<(&'a Node, &'a Component)>,
    problems: &'a mut Problems,
}

/// An import that a handle must serve.
struct Wanted<'a> {
    import: &'a str,
    style: EdgeStyle,
    /// The name of the courier interface to look for; `None` for a plain name, which any interface may serve.
    base: Option<&'a str>,
    interface: &'a Arc<Interface>,
    /// What each component offers, once that was looked for.
    offers: RefCell<HashMap<*const Component, Option<&'a Interface>>>,
}

impl<'a> Binder<'a> {
    pub fn new(
        program: &'a Program,
        components: &'a [Option<Arc<Component>>],
        problems: &'a mut Problems,
    ) -> Binder<'a> {
        let mut seen = HashSet::new();
        let read = program.nodes.iter().zip(components).filter_map(|(node, found)| Some((node, found.as_deref()?)));
        let distinct = read.filter(|(_, component)| seen.insert(std::ptr::from_ref(*component))).collect();
        Binder { program, nodes: program.nodes_by_name(), components, distinct, problems }
    }

    /// The bindings of a node. A node with a problem, or with a handle to a node whose component could not be read, is
    /// left alone, because whatever it lacks may follow from that.
    pub fn bind_node(&mut self, index: usize) -> Vec<Binding> {
        let node = &self.program.nodes[index];
        let Some(component) = self.components[index].as_deref() else { return Vec::new() };
        let reaches_all = node.handles.iter().flat_map(|handle| &handle.nodes).all(|name| self.target(name).is_some());
        if self.problems.is_node_broken(&node.name) || self.problems.is_full() || !reaches_all {
            return Vec::new();
        }
        let mut bindings = Vec::new();
        let mut fitting = BTreeSet::new();
        for import in &component.imports {
            let wanted = match &import.kind {
                ImportKind::Host(_) | ImportKind::Types => continue,
                ImportKind::Unserved(unserved) => {
                    let message = format!("the import `{}` {}", import.name, unserved.reason);
                    self.report_import(node, "unknown-import", message, Some(unserved.help.clone()));
                    continue;
                }
                ImportKind::Unsupported(reason) => {
                    self.report_import(
                        node,
                        "unsupported-import",
                        format!("the import `{}` {reason}", import.name),
                        None,
                    );
                    continue;
                }
                ImportKind::Courier(interface) => {
                    let base = import.name.contains(':').then_some(import.name.as_str());
                    Wanted::new(&import.name, EdgeStyle::Plain, base, interface)
                }
                ImportKind::Handles { base, interface } => {
                    Wanted::new(&import.name, EdgeStyle::Handles, Some(base), interface)
                }
            };
            fitting.extend(node.handles.iter().filter(|handle| self.fits(handle, &wanted)).map(|handle| &handle.name));
            if self.check_refused(node, &wanted) {
                bindings.extend(match wanted.style {
                    EdgeStyle::Plain => self.bind_plain(node, &wanted),
                    EdgeStyle::Handles => self.bind_handles(node, &wanted),
                });
            }
        }
        if !self.problems.is_node_broken(&node.name) {
            self.check_unused(node, component, &bindings, &fitting);
            self.check_picks(node, &bindings);
        }
        self.check_types(node, &bindings);
        bindings
    }

    fn bind_plain(&mut self, node: &'a Node, wanted: &Wanted<'a>) -> Option<Binding> {
        let short = short_name(wanted.import);
        let by_name = node.handles.iter().find(|handle| handle.name == wanted.import || handle.name == short);
        let handle = match (by_name, wanted.base) {
            (Some(handle), _) => handle,
            (None, None) => return self.report_unbound(node, wanted),
            (None, Some(_)) => {
                let mut candidates: Vec<_> = node.handles.iter().filter(|handle| self.fits(handle, wanted)).collect();
                // A group can't serve a plain import, so it is a candidate only for lack of a better one.
                if candidates.iter().any(|handle| handle.nodes.len() == 1) {
                    candidates.retain(|handle| handle.nodes.len() == 1);
                }
                self.prefer_permitted(&mut candidates, wanted);
                match candidates[..] {
                    [handle] => handle,
                    [] => return self.report_unbound(node, wanted),
                    _ => return self.report_ambiguous(node, wanted, &candidates),
                }
            }
        };
        if handle.nodes.len() > 1 {
            let message =
                format!("the import `{}` is for one node, but the handle `{}` is a group", wanted.import, handle.name);
            let problem = Problem::error("group-handle", message);
            let help = format!("name one node, or import `{short}-handles` in the component to call a group");
            self.report_handle(node, handle, problem.help(help), "a group");
            return None;
        }
        if self.is_sharded(handle) {
            let message =
                format!("the import `{}` is for one replica, but `{}` has several", wanted.import, handle.nodes[0]);
            let help =
                format!("import `{short}-handles` in the component, which has each replica, or remove `replicas`");
            let problem = Problem::error("sharded-replay", message).help(help);
            self.report_handle(node, handle, problem, "tables in several parts");
            return None;
        }
        let bound = self.bind_handle(node, handle, wanted)?;
        Some(wanted.bound(vec![bound]))
    }

    fn bind_handles(&mut self, node: &'a Node, wanted: &Wanted<'a>) -> Option<Binding> {
        let mut fitting: Vec<_> = node.handles.iter().filter(|handle| self.fits(handle, wanted)).collect();
        if fitting.is_empty() {
            return self.report_unbound(node, wanted);
        }
        self.prefer_permitted(&mut fitting, wanted);
        let handles = fitting.into_iter().filter_map(|handle| self.bind_handle(node, handle, wanted)).collect();
        Some(wanted.bound(handles))
    }

    fn bind_handle(&mut self, node: &'a Node, handle: &'a Handle, wanted: &Wanted<'a>) -> Option<BoundHandle> {
        let mut targets = Vec::new();
        for name in &handle.nodes {
            let (target, component) = self.target(name)?;
            let Some(export) = wanted.offered(component) else {
                let what = wanted.base.unwrap_or(wanted.import);
                let message = format!("the node `{name}` does not export `{what}`, which `{}` imports", node.name);
                let exports: Vec<_> = component.couriers.iter().map(|courier| format!("`{}`", courier.name)).collect();
                let help = match &exports[..] {
                    [] => format!("`{name}` exports no interface"),
                    _ => format!("`{name}` exports {}", exports.join(", ")),
                };
                self.report_handle(
                    node,
                    handle,
                    Problem::error("wrong-interface", message).help(help),
                    "can't serve it",
                );
                return None;
            };
            if let Some(access) = self.lacking(handle, name, export) {
                let message = format!("the handle `{}` does not let `{}` {}", handle.name, node.name, access.what());
                let held: Vec<_> =
                    handle.access.iter().chain([&access]).map(|access| format!("\"{}\"", access.word())).collect();
                let help = format!("write it as {{ node = \"{name}\", access = [{}] }}", held.join(", "));
                let problem = Problem::error("no-access", message).help(help);
                self.report_handle(node, handle, problem, format!("`{}` is imported", export.name).as_str());
                return None;
            }
            targets.push(BoundTarget { node: target, interface: export.name.clone() });
        }
        Some(BoundHandle { handle: handle.name.clone(), targets })
    }

    /// Whether every node of the handle exports what is wanted.
    fn fits(&self, handle: &Handle, wanted: &Wanted<'a>) -> bool {
        let exports = |name: &String| self.target(name).is_some_and(|(_, found)| wanted.offered(found).is_some());
        !handle.nodes.is_empty() && handle.nodes.iter().all(exports)
    }

    /// The access that a call of `export` of the node `name` needs and the handle does not give.
    fn lacking(&self, handle: &Handle, name: &str, export: &Interface) -> Option<ReplayAccess> {
        self.replay(name)?;
        ReplayAccess::of_interface(&export.name).filter(|access| !handle.access.contains(access))
    }

    fn replay(&self, name: &str) -> Option<&'a Node> {
        self.nodes.get(name).map(|&index| &self.program.nodes[index]).filter(|node| node.replay.is_some())
    }

    /// Whether a plain import can't be served since the tables of its only node are in several parts.
    fn is_sharded(&self, handle: &Handle) -> bool {
        handle.nodes.iter().any(|name| self.replay(name).is_some_and(|node| node.replicas > 1))
    }

    /// Leaves out handles that do not give the access that is wanted, if others do.
    fn prefer_permitted(&self, handles: &mut Vec<&'a Handle>, wanted: &Wanted<'a>) {
        let permits = |handle: &Handle| {
            handle.nodes.iter().all(|name| {
                let export = self.target(name).and_then(|(_, component)| wanted.offered(component));
                export.is_some_and(|export| self.lacking(handle, name, export).is_none())
            })
        };
        if handles.iter().any(|handle| permits(handle)) {
            handles.retain(|handle| permits(handle));
        }
    }

    fn target(&self, name: &str) -> Option<(usize, &'a Component)> {
        let index = *self.nodes.get(name)?;
        Some((index, self.components[index].as_deref()?))
    }

    /// Reports the methods that a call can't carry, and whether there are none.
    fn check_refused(&mut self, node: &Node, wanted: &Wanted<'a>) -> bool {
        let refused: Vec<_> = wanted
            .interface
            .methods
            .iter()
            .filter_map(|method| Some((&method.name, method.refused.as_ref()?)))
            .map(|(method, reason)| format!("calls can't carry `{method}` of `{}`: {reason}", wanted.interface.name))
            .collect();
        for message in &refused {
            self.report_import(node, "unsupported-type", message.clone(), Some(VALUES_ONLY.to_owned()));
        }
        refused.is_empty()
    }

    fn check_types(&mut self, node: &Node, bindings: &[Binding]) {
        let handles: HashMap<&str, &Handle> =
            node.handles.iter().map(|handle| (handle.name.as_str(), handle)).collect();
        for binding in bindings {
            // A group of a thousand nodes often has one component.
            let mut compared: HashMap<(*const Component, &str), Option<Mismatch>> = HashMap::new();
            for bound in &binding.handles {
                // The targets of a handle are its nodes, one after the other.
                for (position, target) in bound.targets.iter().enumerate() {
                    let callee = &self.program.nodes[target.node];
                    let component = self.components[target.node].as_ref().expect("only read components are bound");
                    let key = (Arc::as_ptr(component), target.interface.as_str());
                    let mismatch = compared.entry(key).or_insert_with(|| {
                        let export = component.couriers.iter().find(|courier| courier.name == target.interface);
                        let export = export.expect("the name was taken from this list");
                        match binding.style {
                            EdgeStyle::Plain => component::mismatch(&binding.interface, export),
                            EdgeStyle::Handles => component::handles_mismatch(&binding.interface, export),
                        }
                    });
                    let Some(mismatch) = mismatch else { continue };
                    let problem = type_problem(node, callee, &target.interface, mismatch);
                    let handle = handles.get(bound.handle.as_str()).expect("a binding names a handle of its node");
                    let span = self.span(node, NodePlace::HandleNode(handle.name.clone(), position));
                    self.problems.push_node(&node.name, problem.at(span, "these two don't fit together"));
                }
            }
        }
    }

    /// A handle resource is one replica, so there is nothing to pick.
    fn check_picks(&mut self, node: &Node, bindings: &[Binding]) {
        let serving =
            |style| -> HashSet<&str> { bound_names(bindings.iter().filter(|binding| binding.style == style)) };
        let (of_handles, plain) = (serving(EdgeStyle::Handles), serving(EdgeStyle::Plain));
        for handle in node.handles.iter().filter(|handle| handle.pick != Pick::RoundRobin) {
            if of_handles.contains(handle.name.as_str()) && !plain.contains(handle.name.as_str()) {
                let message = format!("the handle `{}` gives out its replicas one by one", handle.name);
                let help = "remove `pick`, or import the interface itself in the component".to_owned();
                self.report_handle(node, handle, Problem::error("unused-pick", message).help(help), "has a `pick`");
            }
        }
    }

    /// Handles that serve nothing: a mistake if no import could use them, else perhaps one.
    fn check_unused(
        &mut self,
        node: &'a Node,
        component: &Component,
        bindings: &[Binding],
        fitting: &BTreeSet<&String>,
    ) {
        let bound = bound_names(bindings);
        let mut imports = None;
        for handle in node.handles.iter().filter(|handle| !bound.contains(handle.name.as_str())) {
            let message = format!("nothing in `{}` uses the handle `{}`", node.name, handle.name);
            if fitting.contains(&handle.name) {
                let help = "the imports it could serve are bound to other handles; remove it".to_owned();
                self.report_handle(node, handle, Problem::warning("unused-handle", message).help(help), "unused");
                continue;
            }
            let shown = self.program.shown(&component.path);
            let imports = imports.get_or_insert_with(|| courier_imports(component));
            let help = match imports.as_str() {
                "" => {
                    format!("`{shown}` imports no interface of another node; toolchains leave out what is never called")
                }
                imports => format!("`{shown}` imports only {imports}"),
            };
            self.report_handle(node, handle, Problem::error("unused-handle", message).help(help), "unused");
        }
    }

    fn report_unbound(&mut self, node: &Node, wanted: &Wanted<'a>) -> Option<Binding> {
        let what = wanted.import;
        let serving = self.distinct.iter().find(|(_, component)| wanted.offered(component).is_some());
        let help = match (serving, wanted.base) {
            (Some((serving, _)), _) => {
                let name = short_name(wanted.base.unwrap_or(what));
                format!("give `{}` a handle: `handles = {{ {name} = \"{}\" }}`", node.name, serving.name)
            }
            (None, Some(base)) => match self.other_version(base) {
                Some((other, export)) => format!("`{other}` exports `{export}`, which is not compatible with it"),
                None => format!("no node of the program exports `{base}`"),
            },
            (None, None) => "no node of the program exports an interface with these functions".to_owned(),
        };
        let message = format!("no handle of `{}` serves the import `{what}`", node.name);
        self.report_import(node, "unbound-import", message, Some(help));
        None
    }

    /// A node that exports the interface, but in a version that does not serve.
    fn other_version(&self, base: &str) -> Option<(&'a str, &'a str)> {
        let unversioned = |name: &str| name.split('@').next() == base.split('@').next();
        self.distinct.iter().find_map(|(node, component)| {
            let export = component.couriers.iter().find(|courier| unversioned(&courier.name))?;
            Some((node.name.as_str(), export.name.as_str()))
        })
    }

    fn report_ambiguous(&mut self, node: &Node, wanted: &Wanted<'a>, candidates: &[&Handle]) -> Option<Binding> {
        let names: Vec<_> = candidates.iter().map(|handle| format!("`{}`", handle.name)).collect();
        let message = format!("several handles of `{}` could serve the import `{}`", node.name, wanted.import);
        let short = short_name(wanted.import);
        let help = format!("rename the one that is meant to `{short}`: it is one of {}", names.join(", "));
        self.report_import(node, "ambiguous-import", message, Some(help));
        None
    }

    fn report_import(&mut self, node: &Node, code: &'static str, message: String, help: Option<String>) {
        let problem = Problem::error(code, message).at(self.span(node, NodePlace::Component), "imports it");
        self.problems.push_node(&node.name, problem.help(help));
    }

    fn report_handle(&mut self, node: &Node, handle: &Handle, problem: Problem, label: &str) {
        let span = self.span(node, NodePlace::HandleNodes(handle.name.clone()));
        self.problems.push_node(&node.name, problem.at(span, label));
    }

    fn span(&self, node: &Node, place: NodePlace) -> Option<Range<usize>> {
        self.program.source.node_span(&node.name, place)
    }
}

impl<'a> Wanted<'a> {
    fn new(import: &'a str, style: EdgeStyle, base: Option<&'a str>, interface: &'a Arc<Interface>) -> Wanted<'a> {
        Wanted { import, style, base, interface, offers: RefCell::default() }
    }

    fn bound(&self, handles: Vec<BoundHandle>) -> Binding {
        Binding { import: self.import.to_owned(), style: self.style, interface: self.interface.clone(), handles }
    }

    /// The export of `component` that serves what is wanted. Of several versions, the same one, else the newest; for a
    /// plain name, the first interface with all of its functions, before one that merely has functions of the same names.
    fn offered(&self, component: &'a Component) -> Option<&'a Interface> {
        *self.offers.borrow_mut().entry(std::ptr::from_ref(component)).or_insert_with(|| self.look_for(component))
    }

    fn look_for(&self, component: &'a Component) -> Option<&'a Interface> {
        let couriers = &component.couriers;
        if let Some(base) = self.base {
            let serving = couriers.iter().filter(|courier| component::serves(base, &courier.name));
            return serving.max_by_key(|courier| (courier.name == base, version(&courier.name)));
        }
        let has_names = |courier: &&Interface| {
            let names: HashSet<&str> = courier.methods.iter().map(|method| method.name.as_str()).collect();
            self.interface.methods.iter().all(|method| names.contains(method.name.as_str()))
        };
        let fits = |courier: &&Interface| component::mismatch(self.interface, courier).is_none();
        couriers.iter().find(fits).or_else(|| couriers.iter().find(has_names))
    }
}

/// The names of the handles that serve something.
fn bound_names<'b>(bindings: impl IntoIterator<Item = &'b Binding>) -> HashSet<&'b str> {
    bindings.into_iter().flat_map(|binding| &binding.handles).map(|bound| bound.handle.as_str()).collect()
}

/// The imports of a component that handles serve, for a message.
fn courier_imports(component: &Component) -> String {
    let of_nodes = |kind: &ImportKind| matches!(kind, ImportKind::Courier(_) | ImportKind::Handles { .. });
    let imports = component.imports.iter().filter(|import| of_nodes(&import.kind));
    imports.map(|import| format!("`{}`", import.name)).collect::<Vec<_>>().join(", ")
}

fn version(name: &str) -> Option<semver::Version> {
    semver::Version::parse(name.split_once('@')?.1).ok()
}

/// The last part of an interface's name, or the whole of a plain name.
fn short_name(name: &str) -> &str {
    let unversioned = name.split_once('@').map_or(name, |(name, _)| name);
    unversioned.rsplit_once('/').map_or(unversioned, |(_, last)| last)
}

fn type_problem(caller: &Node, callee: &Node, interface: &str, mismatch: &Mismatch) -> Problem {
    let Mismatch { method, wanted, found } = mismatch;
    let (caller, callee) = (&caller.name, &callee.name);
    let message = format!("`{caller}` and `{callee}` differ in `{method}` of `{interface}`");
    let found = match found {
        Some(found) => format!("`{callee}` exports `{found}`"),
        None => format!("`{callee}` has no such function"),
    };
    let help = format!("`{caller}` imports `{wanted}`, {found}; build both with the same WIT");
    Problem::error("type-mismatch", message).help(help)
}
