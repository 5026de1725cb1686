//! The echo node in a store of its own, called by the host without lp-host: by typed bindings and by `Val`.

mod compute;
mod concurrent;
mod crowd;
mod plain;
mod val;

#[path = "../classes.rs"]
mod classes;
#[path = "../samples.rs"]
pub mod samples;

use std::path::Path;
use std::time::{Duration, Instant};

pub use bindings::concurrent::bench::calls::types;
pub use compute::Compute;
pub use concurrent::ConcurrentEcho;
pub use crowd::{Compiled, Crowd};
pub use plain::PlainEcho;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, Result, Store};

use super::nodes::Flavour;

mod bindings {
    //! What wasmtime generates for the echo nodes.

    pub mod concurrent {
        wasmtime::component::bindgen!({ world: "echo-node", path: "benches/wit/echo.wit" });
    }

    pub mod plain {
        wasmtime::component::bindgen!({
            world: "plain-echo-node",
            path: "benches/wit/echo.wit",
            exports: { default: async },
            with: { "bench:calls/types": super::concurrent::bench::calls::types },
        });
    }
}

/// The component in `path`, compiled with the settings that lp-host uses. What the guest's standard library imports of
/// WASI is left out, because an echo does not use it.
fn load(path: &Path, flavour: Flavour) -> Result<InstancePre<()>> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.wasm_component_model_async(flavour == Flavour::Async);
    config.concurrency_support(flavour == Flavour::Async);
    let engine = Engine::new(&config)?;
    let mut linker = Linker::new(&engine);
    let component = Component::from_file(&engine, path)?;
    linker.define_unknown_imports_as_traps(&component)?;
    linker.instantiate_pre(&component)
}

/// A store that no epoch interrupts.
fn store(engine: &Engine) -> Store<()> {
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    store.set_hostcall_fuel(usize::MAX);
    store
}

/// Runs futures of guests, which wait for nothing but themselves.
fn executor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("no thread has to be started")
}

/// Calls again with what came back, so that nothing is copied between calls.
async fn repeat<T, F: Future<Output = Result<T>>>(mut value: T, calls: u32, call: impl Fn(T) -> F) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..calls {
        value = call(value).await?;
    }
    Ok(start.elapsed())
}
