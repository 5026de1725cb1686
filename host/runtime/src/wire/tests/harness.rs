//! Calls a guest that imports and exports `test:t/svc`, with the codec or with `Val` on either side of it.

use std::sync::{Arc, LazyLock};

use lp_base::scheduler::Scheduler;
use lp_courier::{CallError, Message};
use lp_sandbox::CallStyle;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Func, Instance, Linker, Resource, Type, Val};
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, Result, Store, StoreContextMut};

use super::super::Payload;
use super::forwarder::INTERFACE;
use crate::export::{Exported, exported};
use crate::import::{Imported, Outcome, link};
use crate::signature::Signature;

/// Which of the host's two engines a guest runs on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Concurrency {
    Off,
    On,
}

/// What stands on one side of a guest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Codec {
    /// wasmtime's dynamic values.
    Val,
    /// The codec under test.
    Wire,
}

/// Arguments or results, as one of the codecs has them.
#[derive(Clone, Debug)]
pub enum Values {
    Vals(Vec<Val>),
    Bytes(Vec<u8>),
}

/// What the host's function returns and what it was called with.
#[derive(Default)]
pub struct Host {
    pub reply: Option<Values>,
    pub received: Option<Values>,
    /// Whether the function lets others run before it replies, so that the guest has to wait.
    pub yields: bool,
    /// The bytes that a reply may become, if not any number.
    pub room: Option<u64>,
}

impl Host {
    fn exchange(&mut self, received: Values) -> (Values, bool) {
        self.received = Some(received);
        (self.reply.take().expect("every call is given its reply"), self.yields)
    }
}

/// An instance of a guest and its function `f`.
pub struct Guest {
    store: Store<Host>,
    func: Func,
    exported: Box<dyn Exported<Host>>,
    concurrency: Concurrency,
    /// The types of the parameters and of the result.
    pub types: (Vec<Type>, Vec<Type>),
}

impl Guest {
    /// Instantiates a component given as text, with `codec` serving its import.
    pub async fn new(text: &str, concurrency: Concurrency, codec: Codec) -> Result<Self> {
        let engine = engine(concurrency);
        let component = compile(text, concurrency)?;
        Self::of(&component, engine, concurrency, codec).await
    }

    /// Instantiates a compiled component, with `codec` serving its import.
    pub async fn of(component: &Component, engine: &Engine, concurrency: Concurrency, codec: Codec) -> Result<Self> {
        let mut linker = Linker::new(engine);
        import(&mut linker, component, codec)?;
        let mut store = Store::new(engine, Host::default());
        let instance = linker.instantiate_async(&mut store, component).await?;
        let func = function(&instance, &mut store)?;
        let ty = func.ty(&store);
        let types = (ty.params().map(|(_, ty)| ty).collect(), ty.results().collect());
        let exported = exported(func, &Signature::of(&ty), &store)?;
        Ok(Self { store, func, exported, concurrency, types })
    }

    /// The import's side of the guest.
    pub fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    /// Whether a request becomes at most so many bytes.
    pub fn has_room(&self, request: &[u8], bytes_max: u64) -> bool {
        self.exported.has_room(&Message::from(request), bytes_max)
    }

    /// Has the guest hand over and return at most so many bytes in any one call.
    pub fn limit_messages(&mut self, bytes: usize) {
        self.store.set_hostcall_fuel(bytes);
    }

    /// Calls `f` with the codec that the arguments are for.
    pub async fn call(&mut self, arguments: Values) -> Result<Values> {
        match arguments {
            Values::Vals(arguments) => {
                let mut results = vec![Val::Bool(false); self.types.1.len()];
                self.func.call_async(&mut self.store, &arguments, &mut results).await?;
                Ok(Values::Vals(results))
            }
            Values::Bytes(request) => {
                let request = Message::from(&request[..]);
                let response = match self.concurrency {
                    Concurrency::Off => {
                        self.exported.call(wasmtime::AsContextMut::as_context_mut(&mut self.store), request).await?
                    }
                    Concurrency::On => {
                        let exported = &self.exported;
                        let call =
                            async |accessor: &_| exported.call_concurrent(accessor, request, Box::new(|_| ())).await;
                        self.store.run_concurrent(call).await??
                    }
                };
                let response = response.map_err(|error| wasmtime::format_err!("{error}"))?;
                Ok(Values::Bytes(response.to_vec()))
            }
        }
    }
}

