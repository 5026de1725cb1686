//! Components compiled, linked, instantiated and run: the one module that names wasmtime.
//!
//! A [`Runtime`] holds the engines of a process. [`Runtime::load`] compiles a component into [`Code`],
//! [`Code::link`] binds its imports to the host and to other nodes' mailboxes, [`LinkedComponent::start`] makes a [`Replica`]
//! of it with a store of its own, and [`Replica::serve`] runs that until its mailbox is closed.

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

mod cache;
mod engine;
mod export;
mod fibers;
mod footprint;
mod import;
mod peers;
mod replica;
mod room;
mod signature;
mod stack;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use cache::{CACHE_BYTES_MAX, CacheError, CacheUsage, CompileCache};
pub use engine::EngineKey;
use engine::Ticker;
use lp_base::replica::{Failure, ReplicaSpec};
use lp_base::scheduler::Scheduler;
use lp_sandbox::{GrantError, Kind, State, Ticks};
pub use peers::{EdgeSpec, HandleSpec, MethodSpec, TargetSpec};
pub use replica::Replica;
use room::Demand;
pub use room::NoRoom;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};
#[cfg(feature = "fuzzing")]
pub use wire::check_decoding;

/// The engines of a process.
pub struct Runtime {
    engines: HashMap<EngineKey, Engine>,
    cache: Option<CompileCache>,
    ticker: Ticker,
}

/// A component's bytes and the number of replicas that will be made of it.
pub struct Source<'a> {
    /// The component.
    pub bytes: &'a [u8],
    /// Which engine it runs on.
    pub engine: EngineKey,
    /// Replicas that will run at once in this process.
    pub replicas: u32,
}

/// Why a process can't run components at all.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// wasmtime refused to make an engine.
    #[error("failed to set up the wasm engine: {0}")]
    Engine(String),
    /// There are more replicas than one process has room for.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The thread that makes busy guests yield could not be started.
    #[error("failed to start the epoch thread")]
    Ticker(#[source] std::io::Error),
}

/// Why a component can't be compiled or linked.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are no component that this version of the host can run.
    #[error("failed to compile `{}`: {reason}", .path.display())]
    Compile {
        /// The component's file.
        path: PathBuf,
        /// What the compiler said.
        reason: String,
    },
    /// An import has nothing to satisfy it.
    #[error("failed to link `{node}`: {reason}")]
    Link {
        /// The node.
        node: String,
        /// What the linker said.
        reason: String,
    },
}

/// Why a replica can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A granted file or directory can't be opened.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The guest's initialisation failed.
    #[error("{}", .0.summary)]
    Guest(Failure),
    /// The component lacks an export that the program was checked to have.
    #[error("{0}")]
    Exports(wasmtime::Error),
}

impl Runtime {
    /// Makes the engines for `sources`. Busy guests yield as the time of `scheduler` passes.
    ///
    /// # Errors
    /// If this process has no room for as many replicas of them.
    pub fn new<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
        cache: Option<CompileCache>,
        scheduler: &Scheduler,
    ) -> Result<Self, RuntimeError> {
        let (mut engines, mut demand) = (HashMap::new(), Demand::default());
        for Source { bytes, engine: key, replicas } in sources {
            demand.add(replicas, footprint::memories(bytes));
            if let Entry::Vacant(entry) = engines.entry(key) {
                let engine = engine::engine(key).map_err(|error| RuntimeError::Engine(format!("{error:#}")))?;
                entry.insert(engine);
            }
        }
        demand.check()?;
        let ticker = Ticker::start(engines.values().cloned().collect(), scheduler).map_err(RuntimeError::Ticker)?;
        Ok(Self { engines, cache, ticker })
    }

    /// Compiles the component in `bytes`, which were read from `path`, on all cores, or takes it from the compile cache.
    /// `begun` is told before it is compiled, which takes seconds for large ones.
    ///
    /// # Panics
    ///
    /// If the runtime was made without a source for that engine.
    pub fn load(&self, path: &Path, bytes: &[u8], key: EngineKey, begun: impl FnOnce()) -> Result<Code, LoadError> {
        let engine = &self.engines[&key];
        let compiled = match &self.cache {
            Some(cache) => cache.load(engine, bytes, begun),
            None => {
                begun();
                Component::new(engine, bytes)
            }
        };
        let reason = |error| LoadError::Compile { path: path.to_owned(), reason: format!("{error:#}") };
        let component = compiled.map_err(reason)?;
        Ok(Code { component, kind: key.kind, ticks: self.ticker.ticks().clone() })
    }
}

/// A compiled component.
pub struct Code {
    component: Component,
    kind: Kind,
    ticks: Ticks,
}

impl Code {
    /// Binds the component's imports: to the host, and to other nodes by `edges`.
    pub fn link(&self, node: &str, edges: &[EdgeSpec]) -> Result<LinkedComponent, LoadError> {
        let engine = self.component.engine();
        let mut linker = Linker::new(engine);
        let linked = lp_sandbox::add_to_linker(&mut linker, &self.component, self.kind)
            .and_then(|()| peers::add_to_linker(&mut linker, engine, &self.component, edges))
            .and_then(|()| linker.instantiate_pre(&self.component));
        let reason = |error| LoadError::Link { node: node.to_owned(), reason: format!("{error:#}") };
        let pre = linked.map_err(reason)?;
        Ok(LinkedComponent { pre, kind: self.kind, ticks: self.ticks.clone() })
    }
}

/// A component with all its imports bound, from which replicas are made.
pub struct LinkedComponent {
    pre: InstancePre<State>,
    kind: Kind,
    ticks: Ticks,
}

impl LinkedComponent {
    /// Makes a replica; the guest's initialisation runs.
    pub async fn start(&self, spec: Arc<ReplicaSpec>) -> Result<Replica, StartError> {
        Replica::start(self, spec).await
    }
}
