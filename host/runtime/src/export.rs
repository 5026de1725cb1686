//! An exported function as something that takes a request message and gives a response message.

#![allow(unsafe_code, reason = "the type of a function is checked by `Wire` and not by wasmtime")]

use std::pin::Pin;

use lp_courier::Message;
use wasmtime::component::{Accessor, Func, GuestTaskId, TypedFunc};
use wasmtime::{Result, StoreContextMut};

use super::signature::Signature;
use super::wire::{FLAT_MAX, Wire};

type BoxFuture<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;

/// An exported function, callable with messages.
pub(super) trait Exported<T: 'static>: Send + Sync {
    /// Calls the function and waits for it, with the store to itself.
    fn call<'a>(&self, store: StoreContextMut<'a, T>, request: Message) -> BoxFuture<'a, Result<Message>>;

    /// Calls the function beside others of the same store. `started` is told the call's task before it runs.
    fn call_concurrent<'a>(
        &self,
        accessor: &'a Accessor<T>,
        request: Message,
        started: Box<dyn FnOnce(GuestTaskId) + Send + 'a>,
    ) -> BoxFuture<'a, Result<Message>>;
}

/// `R` is the number of core values of the result. Parameters may have fewer core values than there is room for.
struct Typed<const R: usize>(TypedFunc<Wire<FLAT_MAX>, Wire<R>>);

impl<T: Send + 'static, const R: usize> Exported<T> for Typed<R> {
    fn call<'a>(&self, store: StoreContextMut<'a, T>, request: Message) -> BoxFuture<'a, Result<Message>> {
        let func = self.0;
        Box::pin(async move { Ok(func.call_async(store, Wire::message(request)).await?.into_message()) })
    }

    fn call_concurrent<'a>(
        &self,
        accessor: &'a Accessor<T>,
        request: Message,
        started: Box<dyn FnOnce(GuestTaskId) + Send + 'a>,
    ) -> BoxFuture<'a, Result<Message>> {
        let func = self.0;
        Box::pin(async move {
            let call = accessor.with(|store| func.start_call_concurrent(store, Wire::message(request)))?;
            started(call.task());
            Ok(func.finish_call_concurrent(accessor, call).await?.into_message())
        })
    }
}

/// Makes `func`, whose type has the signature `signature`, callable with messages.
pub(super) fn exported<T: Send + 'static>(func: Func, signature: &Signature) -> Box<dyn Exported<T>> {
    macro_rules! by_results {
        ($($count:literal)*) => {
            match signature.results {
                // SAFETY: `Wire` lowers and lifts whatever type the function has; `R` is its number of core values.
                $($count => Box::new(Typed::<$count>(unsafe { TypedFunc::new_unchecked(func) })),)*
                count => unreachable!("a signature has at most {FLAT_MAX} core values, not {count}"),
            }
        };
    }
    by_results!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}
