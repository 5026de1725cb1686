//! What a store holds for its replica: WASI, limits, who it is, and the calls it works on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::component::{GuestTaskId, ResourceTable};
use wasmtime::{ResourceLimiter, Result};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;

use super::denials::Denials;
use super::files::Files;
use super::http::HttpClient;
use super::output::{LineWriter, Stream};
use super::{ReplicaSpec, StartError, clock, random, sockets};
use crate::courier::{Origin, ReplicaIndex};

/// The data of a replica's store.
pub(super) struct State {
    wasi: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) files: Files,
    pub(super) http: HttpClient,
    pub(super) denials: Denials,
    pub(super) config: WasiConfigVariables,
    pub(super) limits: MemoryLimit,
    pub(super) spec: Arc<ReplicaSpec>,
    pub(super) output: [LineWriter; 2],
    /// The origin of blocking calls that came through nothing but this replica.
    pub(super) held: Arc<Origin>,
    /// What the call that the store works on came through, in a store that works on one call at a time.
    pub(super) current: Option<Arc<Origin>>,
    /// What the calls came through that a concurrent store works on; those that came through nothing are left out.
    pub(super) origins: HashMap<GuestTaskId, Arc<Origin>>,
}

impl State {
    pub(super) fn new(spec: Arc<ReplicaSpec>) -> Result<Self, StartError> {
        let stdout = LineWriter::new(Stream::Stdout, spec.sink.clone());
        let stderr = LineWriter::new(Stream::Stderr, spec.sink.clone());
        let node = &spec.node;
        let mut wasi = WasiCtx::builder();
        wasi.stdout(stdout.clone()).stderr(stderr.clone());
        wasi.arg(&node.name).args(&node.args);
        wasi.envs(&node.env.iter().collect::<Vec<_>>());
        let secrets = &spec.secrets;
        wasi.envs(&secrets.env.iter().map(|(name, value)| (name, value.expose())).collect::<Vec<_>>());
        let denials = Denials::new(spec.mailbox.label(), spec.sink.clone());
        sockets::judge(&mut wasi, &node.sandbox.network, &denials);
        clock::set(&mut wasi, node.sandbox.clock);
        random::set(&mut wasi, node.sandbox.random, spec.mailbox.label());
        let config = node.config.iter().map(|(key, value)| (key.clone(), value.clone()));
        let config = config.chain(secrets.config.iter().map(|(key, value)| (key.clone(), value.expose().to_owned())));
        Ok(Self {
            wasi: wasi.build(),
            table: ResourceTable::new(),
            files: Files::open(&node.sandbox)?,
            http: HttpClient::new(&node.sandbox.http, &denials),
            denials,
            config: config.collect(),
            limits: MemoryLimit {
                bytes: 0,
                shown: spec.memory_bytes.clone(),
                peak: 0,
                bytes_max: node.memory_bytes_max,
                refused: false,
            },
            output: [stdout, stderr],
            held: Origin::held(spec.mailbox.replica(), None),
            current: None,
            origins: HashMap::new(),
            spec,
        })
    }

    pub(super) fn replica(&self) -> ReplicaIndex {
        self.spec.mailbox.replica()
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Counts the memories of a replica together and refuses growth past the node's limit.
pub(super) struct MemoryLimit {
    bytes: u64,
    shown: Arc<AtomicU64>,
    pub(super) peak: u64,
    bytes_max: u64,
    /// Whether growth was ever refused: most guests abort then, and the reason should be known.
    pub(super) refused: bool,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let bytes = self.bytes + (desired - current) as u64;
        if bytes > self.bytes_max {
            self.refused = true;
            return Ok(false);
        }
        self.bytes = bytes;
        self.shown.store(bytes, Ordering::Relaxed);
        self.peak = self.peak.max(bytes);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(desired <= super::TABLE_ELEMENTS_MAX)
    }
}
