//! Components compiled, linked, instantiated and run: the one module that names wasmtime.
//!
//! A [`Runtime`] holds the engines of a process. [`Runtime::load`] compiles a component into [`Code`],
//! [`Code::link`] binds its imports to the host and to other nodes' mailboxes, [`Linked::start`] makes a [`Replica`]
//! of it with a store of its own, and [`Replica::serve`] runs that until its mailbox is closed.

mod cache;
mod clock;
mod denials;
mod engine;
mod export;
mod files;
mod footprint;
mod host;
mod http;
mod import;
mod limits;
mod meter;
mod output;
mod peers;
mod random;
mod replica;
mod signature;
mod sockets;
mod stack;
mod state;
mod stop;
mod wire;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

pub use cache::{CacheError, CompileCache};
pub use engine::{EPOCH_TICK, EngineKey, Kind};
pub use host::serves;
pub use output::{LINE_BYTES_MAX, LineSink, Outputs, Stream};
pub use peers::{EdgeSpec, HandleSpec, MethodSpec, TargetSpec};
pub use replica::{Ended, Failure, Replica};
pub use stop::Stop;
#[cfg(feature = "fuzzing")]
pub use wire::check_decoding;

use crate::courier::Mailbox;
use crate::plan::{LimitsPlan, NodePlan, NodeSecrets};
use engine::{Demand, Ticker};
use meter::Ticks;
use state::State;

/// The engines of a process, with memory set aside for the replicas that will run in it.
pub struct Runtime {
    engines: HashMap<EngineKey, Engine>,
    cache: Option<CompileCache>,
    warnings: Vec<String>,
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
    /// What each of them may use.
    pub limits: &'a LimitsPlan,
}

/// Why a process can't run components at all.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// wasmtime refused to make an engine.
    #[error("failed to set up the wasm engine: {0}")]
    Engine(String),
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
    #[error("failed to open the granted `{}`", .path.display())]
    Grant {
        /// The file or directory on the host.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The guest's initialisation failed.
    #[error("{}", .0.summary)]
    Guest(Failure),
    /// The component lacks an export that the program was checked to have.
    #[error("{0}")]
    Exports(wasmtime::Error),
}

/// What the replicas of one program share.
pub struct ProgramInfo {
    /// The program's name.
    pub name: String,
    /// The launch type as guests are told it.
    pub launch_type: String,
    /// The program's stop request.
    pub stop: Stop,
    /// Whether a replica that has failed may come back, since its node may be rebuilt.
    pub watched: bool,
}

/// Everything that makes one replica different from another.
pub struct ReplicaSpec {
    /// The program.
    pub program: Arc<ProgramInfo>,
    /// The node.
    pub node: Arc<NodePlan>,
    /// What the guest is given that its plan does not say.
    pub secrets: Arc<NodeSecrets>,
    /// The replica's place among those of its node, from 0.
    pub index: u32,
    /// The replica's queue of calls.
    pub mailbox: Arc<Mailbox>,
    /// Asks this replica alone to stop, while the program goes on.
    pub stop: Stop,
    /// Where its output goes.
    pub sink: Arc<dyn LineSink>,
    /// How large its memories are, in bytes: kept up to date for whoever wants to know.
    pub memory_bytes: Arc<AtomicU64>,
}

impl ReplicaSpec {
    /// Whether the replica has been asked to stop, alone or with the program.
    pub fn stop_requested(&self) -> bool {
        self.program.stop.is_requested() || self.stop.is_requested()
    }
}

impl Runtime {
    /// Makes the engines, with pools sized for `sources`. Where a pool can't be had, instances are allocated on demand
    /// and [`Self::warnings`] says so.
    pub fn new<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
        cache: Option<CompileCache>,
    ) -> Result<Self, RuntimeError> {
        let mut demands: HashMap<EngineKey, Demand> = HashMap::new();
        for source in sources {
            footprint::add(demands.entry(source.engine).or_default(), source.bytes, source.replicas, source.limits);
        }
        let (mut engines, mut warnings) = (HashMap::new(), Vec::new());
        for (key, demand) in demands {
            let pooled = engine::engine(key, &demand).map_err(|error| RuntimeError::Engine(format!("{error:#}")))?;
            if let Some(refused) = pooled.refused {
                warnings.push(format!("instances are allocated one by one, which is slower: no pool: {refused:#}"));
            }
            engines.insert(key, pooled.engine);
        }
        let ticker = Ticker::start(engines.values().cloned().collect()).map_err(RuntimeError::Ticker)?;
        Ok(Self { engines, cache, warnings, ticker })
    }

    /// What a user should know of this runtime.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
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
        let exports = component.component_type();
        let run_export = exports.exports(engine).map(|(name, _)| name).find(|name| name.starts_with("wasi:cli/run@"));
        let run_export = run_export.map(str::to_owned);
        Ok(Code { component, kind: key.kind, run_export, ticks: self.ticker.ticks().clone() })
    }
}

/// A compiled component.
pub struct Code {
    component: Component,
    kind: Kind,
    run_export: Option<String>,
    ticks: Ticks,
}

impl Code {
    /// Binds the component's imports: to the host, and to other nodes by `edges`.
    pub fn link(&self, node: &str, edges: &[EdgeSpec]) -> Result<Linked, LoadError> {
        let engine = self.component.engine();
        let mut linker = Linker::new(engine);
        let linked = host::add_to_linker(&mut linker, &self.component, self.kind)
            .and_then(|()| peers::add_to_linker(&mut linker, engine, &self.component, edges))
            .and_then(|()| linker.instantiate_pre(&self.component));
        let reason = |error| LoadError::Link { node: node.to_owned(), reason: format!("{error:#}") };
        let pre = linked.map_err(reason)?;
        Ok(Linked { pre, kind: self.kind, run_export: self.run_export.clone(), ticks: self.ticks.clone() })
    }
}

/// A component with all its imports bound, from which replicas are made.
pub struct Linked {
    pre: InstancePre<State>,
    kind: Kind,
    run_export: Option<String>,
    ticks: Ticks,
}

impl Linked {
    /// Makes a replica; the guest's initialisation runs.
    pub async fn start(&self, spec: Arc<ReplicaSpec>) -> Result<Replica, StartError> {
        Replica::start(self, spec).await
    }
}
