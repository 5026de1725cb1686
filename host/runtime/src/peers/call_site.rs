//! A call that a guest makes through a handle: what it came through, what is kept for it, and whom it waits for.

use std::sync::Arc;

use lp_base::calls::{IN_FLIGHT_BYTES_MIN, InFlight, Kept, KeptBytes, Origin, ReplicaIndex};
use lp_base::scheduler::Scheduler;
use lp_base::words::{Limit, WhenFull};
use lp_courier::{CallContext, CallError, CallOptions, Called, Message, Peer, Urgency};
use lp_sandbox::{CallStyle, State, WaitsFor};
use wasmtime::{AsContextMut, Result, StoreContextMut, format_err};

use super::HandleSpec;
use crate::import::Outcome;
use crate::signature::Signature;
use crate::wire::Payload;

/// What is the same for every call of one function through one handle.
pub(super) struct CallSite {
    handle: String,
    method: String,
    options: CallOptions,
    fallible: bool,
}

impl CallSite {
    pub fn new(handle: &HandleSpec, method: &str, signature: &Signature) -> Arc<Self> {
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
    pub fn make(
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