/// Runs a future on this thread to its end.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers starts").block_on(future)
}

/// The engine that guests of this kind share.
pub fn engine(concurrency: Concurrency) -> &'static Engine {
    static OFF: LazyLock<Engine> = LazyLock::new(|| {
        let mut config = Config::new();
        config.concurrency_support(false);
        Engine::new(&config).expect("the configuration is valid")
    });
    static ON: LazyLock<Engine> = LazyLock::new(|| {
        let mut config = Config::new();
        config.wasm_component_model_async(true);
        Engine::new(&config).expect("the configuration is valid")
    });
    match concurrency {
        Concurrency::Off => &OFF,
        Concurrency::On => &ON,
    }
}

/// Compiles a component given as text.
pub fn compile(text: &str, concurrency: Concurrency) -> Result<Component> {
    Component::new(engine(concurrency), wat::parse_str(text).with_context(|| text.to_owned())?)
}

fn function(instance: &Instance, store: &mut Store<Host>) -> Result<Func> {
    let interface = instance.get_export_index(&mut *store, None, INTERFACE).context("the interface is exported")?;
    let index = instance.get_export_index(&mut *store, Some(&interface), "f").context("`f` is exported")?;
    instance.get_func(store, index).context("`f` is a function")
}

fn import(linker: &mut Linker<Host>, component: &Component, codec: Codec) -> Result<()> {
    let engine = component.engine();
    let ty = component.component_type();
    let Some(ComponentItem::ComponentInstance(interface)) = ty.get_import(engine, INTERFACE).map(|import| import.ty)
    else {
        return Ok(());
    };
    let Some(ComponentItem::ComponentFunc(func)) = interface.get_export(engine, "f").map(|export| export.ty) else {
        return Ok(());
    };
    let signature = Signature::of(&func);
    let mut instance = linker.instance(INTERFACE)?;
    match codec {
        Codec::Wire => link::<Host, ()>(&mut instance, "f", &signature, Arc::new(Replies)),
        Codec::Val if signature.style == CallStyle::Async => {
            instance.func_new_concurrent("f", |accessor, _, params, results| {
                Box::pin(async move {
                    let params = Values::Vals(params.to_vec());
                    let (reply, yields) = accessor.with(|mut access| access.data_mut().exchange(params));
                    if yields {
                        tokio::task::yield_now().await;
                    }
                    answer(reply, results);
                    Ok(())
                })
            })
        }
        Codec::Val => instance.func_new("f", |mut store, _, params, results| {
            let (reply, _) = store.data_mut().exchange(Values::Vals(params.to_vec()));
            answer(reply, results);
            Ok(())
        }),
    }
}

fn answer(reply: Values, results: &mut [Val]) {
    match reply {
        Values::Vals(reply) => results.clone_from_slice(&reply),
        Values::Bytes(_) => unreachable!("the reply is for the codec that serves the import"),
    }
}

/// Serves the import with the codec.
struct Replies;

impl Imported<Host, ()> for Replies {
    fn call(
        &self,
        mut store: StoreContextMut<'_, Host>,
        _: Option<Resource<()>>,
        request: Result<Message, CallError>,
    ) -> Outcome {
        let Ok(request) = request else { return Outcome::Settled(Ok(Payload::Failed(CallError::TooLarge))) };
        let (reply, yields) = store.data_mut().exchange(Values::Bytes(request.to_vec()));
        let Values::Bytes(reply) = reply else { unreachable!("the reply is for the codec that serves the import") };
        let reply = Ok(Payload::Message(Message::from(&reply[..])));
        if !yields {
            return Outcome::Settled(reply);
        }
        Outcome::UnderWay(Box::pin(async move {
            tokio::task::yield_now().await;
            reply
        }))
    }

    fn scheduler<'a>(&self, _: &'a Host) -> &'a Scheduler {
        system()
    }

    fn room(&self, store: &Host) -> u64 {
        store.room.unwrap_or(u64::MAX)
    }
}

/// The system's scheduler, for stores that have none of their own.
pub fn system() -> &'static Scheduler {
    static SYSTEM: LazyLock<Scheduler> = LazyLock::new(Scheduler::default);
    &SYSTEM
}
