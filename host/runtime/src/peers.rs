//! Imports that other nodes satisfy: plain courier interfaces, and handle interfaces with a resource per replica.

mod call_site;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use call_site::CallSite;
use lp_base::scheduler::Scheduler;
use lp_base::words::Pick;
use lp_courier::{CallError, CallOptions, Message, Peer};
use lp_sandbox::{Denials, State};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType};
use wasmtime::{Engine, Result, StoreContextMut, bail, format_err};

use super::import::{self, Imported, Outcome};
use super::signature::Signature;
use super::wire::Payload;

/// One import of a node and the handles that satisfy it.
#[derive(Clone)]
pub struct EdgeSpec {
    /// The import's name in the component.
    pub import: String,
    /// Whether the import is a courier interface itself or the handle interface derived from one.
    pub style: lp_base::plan::EdgeStyle,
    /// The handles by name; a plain import has exactly one.
    pub handles: Vec<HandleSpec>,
}

/// A named group of replicas that a node may call.
#[derive(Clone)]
pub struct HandleSpec {
    /// The name in program.toml.
    pub name: String,
    /// The replicas, in the order of the program, each with the interface that it exports.
    pub targets: Vec<TargetSpec>,
    /// How a plain import chooses among the replicas.
    pub pick: Pick,
    /// How calls are made; how urgent they are is up to the import.
    pub options: CallOptions,
}

/// A replica that a handle leads to.
#[derive(Clone)]
pub struct TargetSpec {
    /// The replica.
    pub peer: Peer,
    /// The methods of the courier interface.
    pub methods: Arc<[MethodSpec]>,
}

/// A method of a courier interface as its callers have to know it.
#[derive(Clone, Debug)]
pub struct MethodSpec {
    /// The name in the interface.
    pub name: String,
    /// The place in the replica's method table.
    pub index: usize,
    /// Whether its own result is a `result<_, call-error>`, which a handle interface leaves as it is.
    pub returns_call_error: bool,
}

impl TargetSpec {
    fn method(&self, name: &str) -> Result<&MethodSpec> {
        let found = self.methods.iter().find(|method| method.name == name);
        found.ok_or_else(|| format_err!("`{}` has no method `{name}`", self.peer.label()))
    }
}

/// A handle resource as the host knows it: its representation is an index into the replicas of the edge.
pub(super) struct Handle;

/// Links every edge of a node into `linker`.
pub(super) fn add_to_linker(
    linker: &mut Linker<State>,
    engine: &Engine,
    component: &Component,
    edges: &[EdgeSpec],
) -> Result<()> {
    let types = component.component_type();
    for edge in edges {
        let item = types.get_import(engine, &edge.import).ok_or_else(|| format_err!("`{}` is gone", edge.import))?;
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            bail!("import `{}` is not an interface", edge.import)
        };
        let mut linked = linker.instance(&edge.import)?;
        let functions = instance.exports(engine).filter_map(|(name, item)| match item.ty {
            ComponentItem::ComponentFunc(func) => Some((name.to_owned(), Signature::of(&func))),
            _ => None,
        });
        let functions: Vec<_> = functions.collect();
        match edge.style {
            lp_base::plan::EdgeStyle::Plain => add_plain(&mut linked, edge, &functions)?,
            lp_base::plan::EdgeStyle::Handles => add_handles(&mut linked, edge, &functions)?,
        }
    }
    Ok(())
}

fn add_plain(linker: &mut LinkerInstance<'_, State>, edge: &EdgeSpec, functions: &[(String, Signature)]) -> Result<()> {
    let [handle] = edge.handles.as_slice() else { bail!("`{}` needs exactly one handle", edge.import) };
    for (name, signature) in functions {
        let targets = handle.targets.iter().map(|target| Ok((target.peer.clone(), target.method(name)?.index)));
        let imported = Plain {
            targets: targets.collect::<Result<_>>()?,
            pick: handle.pick,
            next: AtomicUsize::new(0),
            call: CallSite::new(handle, name, signature),
        };
        import::link(linker, name, signature, Arc::new(imported))?;
    }
    Ok(())
}

/// A function of a plain import. Its calls take turns over the replicas of the node.
struct Plain {
    targets: Vec<(Peer, usize)>,
    pick: Pick,
    next: AtomicUsize,
    call: Arc<CallSite>,
}

impl Plain {
    /// The replica for the next call: of those that take calls if there are any.
    fn pick(&self) -> &(Peer, usize) {
        if let [only] = self.targets.as_slice() {
            return only;
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = || self.targets.iter().cycle().skip(turn % self.targets.len()).take(self.targets.len());
        let mut ready = in_turn().filter(|(peer, _)| peer.is_ready());
        let picked = match self.pick {
            Pick::RoundRobin => ready.next(),
            Pick::LeastPending => ready.min_by_key(|(peer, _)| peer.pending()),
        };
        picked.or_else(|| in_turn().next()).expect("a handle leads to at least one replica")
    }
}

impl Imported<State, Handle> for Plain {
    fn call(
        &self,
        store: StoreContextMut<'_, State>,
        _: Option<Resource<Handle>>,
        request: Result<Message, CallError>,
    ) -> Outcome {
        let (callee, method) = self.pick();
        self.call.make(store, (callee, *method), request, Payload::Message)
    }

