//! An exported function as something that takes a request message and gives a response message.

#![allow(unsafe_code, reason = "the type of a function is checked by `Wire` and not by wasmtime")]

use std::pin::Pin;

use lp_courier::{CallError, Message};
use wasmtime::component::{Accessor, Func, GuestTaskId, TypedFunc};
use wasmtime::{AsContext, Result, StoreContextMut};

use super::signature::Signature;
use super::wire::{FLAT_MAX, Params, Payload, Wire};

type BoxFuture<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;

/// What a function returned, unless that is larger than its limit.
pub(super) type Response = Result<Message, CallError>;

/// An exported function, callable with messages.
pub(super) trait Exported<T: 'static>: Send + Sync {
    /// Whether a request becomes at most `bytes_max` in the guest's memory. To be asked before it is made: what becomes more
    /// may take the guest down.
    fn has_room(&self, request: &Message, bytes_max: u64) -> bool;

    /// Calls the function and waits for it, with the store to itself.
    fn call<'a>(&self, store: StoreContextMut<'a, T>, request: Message) -> BoxFuture<'a, Result<Response>>;

    /// Calls the function beside others of the same store. `started` is told the call's task before it runs.
    fn call_concurrent<'a>(
        &self,
        accessor: &'a Accessor<T>,
        request: Message,
        started: Box<dyn FnOnce(GuestTaskId) + Send + 'a>,
    ) -> BoxFuture<'a, Result<Response>>;
}

/// `R` is the number of core values of the result. Parameters may have fewer core values than there is room for.
struct Typed<const R: usize> {
    func: TypedFunc<Wire<FLAT_MAX>, Wire<R>>,
    params: Params,
}

impl<const R: usize> Typed<R> {
    fn request(&self, message: Message) -> Wire<FLAT_MAX> {
        Wire::new(Payload::Message(message), self.params.room())
    }
}

impl<T: Send + 'static, const R: usize> Exported<T> for Typed<R> {
    fn has_room(&self, request: &Message, bytes_max: u64) -> bool {
        self.params.have_room(request, bytes_max)
    }

    fn call<'a>(&self, store: StoreContextMut<'a, T>, request: Message) -> BoxFuture<'a, Result<Response>> {
        let (func, request) = (self.func, self.request(request));
        Box::pin(async move { Ok(func.call_async(store, request).await?.into_message()) })
    }

    fn call_concurrent<'a>(
        &self,
        accessor: &'a Accessor<T>,
        request: Message,
        started: Box<dyn FnOnce(GuestTaskId) + Send + 'a>,
    ) -> BoxFuture<'a, Result<Response>> {
        let (func, request) = (self.func, self.request(request));
        Box::pin(async move {
            let call = accessor.with(|store| func.start_call_concurrent(store, request))?;
            started(call.task());
            Ok(func.finish_call_concurrent(accessor, call).await?.into_message())
        })
    }
}

/// Makes `func`, whose type has the signature `signature`, callable with messages.
///
/// # Errors
/// If wasmtime does not show its types, which is a mistake of the host.
pub(super) fn exported<T: Send + 'static>(
    func: Func,
    signature: &Signature,
    store: impl AsContext,
) -> Result<Box<dyn Exported<T>>> {
    let params = Params::of(func, store)?;
    macro_rules! by_results {
        ($($count:literal)*) => {
            match signature.results {
                // SAFETY: `Wire` lowers and lifts whatever type the function has; `R` is its number of core values.
                $($count => Box::new(Typed::<$count> { func: unsafe { TypedFunc::new_unchecked(func) }, params }),)*
                count => unreachable!("a signature has at most {FLAT_MAX} core values, not {count}"),
            }
        };
    }
    Ok(by_results!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16))
}
