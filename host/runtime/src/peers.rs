//! Imports that other nodes satisfy: plain courier interfaces, and handle interfaces with a resource per replica.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lp_base::calls::{IN_FLIGHT_BYTES_MIN, InFlight, Kept, KeptBytes, Origin, ReplicaIndex};
use lp_base::scheduler::Scheduler;
use lp_base::words::{Limit, Pick, WhenFull};
use lp_courier::{CallContext, CallError, CallOptions, Called, Message, Peer, Urgency};
use lp_sandbox::{CallStyle, Denials, State, WaitsFor};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType};
use wasmtime::{AsContextMut, Engine, Result, StoreContextMut, bail, format_err};

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

/// What is the same for every call of one function through one handle.
struct CallSite {
    handle: String,
    method: String,
    options: CallOptions,
    fallible: bool,
}

impl CallSite {
    fn new(handle: &HandleSpec, method: &str, signature: &Signature) -> Arc<Self> {
        let urgency = match signature.style {
            CallStyle::Async | CallStyle::Future { .. } => Urgency::Concurrent,
            CallStyle::Blocking => Urgency::Blocked,
        };
        Arc::new(Self {
            handle: handle.name.clone(),
            method: method.to_owned(),
            options: CallOptions { urgency, ..handle.options },
            fallible: signature.fallible,
        })
    }

    /// Everything about a call that the guest of `store` makes but its message.
    fn context(&self, mut store: StoreContextMut<'_, State>) -> Result<CallContext> {
        let (caller, kept) = (store.data().replica(), store.data().kept.clone());
        let origin = origin(store.as_context_mut(), self.options.urgency)?;
        Ok(CallContext { origin, caller: Some(caller), kept: Some(kept), options: self.options })
    }

    /// What the caller sees of a failed call: an error value where its result has one, else a trap that says it all.
    fn failed(&self, callee: &Peer, error: CallError) -> Result<Payload> {
        if self.fallible {
            return Ok(Payload::Failed(error));
        }
        Err(format_err!("`{}` of `{}`, called by handle `{}`: {error}", self.method, callee.label(), self.handle))
    }

    /// The outcome of a call that is larger than its limit, of which the user is told.
    fn refused(&self, caller: &State, callee: &Peer, error: CallError) -> Outcome {
        let max = caller.spec.node.limits.message_bytes;
        caller.denials.tell_limit(
            format_args!("make a call of `{}` that is too large", self.method),
            Limit::Message,
            max,
        );
        Outcome::Settled(self.failed(callee, error))
    }

    /// Makes a call; `made_of` makes a payload of its response.
    fn make(
        self: &Arc<Self>,
        mut store: StoreContextMut<'_, State>,
        (callee, method): (&Peer, usize),
        request: Result<Message, CallError>,
        made_of: fn(Message) -> Payload,
    ) -> Outcome {
        let request = match request {
            Ok(request) => request,
            Err(error) => return self.refused(store.data(), callee, error),
        };
        let payload = move |site: &Self, callee: &Peer, result| match result {
            Ok(response) => Ok(made_of(response)),
            Err(error) => site.failed(callee, error),
        };
        let begun = self.begin(store.as_context_mut(), callee, method, request);
        let under_way = begun.and_then(|called| match called {
            Called::Answered(result) => Ok(Outcome::Settled(payload(self, callee, result))),
            Called::UnderWay(call) => {
                let waits = wait(store, callee.replica())?;
                let (site, callee) = (self.clone(), callee.clone());
                Ok(Outcome::UnderWay(Box::pin(async move {
                    let result = call.await;
                    drop(waits);
                    payload(&site, &callee, result)
                })))
            }
        });
        under_way.unwrap_or_else(|error| Outcome::Settled(Err(error)))
    }