    fn scheduler<'a>(&self, state: &'a State) -> &'a Scheduler {
        &state.spec.scheduler
    }

    fn room(&self, store: &State) -> u64 {
        store.message_room().bytes_max
    }
}

/// The replicas that a handle interface leads to, over all handles of the node that fit it.
struct Directory {
    /// Each replica with the handle that leads to it.
    replicas: Vec<(HandleSpec, TargetSpec)>,
}

impl Directory {
    fn new(edge: &EdgeSpec) -> Self {
        let replicas = edge.handles.iter().flat_map(|handle| {
            handle.targets.iter().map(|target| (HandleSpec { targets: Vec::new(), ..handle.clone() }, target.clone()))
        });
        Self { replicas: replicas.collect() }
    }

    /// The places of the replicas of the handle `name`; an empty name means every handle.
    fn all(&self, name: &str) -> impl Iterator<Item = usize> {
        let matches = move |handle: &HandleSpec| name.is_empty() || handle.name == name;
        self.replicas.iter().enumerate().filter(move |(_, (handle, _))| matches(handle)).map(|(place, _)| place)
    }

    /// Tells the user of a name that the node's handles have not, since the guest only sees that there are no replicas.
    fn tell_unknown(&self, name: &str, resource: &str, denials: &Denials) {
        let is_known = |(handle, target): &(HandleSpec, TargetSpec)| handle.name == name || target.peer.label() == name;
        if name.is_empty() || self.replicas.iter().any(is_known) {
            return;
        }
        let names: BTreeSet<_> = self.replicas.iter().map(|(handle, _)| format!("`{}`", handle.name)).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        denials.tell_only(format_args!("use a handle `{name}`: its handles of `{resource}` are {names}"));
    }

    /// The place of the replica called `name` (`producer/1`), or of the only one of the handle called `name`.
    fn get(&self, name: &str) -> Option<usize> {
        if let Some(place) = self.replicas.iter().position(|(_, target)| target.peer.label() == name) {
            return Some(place);
        }
        let mut places = self.all(name);
        places.next().filter(|_| !name.is_empty() && places.next().is_none())
    }
}

fn add_handles(
    linker: &mut LinkerInstance<'_, State>,
    edge: &EdgeSpec,
    functions: &[(String, Signature)],
) -> Result<()> {
    let directory = Arc::new(Directory::new(edge));
    let resource = edge.import.rsplit('/').next().unwrap_or(&edge.import);
    let resource = resource.split('@').next().unwrap_or(resource);
    let resource: Arc<str> = resource.strip_suffix("-handles").unwrap_or(resource).into();
    for (name, signature) in functions {
        match name.strip_prefix("[method]").and_then(|name| name.split_once('.')) {
            Some((_, method)) => {
                let of_each = directory.replicas.iter().map(|(handle, target)| {
                    let call = CallSite::new(handle, method, signature);
                    Ok((target.peer.clone(), target.method(method)?.clone(), call))
                });
                let imported = Method { of_each: of_each.collect::<Result<_>>()? };
                import::link(linker, name, signature, Arc::new(imported))?;
            }
            None if name == "all" => {
                let (directory, resource) = (directory.clone(), resource.clone());
                linker.func_wrap("all", move |store: StoreContextMut<'_, State>, (name,): (String,)| {
                    directory.tell_unknown(&name, &resource, &store.data().denials);
                    let handles: Vec<Resource<Handle>> = directory.all(&name).map(handle_at).collect();
                    Ok((handles,))
                })?;
            }
            None if name == "get" => {
                let (directory, resource) = (directory.clone(), resource.clone());
                linker.func_wrap("get", move |store: StoreContextMut<'_, State>, (name,): (String,)| {
                    directory.tell_unknown(&name, &resource, &store.data().denials);
                    Ok((directory.get(&name).map(handle_at),))
                })?;
            }
            None => bail!("`{name}` is not a function of a handle interface"),
        }
    }
    // A handle is a place in the directory: there is nothing to free.
    linker.resource(&resource, ResourceType::host::<Handle>(), |_, _| Ok(()))
}

fn handle_at(place: usize) -> Resource<Handle> {
    Resource::new_own(u32::try_from(place).expect("a program has fewer than 2^32 replicas"))
}

/// A method of a handle resource.
struct Method {
    of_each: Vec<(Peer, MethodSpec, Arc<CallSite>)>,
}

impl Imported<State, Handle> for Method {
    fn call(
        &self,
        store: StoreContextMut<'_, State>,
        handle: Option<Resource<Handle>>,
        request: Result<Message, CallError>,
    ) -> Outcome {
        let place = handle.map_or(usize::MAX, |handle| handle.rep() as usize);
        let Some((callee, method, call)) = self.of_each.get(place) else {
            return Outcome::Settled(Err(format_err!("the handle leads to no replica")));
        };
        let made_of = if method.returns_call_error { Payload::Message } else { Payload::Ok };
        call.make(store, (callee, method.index), request, made_of)
    }

    fn scheduler<'a>(&self, state: &'a State) -> &'a Scheduler {
        &state.spec.scheduler
    }

    fn room(&self, store: &State) -> u64 {
        store.message_room().bytes_max
    }
}
