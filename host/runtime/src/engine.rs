//! The two engines of a process, and the ticker that makes busy guests yield.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lp_base::scheduler::{Scheduler, Ticking};
use lp_sandbox::{EPOCH_TICK, Kind, Ticks};
use wasmtime::{Config, Engine, Result};

use super::fibers::Stacks;

/// What a fiber's stack has beside the guest's own: for host functions that it calls, which may poll the loops of the
/// nodes they call.
const HOST_STACK_BYTES: usize = 1536 * 1024;

/// Which engine a component runs on: what can't be different for two components of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EngineKey {
    /// What the component needs of it.
    pub kind: Kind,
    /// The stack that a guest has.
    pub stack_bytes: u64,
    /// Whether it counts fuel, which makes guests slower.
    pub fuel: bool,
}

/// Makes an engine, which has the stacks of its guests to itself.
///
/// Its instances are not from a pool: a replica is instantiated once in its life, so that a pool would save next to nothing,
/// and what one replica takes of a pool, others lack.
pub(super) fn engine(key: EngineKey) -> Result<Engine> {
    let EngineKey { kind, stack_bytes, fuel } = key;
    let stack_bytes = usize::try_from(stack_bytes).unwrap_or(usize::MAX / 2);
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.max_wasm_stack(stack_bytes);
    config.async_stack_size(stack_bytes + HOST_STACK_BYTES);
    config.consume_fuel(fuel);
    config.wasm_component_model_async(kind == Kind::Concurrent);
    config.concurrency_support(kind == Kind::Concurrent);
    // Guests' own line numbers are read from their debug information when a trap is shown, not kept by the engine.
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable);
    config.with_host_stack(Arc::new(Stacks::default()));
    Engine::new(&config)
}

/// Advances the epochs of the engines as time passes, until it is dropped.
pub(super) struct Ticker {
    _ticking: Ticking,
    ticks: Ticks,
}

impl Ticker {
    pub(super) fn start(engines: Vec<Engine>, scheduler: &Scheduler) -> std::io::Result<Self> {
        let ticks = Ticks::default();
        let counted = ticks.clone();
        let ticking = scheduler.every("epochs", EPOCH_TICK, move |periods| {
            counted.fetch_add(periods, Ordering::Relaxed);
            engines.iter().for_each(Engine::increment_epoch);
        })?;
        Ok(Self { _ticking: ticking, ticks })
    }

    /// Its ticks so far.
    pub(super) fn ticks(&self) -> &Ticks {
        &self.ticks
    }
}