    /// Begins a call, which waits until the caller has room for one more of this size under way.
    fn begin(
        &self,
        mut store: StoreContextMut<'_, State>,
        callee: &Peer,
        method: usize,
        mut request: Message,
    ) -> Result<Called> {
        let bytes = request.kept_bytes();
        let kept = keep(&store, &request)?;
        let context = self.context(store.as_context_mut())?;
        let admitted = match &context.kept {
            Some(kept) if bytes >= IN_FLIGHT_BYTES_MIN => kept.try_admit(bytes).map(Some),
            _ => Some(None),
        };
        let (idempotent, when_full) = (context.options.idempotent, context.options.when_full);
        let Some(in_flight) = admitted else {
            if when_full == WhenFull::Fail {
                return Ok(Called::Answered(Err(CallError::Overloaded)));
            }
            let callee = callee.clone();
            return Ok(Called::first_step(async move { call_in_turn(&callee, method, request, kept, context).await }));
        };
        // A request counts until its callee has it, so that it does not count along with its result; one that may be sent once
        // more counts until the end.
        let kept = match idempotent {
            true => Some(kept),
            false => {
                request.set_count(kept);
                None
            }
        };
        Ok(match callee.begin_call(method, request, context) {
            Called::UnderWay(call) if in_flight.is_some() || kept.is_some() => Called::UnderWay(Box::pin(async move {
                let _until_answered = (in_flight, kept);
                call.await
            })),
            called => called,
        })
    }
}

/// Counts a request for as long as its call is not answered.
fn keep(store: &StoreContextMut<'_, State>, request: &Message) -> Result<KeptBytes> {
    let State { kept, breach, .. } = store.data();
    kept.keep(request.kept_bytes()).ok_or_else(|| breach.error())
}

/// Calls `callee` once the caller has room for one more call of this size under way.
async fn call_in_turn(
    callee: &Peer,
    method: usize,
    mut request: Message,
    kept: KeptBytes,
    mut context: CallContext,
) -> std::result::Result<Message, CallError> {
    let _in_flight = match &context.kept {
        None => None,
        Some(kept) => Some(wait_for_room(kept, request.kept_bytes(), &mut context.options, callee.scheduler()).await?),
    };
    let _kept = match context.options.idempotent {
        true => Some(kept),
        false => {
            request.set_count(kept);
            None
        }
    };
    callee.call(method, request, context).await
}

/// Waits for room, at most for as long as the call may take, and leaves it the rest of that.
async fn wait_for_room(
    kept: &Arc<Kept>,
    bytes: u64,
    options: &mut CallOptions,
    scheduler: &Scheduler,
) -> std::result::Result<InFlight, CallError> {
    let Some(timeout) = options.timeout else { return Ok(kept.admit(bytes, scheduler).await) };
    let start = scheduler.stopwatch();
    let in_flight =
        scheduler.timeout(timeout, kept.admit(bytes, scheduler)).await.map_err(|_| CallError::Overloaded)?;
    options.timeout = Some(timeout.saturating_sub(start.elapsed()));
    Ok(in_flight)
}

/// Notes that the call that the store works on, if it works on any, waits for `callee`, until that is dropped.
fn wait(mut store: StoreContextMut<'_, State>, callee: ReplicaIndex) -> Result<Option<WaitsFor>> {
    if !store.data().waits.is_serving() {
        return Ok(None);
    }
    // The last one is what the host has called.
    let task = if store.data().is_concurrent() { store.async_call_stack()?.last() } else { None };
    Ok(store.data().waits.wait(task, callee))
}

/// What a call came through, from the caller's store.
fn origin(mut store: StoreContextMut<'_, State>, urgency: Urgency) -> Result<Option<Arc<Origin>>> {
    let parent = match store.data().origins.is_empty() {
        true => store.data().current.clone(),
        // The task that makes the call comes first, then whatever called it within the same store.
        false => {
            let tasks: Vec<_> = store.async_call_stack()?.collect();
            tasks.iter().find_map(|task| store.data().origins.get(task)).cloned()
        }
    };
    Ok(match urgency {
        Urgency::Blocked => Some(match parent {
            None => store.data().held.clone(),
            parent => Origin::held(store.data().replica(), parent),
        }),
        Urgency::Concurrent => parent,
    })
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
