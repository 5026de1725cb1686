//! The two engines of a process, the memory they set aside, and the ticker that makes busy guests yield.

use std::sync::atomic::Ordering;

use lp_base::scheduler::{Scheduler, Ticking};
use lp_sandbox::{EPOCH_TICK, Kind, Ticks};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

/// What a fiber's stack has beside the guest's own: for host functions that it calls, which may poll the loops of the
/// nodes they call.
const HOST_STACK_BYTES: usize = 1536 * 1024;

/// What the replicas of one engine need at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Replicas, each a component instance with a store of its own.
    pub replicas: u32,
    /// Core instances, memories and tables of all of them.
    pub core_instances: u32,
    /// See `core_instances`.
    pub memories: u32,
    /// See `core_instances`.
    pub tables: u32,
    /// The largest memory that any of them may have, in bytes.
    pub memory_bytes_max: u64,
    /// The largest table that any of them may have.
    pub table_elements_max: u64,
}

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

/// An engine, and whether its instances come from a pool.
pub(super) struct Pooled {
    pub(super) engine: Engine,
    /// Why there is no pool, if there is none.
    pub(super) refused: Option<wasmtime::Error>,
}

/// Makes an engine whose pool is sized for `demand`, or one that allocates on demand where the pool can't be had.
pub(super) fn engine(key: EngineKey, demand: &Demand) -> Result<Pooled> {
    if demand.replicas > 0 {
        let mut config = config(key);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(demand)));
        match Engine::new(&config) {
            Ok(engine) => return Ok(Pooled { engine, refused: None }),
            Err(error) => return Ok(Pooled { engine: Engine::new(&self::config(key))?, refused: Some(error) }),
        }
    }
    Ok(Pooled { engine: Engine::new(&config(key))?, refused: None })
}

fn config(key: EngineKey) -> Config {
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
    config
}

fn pool(demand: &Demand) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(demand.replicas);
    pool.total_core_instances(demand.core_instances);
    pool.total_memories(demand.memories);
    pool.total_tables(demand.tables);
    // Every replica works on one fiber at a time, and calls of a concurrent one each take a fiber while they run.
    pool.total_stacks(demand.replicas.saturating_mul(2).max(1000));
    pool.max_memory_size(usize::try_from(demand.memory_bytes_max).unwrap_or(usize::MAX));
    // Components made by large toolchains exceed the defaults by far; the totals above are the limit that matters.
    pool.max_core_instances_per_component(demand.core_instances);
    pool.max_memories_per_component(demand.memories);
    pool.max_tables_per_component(demand.tables);
    pool.max_memories_per_module(demand.memories);
    pool.max_tables_per_module(demand.tables);
    pool.max_component_instance_size(16 * 1024 * 1024);
    pool.max_core_instance_size(16 * 1024 * 1024);
    pool.table_elements(usize::try_from(demand.table_elements_max).unwrap_or(usize::MAX));
    pool
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
