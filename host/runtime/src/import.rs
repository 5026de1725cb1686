//! Imported functions that hand a request message to the host and take a response message from it.

use std::pin::Pin;
use std::sync::Arc;

use lp_base::scheduler::Scheduler;
use lp_courier::{CallError, KeepOnDrop, Message};
use lp_sandbox::CallStyle;
use wasmtime::component::{Accessor, FutureReader, Lift, LinkerInstance, Lower, Resource};
use wasmtime::{AsContextMut, Result, StoreContextMut, format_err};

use super::signature::Signature;
use super::wire::{Args, Payload, Reply, Room, Wire};

/// What has become of a call that the host makes for a guest.
pub(super) enum Outcome {
    /// It is over.
    Settled(Result<Payload>),
    /// It goes on, and borrows nothing of the store.
    UnderWay(Pin<Box<dyn Future<Output = Result<Payload>> + Send>>),
}

impl Outcome {
    async fn settled(self) -> Result<Payload> {
        match self {
            Self::Settled(result) => result,
            Self::UnderWay(call) => call.await,
        }
    }
}

/// What the host does with a call of an imported function.
pub(super) trait Imported<T: 'static, H: 'static>: Send + Sync + 'static {
    /// Makes the call as far as it goes at once. `handle` is given for the methods of a handle resource. A request that was
    /// larger than its limit is an error: the call fails with it.
    fn call(
        &self,
        store: StoreContextMut<'_, T>,
        handle: Option<Resource<H>>,
        request: Result<Message, CallError>,
    ) -> Outcome;

    /// Where the tasks of a store come from, for calls that go on by themselves.
    fn scheduler<'a>(&self, data: &'a T) -> &'a Scheduler;

    /// The bytes that a result may become in the memory of the guest of `store`.
    fn room(&self, store: &T) -> u64;
}

/// Links `name` to `imported`.
///
/// wasmtime compiles its glue anew for each number of core values that arguments and a result are passed in, so as little
/// as possible depends on these: a result in a `future` is always passed by it, and `imported` is called through a pointer.
pub(super) fn link<T: Send + 'static, H: Send + Sync + 'static>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    signature: &Signature,
    imported: Arc<dyn Imported<T, H>>,
) -> Result<()> {
    macro_rules! by_size {
        ($($params:literal)*) => {
            match (signature.params, signature.results.min(1), signature.style) {
                $(
                    ($params, 0, CallStyle::Async) => link_async::<T, H, $params, 0>(linker, name, imported),
                    ($params, _, CallStyle::Async) => link_async::<T, H, $params, 1>(linker, name, imported),
                    ($params, 0, CallStyle::Blocking) => link_blocking::<T, H, $params, 0>(linker, name, imported),
                    ($params, _, CallStyle::Blocking) => link_blocking::<T, H, $params, 1>(linker, name, imported),
                    ($params, _, CallStyle::Future { has_value: true }) => {
                        link_future::<T, H, $params, _>(linker, name, imported, reply)
                    }
                    ($params, _, CallStyle::Future { has_value: false }) => {
                        link_future::<T, H, $params, _>(linker, name, imported, nothing)
                    }
                )*
                (params, ..) => unreachable!("a signature has at most 16 core values, not {params}"),
            }
        };
    }
    by_size!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

/// Links an `async func` whose parameters are `P` core values and whose result is returned in `R`.
fn link_async<T: Send + 'static, H: Send + Sync + 'static, const P: usize, const R: usize>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    imported: Arc<dyn Imported<T, H>>,
) -> Result<()> {
    let room = Room::of_results();
    linker.func_wrap_concurrent(name, move |accessor: &Accessor<T>, args: Args<P, H>| {
        let begun = accessor.with(|mut access| begun(&*imported, access.as_context_mut(), args));
        let room = room.bytes(begun.room);
        Box::pin(async move { Ok(Wire::<R>::new(begun.outcome.settled().await?, room)) })
    })
}

/// Links a `func` that blocks its caller.
fn link_blocking<T: Send + 'static, H: Send + Sync + 'static, const P: usize, const R: usize>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    imported: Arc<dyn Imported<T, H>>,
) -> Result<()> {
    let room = Room::of_results();
    linker.func_wrap_async(name, move |store: StoreContextMut<'_, T>, args: Args<P, H>| {
        let begun = begun(&*imported, store, args);
        let room = room.bytes(begun.room);
        Box::new(async move { Ok(Wire::<R>::new(begun.outcome.settled().await?, room)) })
    })
}

/// Links a `func` that returns a `future`, whose value `value` makes of the outcome.
fn link_future<T: Send + 'static, H: Send + Sync + 'static, const P: usize, V>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    imported: Arc<dyn Imported<T, H>>,
    value: fn(Payload, Room) -> V,
) -> Result<()>
where
    V: Lower + Lift + Send + Sync + 'static,
{
    let room = Room::of_results();
    linker.func_wrap_async(name, move |mut store: StoreContextMut<'_, T>, args: Args<P, H>| {
        let begun = begun(&*imported, store.as_context_mut(), args);
        let room = room.bytes(begun.room);
        let scheduler = imported.scheduler(store.data()).clone();
        let outcome = by_itself(begun.outcome, &scheduler);
        Box::new(async move {
            Ok((FutureReader::new(store, async move { outcome.settled().await.map(|payload| value(payload, room)) })?,))
        })
    })
}

fn reply(payload: Payload, room: Room) -> Reply {
    Reply { payload, room }
}

fn nothing(_: Payload, _: Room) {}

/// A call that has begun.
struct Begun {
    outcome: Outcome,
    /// The bytes that its result may become.
    room: u64,
}

/// Begins a call while the calling guest stands still, and ends the borrow of its block then.
fn begun<T: 'static, H: 'static, const P: usize>(
    imported: &dyn Imported<T, H>,
    store: StoreContextMut<'_, T>,
    args: Args<P, H>,
) -> Begun {
    let _block = KeepOnDrop(args.request.as_ref().ok().and_then(Message::block).cloned());
    let room = imported.room(store.data());
    Begun { outcome: imported.call(store, args.handle, args.request), room }
}

/// Has a call go on by itself whose outcome the guest asks for later, or never: until the guest drops its end of the future or
/// the store ends.
fn by_itself(outcome: Outcome, scheduler: &Scheduler) -> Outcome {
    match outcome {
        Outcome::Settled(result) => Outcome::Settled(result),
        Outcome::UnderWay(call) => {
            let call = scheduler.spawn(call);
            let joined =
                async move { call.await.unwrap_or_else(|error| Err(format_err!("the call ended early: {error}"))) };
            Outcome::UnderWay(Box::pin(joined))
        }
    }
}
