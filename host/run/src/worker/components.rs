//! The compiled components of a worker, each once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lp_base::plan::{ComponentPlan, NodePlan, Plan, ReplicaId};
use lp_base::words::Digest;
use lp_component::component::Component;
use lp_runtime::{Code, CompileCache, EngineKey, LoadError, Runtime, Source};
use lp_sandbox::Kind;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::WorkerError;

/// What a worker tells of a component that it compiles, since that takes many seconds for the largest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Compiling {
    /// It is not in the cache.
    Begun {
        /// Its file.
        component: PathBuf,
        /// The size of the file.
        bytes_len: u64,
    },
    /// It is compiled.
    Ended {
        /// Its file.
        component: PathBuf,
        /// How long that took.
        elapsed: Duration,
    },
}

impl Compiling {
    /// The file of the component.
    pub fn component(&self) -> &Path {
        match self {
            Self::Begun { component, .. } | Self::Ended { component, .. } => component,
        }
    }
}

pub(super) struct Components {
    pub runtime: Arc<Runtime>,
    /// By what is compiled, since nodes may have the same component in different files.
    codes: HashMap<(Digest, EngineKey), Code>,
    /// The files of the nodes that listen, whose types are read once more.
    listening: HashMap<PathBuf, Vec<u8>>,
}

impl Components {
    /// Loads the components of the nodes that `replicas` are of, and tells `compiling` of those that take time.
    pub fn load(
        plan: &Plan,
        replicas: &[ReplicaId],
        cache: Option<CompileCache>,
        compiling: &mpsc::UnboundedSender<Compiling>,
    ) -> Result<Self, WorkerError> {
        let mut counts: HashMap<u32, u32> = HashMap::new();
        replicas.iter().for_each(|replica| *counts.entry(replica.node.0).or_default() += 1);
        let own = (0..).zip(&plan.nodes).filter(|(index, _)| counts.contains_key(index));
        let nodes: Vec<_> = own.filter_map(|(index, node)| Some((index, node, node.component()?))).collect();
        let mut files: HashMap<&Path, Vec<u8>> = HashMap::new();
        for (_, _, component) in &nodes {
            if !files.contains_key(component.file.as_path()) {
                let path = || component.file.clone();
                let bytes = Component::read_bytes(&component.file)
                    .map_err(|source| WorkerError::Read { path: path(), source })?;
                let found = Digest::of(&bytes);
                if found != component.sha256 {
                    return Err(WorkerError::Changed { path: path(), checked: component.sha256, found });
                }
                files.insert(&component.file, bytes);
            }
        }
        let sources = nodes.iter().map(|(index, node, component)| Source {
            bytes: &files[component.file.as_path()],
            engine: engine(node, component),
            replicas: counts[index],
        });
        let runtime = Runtime::new(sources, cache)?;
        let mut codes = HashMap::new();
        for (_, node, component) in &nodes {
            let engine = engine(node, component);
            if let Entry::Vacant(entry) = codes.entry((component.sha256, engine)) {
                let (file, bytes) = (&component.file, &files[component.file.as_path()]);
                entry.insert(load(&runtime, file, bytes, engine, compiling)?);
            }
        }
        let listens =
            |path: &Path| nodes.iter().any(|(_, node, component)| node.listen.is_some() && component.file == path);
        files.retain(|path, _| listens(path));
        let listening = files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect();
        Ok(Self { runtime: Arc::new(runtime), codes, listening })
    }

    /// Whether `cache` has the components of all nodes, as far as they can be read.
    pub fn are_compiled(plan: &Plan, cache: &CompileCache) -> bool {
        let mut looked_for = HashSet::new();
        plan.nodes.iter().filter_map(|node| Some((node, node.component()?))).all(|(node, component)| {
            let engine = engine(node, component);
            !looked_for.insert((component.sha256, engine))
                || Component::read_bytes(&component.file).is_ok_and(|bytes| cache.has(engine, &bytes))
        })
    }

    /// The component of a node that a replica of this worker is of.
    pub fn code(&self, node: &NodePlan, component: &ComponentPlan) -> &Code {
        let key = (component.sha256, engine(node, component));
        self.codes.get(&key).expect("every component of the worker's nodes was loaded")
    }

    /// The file of a node that listens.
    pub fn bytes(&self, component: &ComponentPlan) -> &[u8] {
        self.listening.get(&component.file).expect("the files of nodes that listen are kept")
    }
}

fn load(
    runtime: &Runtime,
    component: &Path,
    bytes: &[u8],
    engine: EngineKey,
    compiling: &mpsc::UnboundedSender<Compiling>,
) -> Result<Code, LoadError> {
    let mut begun = None;
    let code = runtime.load(component, bytes, engine, || {
        begun = Some(Instant::now());
        // Nobody has to listen.
        let _ = compiling.send(Compiling::Begun { component: component.to_owned(), bytes_len: bytes.len() as u64 });
    });
    if let Some(begun) = begun {
        let _ = compiling.send(Compiling::Ended { component: component.to_owned(), elapsed: begun.elapsed() });
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
