//! Imported functions that hand a request message to the host and take a response message from it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::task::JoinSet;
use wasmtime::component::{Accessor, FutureReader, LinkerInstance, Resource};
use wasmtime::{AsContextMut, Result, StoreContextMut, format_err};

use super::signature::{CallStyle, Signature};
use super::wire::{Args, Payload, Reply, Wire};
use crate::courier::{KeepOnDrop, Message};

/// The future of a call that the host makes for a guest. It borrows nothing of the store.
pub(super) type Outcome = Pin<Box<dyn Future<Output = Result<Payload>> + Send>>;

/// What the host does with a call of an imported function.
pub(super) trait Imported<T: 'static, H: 'static>: Send + Sync + 'static {
    /// Starts the call; the future makes it. `handle` is given for the methods of a handle resource.
    fn call(&self, store: StoreContextMut<'_, T>, handle: Option<Resource<H>>, request: Message) -> Outcome;
}

/// Links `name` to `imported`.
pub(super) fn link<T: Send + 'static, H: Send + Sync + 'static>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    signature: &Signature,
    imported: impl Imported<T, H>,
) -> Result<()> {
    let imported = Arc::new(imported);
    macro_rules! by_params {
        ($($count:literal)*) => {
            match (signature.params, signature.results.min(1)) {
                $(
                    ($count, 0) => link_as::<T, H, $count, 0>(linker, name, signature, imported),
                    ($count, _) => link_as::<T, H, $count, 1>(linker, name, signature, imported),
                )*
                (count, _) => unreachable!("a signature has at most 16 core values, not {count}"),
            }
        };
    }
    by_params!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

/// Links a function whose parameters are `P` core values and whose result is returned in `R`.
fn link_as<T: Send + 'static, H: Send + Sync + 'static, const P: usize, const R: usize>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    signature: &Signature,
    imported: Arc<impl Imported<T, H>>,
) -> Result<()> {
    match signature.style {
        CallStyle::Async => linker.func_wrap_concurrent(name, move |accessor: &Accessor<T>, args: Args<P, H>| {
            let block = KeepOnDrop(args.request.block().cloned());
            let outcome = accessor.with(|mut access| imported.call(access.as_context_mut(), args.handle, args.request));
            Box::pin(async move { Ok(Wire::<R>(settled(outcome, block).await?)) })
        }),
        CallStyle::Blocking => linker.func_wrap_async(name, move |store: StoreContextMut<'_, T>, args: Args<P, H>| {
            let block = KeepOnDrop(args.request.block().cloned());
            let outcome = imported.call(store, args.handle, args.request);
            Box::new(async move { Ok(Wire::<R>(settled(outcome, block).await?)) })
        }),
        CallStyle::Future { has_value } => {
            let start = move |mut store: StoreContextMut<'_, T>, args: Args<P, H>| {
                let block = KeepOnDrop(args.request.block().cloned());
                started(imported.call(store.as_context_mut(), args.handle, args.request), block)
            };
            match has_value {
                true => linker.func_wrap_async(name, move |mut store: StoreContextMut<'_, T>, args: Args<P, H>| {
                    let outcome = start(store.as_context_mut(), args);
                    Box::new(async move {
                        let outcome = outcome.await;
                        Ok((FutureReader::new(store, async move { outcome.await.map(Reply) })?,))
                    })
                }),
                false => linker.func_wrap_async(name, move |mut store: StoreContextMut<'_, T>, args: Args<P, H>| {
                    let outcome = start(store.as_context_mut(), args);
                    Box::new(async move {
                        let outcome = outcome.await;
                        Ok((FutureReader::new(store, async move { outcome.await.map(drop) })?,))
                    })
                }),
            }
        }
    }
}

/// Starts a call whose outcome the guest asks for later, or never: it goes on by itself, until the guest drops its end
/// of the future or the store ends.
async fn started(mut outcome: Outcome, block: KeepOnDrop) -> Outcome {
    let first = futures::poll!(&mut outcome);
    drop(block);
    match first {
        Poll::Ready(result) => Box::pin(async { result }),
        Poll::Pending => {
            let mut calls = JoinSet::new();
            calls.spawn(outcome);
            Box::pin(async move {
                let joined = calls.join_next().await.expect("the set has the one call");
                joined.unwrap_or_else(|error| Err(format_err!("the call ended early: {error}")))
            })
        }
    }
}

/// Polls `outcome` once, which is while the calling guest stands still, and ends the borrow of its block then.
///
/// wasmtime makes this first poll within the guest's call of the function, so nothing of the guest runs between
/// lifting and here, and a dropped future was either never polled or drops `block` and so ends the borrow too.
async fn settled(mut outcome: Outcome, block: KeepOnDrop) -> Result<Payload> {
    let first = futures::poll!(&mut outcome);
    drop(block);
    match first {
        Poll::Ready(result) => result,
        Poll::Pending => outcome.await,
    }
}
