//! One replica: its store, its instance, and the event loop that runs it and answers its calls.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures::stream::{FuturesUnordered, StreamExt};
use lp_base::replica::{Ended, Failure, ReplicaSpec};
use lp_base::words::{Limit, RunExport};
use lp_courier::{Answering, CallError, Mailbox, Message};
use lp_sandbox::{Alarm, CallKey, Kind, LimitHit, LineWriter, Meter, State, Turns, Waits};
use wasmtime::component::{Accessor, Func, Instance, TypedFunc};
use wasmtime::{Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::I32Exit;

use super::export::{Exported, Response, exported};
use super::fibers::Fibers;
use super::signature::Signature;
use super::{LinkedComponent, StartError, stack};

type Method = Option<Box<dyn Exported<State>>>;

/// `wasi:cli/run.run`.
type Run = TypedFunc<(), (Result<(), ()>,)>;

/// A replica that is instantiated and not yet running.
pub struct Replica {
    store: Store<State>,
    /// By their places in the plan; `None` for one that the component has no more.
    methods: Arc<[Method]>,
    run: Option<Run>,
    kind: Kind,
    concurrent_max: usize,
    turns: Arc<Turns>,
    fibers: Arc<Fibers>,
}

impl Replica {
    /// Makes the store and the instance, which may run the guest's initialisation.
    pub(super) async fn start(linked: &LinkedComponent, spec: Arc<ReplicaSpec>) -> Result<Self, StartError> {
        let turns = Turns::new(linked.ticks.clone(), &spec.scheduler);
        let mut store = Store::new(linked.pre.engine(), State::new(spec.clone(), linked.kind, turns.clone())?);
        State::limit(&mut store, &spec.node.limits).map_err(StartError::Exports)?;
        store.set_epoch_deadline(1);
        let counts = store.data().meter.counts();
        store.epoch_deadline_callback(move |store| {
            store.data().breach.check()?;
            if counts {
                charge(store)?;
            }
            Ok(UpdateDeadline::Yield(1))
        });
        let fibers = Fibers::new(&spec.node.limits);
        let instance = match fibers.clone().of(turns.of(linked.pre.instantiate_async(&mut store))).await {
            Ok(instance) => instance,
            Err(error) => return Err(StartError::Guest(failure(&error, &store))),
        };
        store.data_mut().note_started();
        let found = Self::find_exports(&mut store, &instance, linked, &spec);
        let (methods, run) = found.map_err(StartError::Exports)?;
        Ok(Self {
            store,
            methods: methods.into(),
            run,
            kind: linked.kind,
            concurrent_max: spec.node.limits.calls_concurrent as usize,
            turns,
            fibers,
        })
    }

    #[allow(clippy::type_complexity, reason = "a pair that is taken apart at once")]
    fn find_exports(
        store: &mut Store<State>,
        instance: &Instance,
        linked: &LinkedComponent,
        spec: &ReplicaSpec,
    ) -> wasmtime::Result<(Vec<Method>, Option<Run>)> {
        let mut methods = Vec::new();
        for courier in &spec.node.couriers {
            let interface = instance.get_export_index(&mut *store, None, &courier.interface);
            for method in &courier.methods {
                let index = interface
                    .and_then(|interface| instance.get_export_index(&mut *store, Some(&interface), &method.name));
                let func = index.and_then(|index| instance.get_func(&mut *store, index));
                let exported = |func: Func| exported(func, &Signature::of(&func.ty(&*store)), &*store);
                methods.push(func.map(exported).transpose()?);
            }
        }
        let run = spec.node.component().and_then(|component| component.run);
        let run = run.map(|run| Self::find_run(store, instance, linked, run)).transpose()?;
        Ok((methods, run))
    }

    /// The `run` of the entry point that the plan names: a component may have two.
    fn find_run(
        store: &mut Store<State>,
        instance: &Instance,
        linked: &LinkedComponent,
        run: RunExport,
    ) -> wasmtime::Result<Run> {
        let component = linked.pre.component();
        let ty = component.component_type();
        let mut names = ty.exports(component.engine()).map(|(name, _)| name);
        let interface = names.find(|name| RunExport::of(name) == Some(run));
        let interface = interface.and_then(|name| instance.get_export_index(&mut *store, None, name));
        let index = interface.and_then(|interface| instance.get_export_index(&mut *store, Some(&interface), "run"));
        let index = index.ok_or_else(|| wasmtime::format_err!("the component has no entry point `{run}`"))?;
        instance.get_typed_func(&mut *store, index)
    }

    /// Runs the guest's `run`, if it has one, and answers calls until the mailbox is closed or the guest fails.
    ///
    /// `ran` is called when `run` returns without an error; the replica goes on serving after it.
    pub async fn serve(mut self, mailbox: Arc<Mailbox>, ran: &(dyn Fn() + Send + Sync)) -> Ended {
        if self.run.is_some() {
            mailbox.pump().go_on_apart().await;
        }
        let running = AtomicBool::new(self.run.is_some());
        let ran = || {
            running.store(false, Ordering::Relaxed);
            ran();
        };
        let (turns, fibers, breach) = (self.turns.clone(), self.fibers.clone(), self.store.data().breach.clone());
        let meter = self.store.data().meter.clone();
        let counted = meter.counts().then(|| meter.clone());
        let mut alarm = Alarm::new(meter, self.store.data().spec.scheduler.clone());
        let result = turns.of(async {
            let mut served: Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send>> = match self.kind {
                Kind::Plain => Box::pin(self.serve_one_by_one(&mailbox, &ran)),
                Kind::Concurrent => Box::pin(self.serve_concurrently(&mailbox, &ran)),
            };
            poll_fn(|cx| {
                let polled = served.as_mut().poll(cx);
                if polled.is_ready() {
                    return polled;
                }
                // What a guest went beyond may not have stopped it.
                breach.check()?;
                if let Some(meter) = &counted {
                    meter.charge_rest()?;
                }
                alarm.poll(cx).map(|hit| Err(hit.into()))
            })
            .await
        });
        let result = fibers.of(result).await;
        let state = self.store.data();
        state.output.iter().for_each(LineWriter::finish);
        let memory_peak = state.limits.peak;
        let exited =
            running.into_inner() && matches!(&result, Err(error) if matches!(error.downcast_ref(), Some(I32Exit(0))));
        let failure = result.err().filter(|_| !exited).map(|error| failure(&error, &self.store));
        Ended { failure, exited, memory_peak }
    }

    /// The meter, where it counts calls.
    fn counted(&self) -> Option<Arc<Meter>> {
        let meter = &self.store.data().meter;
        meter.counts_calls().then(|| meter.clone())
    }

    async fn serve_one_by_one(&mut self, mailbox: &Mailbox, ran: &(dyn Fn() + Sync)) -> wasmtime::Result<()> {
        let waits = self.store.data().waits.clone();
        mailbox.begin(1, waits.clone());
        mailbox.pump().look();
        let counted = self.counted();
        if let Some(run) = self.run {
            run_result(run.call_async(&mut self.store, ()).await)?;
            ran();
        }
        while let Some(call) = std::future::poll_fn(|cx| mailbox.poll_next(cx)).await {
            let (method, request, origin, answering) = call.split();
            self.store.data_mut().current = origin;
            let Some(method) = method_of(&self.methods, method)? else {
                mailbox.answer(answering, Err(gone(mailbox)));
                continue;
            };
            if let Err(error) = check_room(self.store.data(), method, &request) {
                mailbox.answer(answering, Err(error));
                continue;
            }
            counted.as_ref().inspect(|meter| meter.begin(None));
            let _serving = waits.serve();
            let result = method.call(wasmtime::AsContextMut::as_context_mut(&mut self.store), request).await;
            counted.as_ref().inspect(|meter| meter.end(None));
            self.store.data_mut().current = None;
            if is_too_large(&result) {
                tell_too_large(self.store.data());
            }
            settle(mailbox, answering, result)?;
        }
        Ok(())
    }

    async fn serve_concurrently(&mut self, mailbox: &Mailbox, ran: &(dyn Fn() + Sync)) -> wasmtime::Result<()> {
        let (methods, run, concurrent_max) = (self.methods.clone(), self.run, self.concurrent_max);
        let counted = self.counted();
        let waits = self.store.data().waits.clone();
        mailbox.begin(concurrent_max, waits.clone());
        let looped = self.store.run_concurrent(async move |accessor| {
            let mut calls = FuturesUnordered::new();
            let mut running = run.map(|run| {
                Box::pin(async move {
                    let call = accessor.with(|store| run.start_call_concurrent(store, ()))?;
                    accessor.with(|mut access| access.get().waits.set_run(call.task()));
                    run.finish_call_concurrent(accessor, call).await
                })
            });
            let mut closed = false;
            std::future::poll_fn(|cx| {
                mailbox.pump().look();
                if let Some(future) = &mut running
                    && let Poll::Ready(result) = future.as_mut().poll(cx)
                {
                    running = None;
                    match run_result(result) {
                        Ok(()) => ran(),
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                // Once it is known to be woken by the next call, this turn need not look for one again.
                let mut listening = false;
                loop {
                    while !closed && !listening && calls.len() < concurrent_max {
                        match mailbox.poll_next(cx) {
                            Poll::Ready(Some(call)) => {
                                calls.push(serve_call(accessor, &methods, mailbox, call, counted.as_deref(), &waits));
                            }
                            Poll::Ready(None) => closed = true,
                            Poll::Pending => listening = true,
                        }
                    }
                    match calls.poll_next_unpin(cx) {
                        Poll::Ready(Some(Ok(()))) => {}
                        Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                        Poll::Ready(None) if closed && running.is_none() => return Poll::Ready(Ok(())),
                        Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await
        });
        looped.await.and_then(|result| result)
    }
}

async fn serve_call(
    accessor: &Accessor<State>,
    methods: &[Method],
    mailbox: &Mailbox,
    call: lp_courier::Call,
    counted: Option<&Meter>,
    waits: &Arc<Waits>,
) -> wasmtime::Result<()> {
    let (method, request, origin, answering) = call.split();
    let _serving = waits.serve();
    let (mut known, has_origin) = (None, origin.is_some());
    let started = |task| {
        if let Some(origin) = origin {
            accessor.with(|mut access| access.get().origins.insert(task, origin));
        }
        counted.inspect(|meter| meter.begin(Some(task)));
        known = Some(task);
    };
    let Some(method) = method_of(methods, method)? else {
        mailbox.answer(answering, Err(gone(mailbox)));
        return Ok(());
    };
    if let Err(error) = accessor.with(|mut access| check_room(access.get(), method, &request)) {
        mailbox.answer(answering, Err(error));
        return Ok(());
    }
    let result = method.call_concurrent(accessor, request, Box::new(started)).await;
    if let Some(task) = known {
        if has_origin {
            accessor.with(|mut access| access.get().origins.remove(&task));
        }
        counted.inspect(|meter| meter.end(Some(task)));
        waits.end(known);
    }
    if is_too_large(&result) {
        accessor.with(|mut access| tell_too_large(access.get()));
    }
    settle(mailbox, answering, result)
}

/// Refuses a request that would become more in the guest's memory than it may. Of that, the user is told.
fn check_room(state: &State, method: &dyn Exported<State>, request: &Message) -> Result<(), CallError> {
    let room = state.message_room();
    if method.has_room(request, room.bytes_max) {
        return Ok(());
    }
    state.denials.tell_limit("take a call that is too large", room.limit, room.limit_value);
    Err(CallError::TooLarge)
}

fn is_too_large(result: &wasmtime::Result<Response>) -> bool {
    matches!(result, Ok(Err(CallError::TooLarge)))
}

/// Tells the user of a result that is larger than its limit.
fn tell_too_large(state: &State) {
    let max = state.spec.node.limits.message_bytes;
    state.denials.tell_limit("return a result that is too large", Limit::Message, max);
}

/// Charges the guest of `store`, which runs right now, for a tick.
fn charge(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<()> {
    let mut working: Vec<CallKey> = vec![None];
    if store.data().meter.counts_calls() && store.data().is_concurrent() {
        working = store.async_call_stack()?.map(Some).collect();
    }
    Ok(store.data().meter.charge(working)?)
}

fn method_of(methods: &[Method], index: usize) -> wasmtime::Result<Option<&dyn Exported<State>>> {
    let method = methods.get(index).map(Option::as_deref);
    method.ok_or_else(|| wasmtime::format_err!("method {index} does not exist"))
}

/// The error of a call that was made before the replica was rebuilt.
fn gone(mailbox: &Mailbox) -> CallError {
    CallError::Failed(format!("`{}` was rebuilt without the function that is called", mailbox.label()))
}

/// Answers a call. A guest that failed in it answers with no more than that, and takes the replica down.
fn settle(mailbox: &Mailbox, answering: Answering, result: wasmtime::Result<Response>) -> wasmtime::Result<()> {
    match result {
        Ok(response) => {
            mailbox.answer(answering, response);
            Ok(())
        }
        Err(error) => {
            mailbox.answer(answering, Err(mailbox.failed()));
            Err(error)
        }
    }
}

/// The end of `run`, where the guest's own error is one like any other.
fn run_result(result: wasmtime::Result<(Result<(), ()>,)>) -> wasmtime::Result<()> {
    match result? {
        (Ok(()),) => Ok(()),
        (Err(()),) => wasmtime::bail!("its `run` returned an error"),
    }
}

/// What to say of a guest that failed with `error`.
fn failure(error: &wasmtime::Error, store: &Store<State>) -> Failure {
    let stack = error.downcast_ref::<wasmtime::WasmBacktrace>().and_then(stack::of_guest);
    // Who exits says so.
    let stack = stack.filter(|_| !error.is::<I32Exit>());
    let mut summary = match (error.downcast_ref::<I32Exit>(), error.downcast_ref::<wasmtime::Trap>()) {
        (Some(I32Exit(status)), _) => format!("exited with status {status}"),
        (_, Some(trap)) => trap.to_string(),
        _ => {
            let causes = error.chain().map(ToString::to_string).filter(|cause| !cause.starts_with("error while exec"));
            causes.collect::<Vec<_>>().join(": ")
        }
    };
    let known = store.data().breach.check().err().filter(|_| !error.is::<LimitHit>());
    if let Some(hit) = known.or_else(|| LimitHit::behind(error, &store.data().spec.node.limits)) {
        summary = format!("{hit}: {summary}");
    }
    summary.push_str(&store.data().limits.refusal().unwrap_or_default());
    if let Some(denial) = store.data().denials.last() {
        summary.push_str(&format!("; it was not allowed to {denial}"));
    }
    Failure { summary, stack }
}
