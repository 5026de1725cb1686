//! The sleeps of guests, in the time of their worker. wasmtime-wasi has the clocks as traits, but sleeps by the system's.

use std::time::{Duration, Instant};

use lp_base::scheduler::Scheduler;
use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::clocks::WasiClocksView;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::state::State;

/// Adds what WASI 0.2 waits for.
pub fn add_p2_to_linker(linker: &mut Linker<State>) -> Result<()> {
    use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::Host;

    let mut clock = linker.instance("wasi:clocks/monotonic-clock@0.2.12")?;
    clock.func_wrap("subscribe-instant", |mut store: StoreContextMut<'_, State>, (when,): (u64,)| {
        let now = Host::now(&mut store.data_mut().clocks())?;
        Ok((subscribe_after(store.data_mut(), when.saturating_sub(now))?,))
    })?;
    clock.func_wrap("subscribe-duration", |mut store: StoreContextMut<'_, State>, (when,): (u64,)| {
        Ok((subscribe_after(store.data_mut(), when)?,))
    })
}

/// The same for WASI 0.3.
pub fn add_p3_to_linker(linker: &mut Linker<State>) -> Result<()> {
    use wasmtime_wasi::p3::bindings::clocks::monotonic_clock::Host;

    let mut clock = linker.instance("wasi:clocks/monotonic-clock@0.3.0")?;
    clock.func_wrap_concurrent("wait-until", |accessor, (when,): (u64,)| {
        Box::pin(async move {
            let (scheduler, now) = accessor.with(|mut access| {
                let state = access.get();
                wasmtime::error::Ok((state.spec.scheduler.clone(), Host::now(&mut state.clocks())?))
            })?;
            if when > now {
                scheduler.sleep(Duration::from_nanos(when - now)).await;
            }
            Ok(())
        })
    })?;
    clock.func_wrap_concurrent("wait-for", |accessor, (time,): (u64,)| {
        Box::pin(async move {
            let scheduler = accessor.with(|mut access| access.get().spec.scheduler.clone());
            match time {
                // Whoever waits for no time lets others go first: a guest can give one of its tasks a turn by it.
                0 => tokio::task::yield_now().await,
                _ => scheduler.sleep(Duration::from_nanos(time)).await,
            }
            Ok(())
        })
    })
}

fn subscribe_after(state: &mut State, time_ns: u64) -> Result<Resource<DynPollable>> {
    let scheduler = state.spec.scheduler.clone();
    let deadline = match Duration::from_nanos(time_ns) {
        Duration::ZERO => Deadline::Past { yielded: false },
        time => match scheduler.now().checked_add(time) {
            Some(at) => Deadline::At(scheduler, at),
            None => Deadline::Never,
        },
    };
    let deadline = state.table.push(deadline)?;
    subscribe(&mut state.table, deadline)
}

/// What a guest polls to wait for a time.
enum Deadline {
    Past { yielded: bool },
    At(Scheduler, Instant),
    Never,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        match self {
            Self::Past { yielded: true } => {}
            // A guest that polls over and over without waiting lets the host look at sockets in between.
            Self::Past { yielded } => {
                *yielded = true;
                tokio::task::yield_now().await;
            }
            Self::At(scheduler, at) => scheduler.sleep_until(*at).await,
            Self::Never => std::future::pending().await,
        }
    }
}
