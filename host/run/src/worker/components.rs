//! The compiled components of a worker, each once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lp_base::plan::{ComponentFiles, ComponentPlan, NodePlan, Plan, ReplicaId};
use lp_base::scheduler::Scheduler;
use lp_base::words::Digest;
use lp_component::component::{self, Component};
use lp_runtime::{Code, CompileCache, EngineKey, LoadError, Runtime, Source};
use lp_sandbox::Kind;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::WorkerError;

/// What a worker tells of a component that it compiles, since that takes many seconds for the largest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Compiling {
    /// It is sent to a host.
    Sending {
        /// Its file.
        component: PathBuf,
        /// The size of the file.
        bytes_len: u64,
        /// The host.
        host: String,
    },
    /// It is there.
    Sent {
        /// Its file.
        component: PathBuf,
        /// The host.
        host: String,
    },
    /// It is not in the cache.
    Begun {
        /// Its file.
        component: PathBuf,
        /// The size of the file.
        bytes_len: u64,
        /// The host that compiles it, if it is another one.
        host: Option<String>,
    },
    /// It is compiled.
    Ended {
        /// Its file.
        component: PathBuf,
        /// How long that took.
        elapsed: Duration,
        /// The host that compiled it, if it is another one.
        host: Option<String>,
    },
}

impl Compiling {
    /// The file of the component.
    pub fn component(&self) -> &Path {
        match self {
            Self::Sending { component, .. }
            | Self::Sent { component, .. }
            | Self::Begun { component, .. }
            | Self::Ended { component, .. } => component,
        }
    }
}

/// A component that was read.
pub(super) struct Loaded {
    /// Where from.
    pub file: PathBuf,
    /// The whole file.
    pub bytes: Vec<u8>,
}

pub(super) struct Components {
    pub runtime: Arc<Runtime>,
    /// By what is compiled, since nodes may have the same component in different files.
    codes: HashMap<(Digest, EngineKey), Code>,
    /// The components of the nodes that listen, whose types are read once more.
    listening: HashMap<Digest, Loaded>,
}

impl Components {
    /// Loads the components of the nodes that `replicas` are of, and tells `compiling` of those that take time.
    pub fn load(
        plan: &Plan,
        files: &ComponentFiles,
        replicas: &[ReplicaId],
        cache: Option<CompileCache>,
        compiling: &mpsc::UnboundedSender<Compiling>,
        scheduler: &Scheduler,
    ) -> Result<Self, WorkerError> {
        let mut counts: HashMap<u32, u32> = HashMap::new();
        replicas.iter().for_each(|replica| *counts.entry(replica.node.0).or_default() += 1);
        let own = (0..).zip(&plan.nodes).filter(|(index, _)| counts.contains_key(index));
        let nodes: Vec<_> = own.filter_map(|(index, node)| Some((index, node, node.component()?))).collect();
        let mut loaded: HashMap<Digest, Loaded> = HashMap::new();
        for (_, _, component) in &nodes {
            if let Entry::Vacant(entry) = loaded.entry(component.sha256) {
                entry.insert(read(component.sha256, files)?);
            }
        }
        let sources = nodes.iter().map(|(index, node, component)| Source {
            bytes: &loaded[&component.sha256].bytes,
            engine: engine(node, component),
            replicas: counts[index],
        });
        let runtime = Runtime::new(sources, cache, scheduler)?;
        let mut codes = HashMap::new();
        for (_, node, component) in &nodes {
            let engine = engine(node, component);
            if let Entry::Vacant(entry) = codes.entry((component.sha256, engine)) {
                entry.insert(load(&runtime, &loaded[&component.sha256], engine, compiling, scheduler)?);
            }
        }
        let listening = nodes.iter().filter(|(_, node, _)| node.listen.is_some());
        let listening: HashSet<_> = listening.map(|(_, _, component)| component.sha256).collect();
        loaded.retain(|digest, _| listening.contains(digest));
        Ok(Self { runtime: Arc::new(runtime), codes, listening: loaded })
    }

    /// Whether `cache` has the components of all nodes, as far as they can be read.
    pub fn are_compiled(plan: &Plan, files: &ComponentFiles, cache: &CompileCache) -> bool {
        let mut looked_for = HashSet::new();
        plan.nodes.iter().filter_map(|node| Some((node, node.component()?))).all(|(node, component)| {
            let engine = engine(node, component);
            !looked_for.insert((component.sha256, engine))
                || files
                    .of(component.sha256)
                    .is_ok_and(|file| Component::read_bytes(file).is_ok_and(|bytes| cache.has(engine, &bytes)))
        })
    }

    /// The component of a node that a replica of this worker is of.
    pub fn code(&self, node: &NodePlan, component: &ComponentPlan) -> &Code {
        let key = (component.sha256, engine(node, component));
        self.codes.get(&key).expect("every component of the worker's nodes was loaded")
    }

    /// The component of a node that listens, as it was read.
    pub fn read(&self, component: &ComponentPlan) -> &Loaded {
        self.listening.get(&component.sha256).expect("the components of nodes that listen are kept")
    }
}

/// Reads the component, if it is still the one that the program was checked with.
pub(super) fn read(sha256: Digest, files: &ComponentFiles) -> Result<Loaded, WorkerError> {
    let file = files.of(sha256)?.to_owned();
    let bytes = match Component::read_bytes(&file) {
        Ok(bytes) => bytes,
        Err(source) => return Err(WorkerError::Read { path: file, source }),
    };
    let found = Digest::of(&bytes);
    if found != sha256 {
        return Err(WorkerError::Changed { path: file, checked: sha256, found });
    }
    Ok(Loaded { file, bytes })
}

/// What a component exports, by its digest: that of a file, or of what the host itself has.
pub(super) fn described(sha256: Digest, files: &ComponentFiles) -> Result<Arc<Component>, WorkerError> {
    let replay = component::replay();
    if replay.sha256 == sha256 {
        return Ok(replay);
    }
    let Loaded { file, bytes } = read(sha256, files)?;
    let parsed = Component::parse(&file, &bytes).map_err(|source| WorkerError::Read { path: file, source })?;
    Ok(Arc::new(parsed))
}

fn load(
    runtime: &Runtime,
    Loaded { file, bytes }: &Loaded,
    engine: EngineKey,
    compiling: &mpsc::UnboundedSender<Compiling>,
    scheduler: &Scheduler,
) -> Result<Code, LoadError> {
    let mut begun = None;
    let code = runtime.load(file, bytes, engine, || {
        begun = Some(scheduler.stopwatch());
        // Nobody has to listen.
        let _ = compiling.send(Compiling::Begun { component: file.clone(), bytes_len: bytes.len() as u64, host: None });
    });
    if let Some(begun) = begun {
        let _ = compiling.send(Compiling::Ended { component: file.clone(), elapsed: begun.elapsed(), host: None });
    }
    code
}

fn engine(node: &NodePlan, component: &ComponentPlan) -> EngineKey {
    EngineKey {
        kind: if component.uses_async { Kind::Concurrent } else { Kind::Plain },
        stack_bytes: node.limits.stack_bytes,
        fuel: node.limits.fuel.is_some(),
    }
}
