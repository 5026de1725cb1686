//! What a store holds for its replica: WASI, limits, who it is, and the calls it works on.

use std::collections::HashMap;
use std::sync::Arc;

use lp_base::calls::{Kept, Origin, ReplicaIndex};
use lp_base::plan::LimitsPlan;
use lp_base::replica::{LineSource, ReplicaSpec};
use lp_base::words::Limit;
use wasmtime::Store;
use wasmtime::component::{GuestTaskId, ResourceTable};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::denials::Denials;
use super::files::{Fd, Files, Listing};
use super::http::HttpClient;
use super::limits::{Aside, Breach, Growth, Hold, Holdings, Open};
use super::lookups::Lookups;
use super::meter::{Meter, Turns};
use super::output::{LineWriter, OutputBudget};
use super::waits::Waits;
use super::{GrantError, Kind, clock, limits, random, sockets};

/// What a byte of a message may become in memory, with what it takes there to know where lists and strings are.
const BYTES_IN_MEMORY: u64 = 4;

/// The most bytes that a message may become in a guest's memory, and the limit that says so.
#[derive(Clone, Copy, Debug)]
pub struct MessageRoom {
    /// The bytes.
    pub bytes_max: u64,
    /// The limit.
    pub limit: Limit,
    /// What the limit is.
    pub limit_value: u64,
}

/// The data of a replica's store.
pub struct State {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) files: Files,
    pub(crate) http: HttpClient,
    pub(crate) lookups: Lookups,
    /// What the guest was denied.
    pub denials: Denials,
    pub(crate) config: WasiConfigVariables,
    /// The memories and tables of the guest.
    pub limits: Growth,
    /// The time that the guest has computed.
    pub meter: Arc<Meter>,
    /// What is kept of the calls that the guest makes.
    pub kept: Arc<Kept>,
    /// What the calls wait for that the store works on.
    pub waits: Arc<Waits>,
    /// The replica.
    pub spec: Arc<ReplicaSpec>,
    /// stdout and stderr.
    pub output: [LineWriter; 2],
    /// What the replica must fail for.
    pub breach: Breach,
    open: Open,
    pub(crate) holdings: Holdings,
    pub(crate) aside: Aside,
    concurrent: bool,
    /// The origin of blocking calls that came through nothing but this replica.
    pub held: Arc<Origin>,
    /// What the call that the store works on came through, in a store that works on one call at a time.
    pub current: Option<Arc<Origin>>,
    /// What the calls came through that a concurrent store works on; those that came through nothing are left out.
    pub origins: HashMap<GuestTaskId, Arc<Origin>>,
}

impl State {
    /// The data of the store of one life of a replica of that kind of component, whose turns are counted by `turns`.
    ///
    /// # Errors
    /// If something that the replica is granted can't be opened.
    pub fn new(spec: Arc<ReplicaSpec>, kind: Kind, turns: Arc<Turns>) -> Result<Self, GrantError> {
        let breach = Breach::default();
        let scheduler = &spec.scheduler;
        let budget = Arc::new(OutputBudget::new(&spec.node.limits, breach.clone(), scheduler.clone()));
        let stdout = LineWriter::new(LineSource::Stdout, spec.sink.clone(), budget.clone());
        let stderr = LineWriter::new(LineSource::Stderr, spec.sink.clone(), budget);
        let node = &spec.node;
        let mut wasi = WasiCtx::builder();
        wasi.stdout(stdout.clone()).stderr(stderr.clone());
        wasi.arg(&node.name).args(&node.args);
        wasi.envs(&node.env.iter().collect::<Vec<_>>());
        let secrets = &spec.secrets;
        wasi.envs(&secrets.env.iter().map(|(name, value)| (name, value.expose())).collect::<Vec<_>>());
        let denials = Denials::new(&spec.label, spec.sink.clone());
        sockets::judge(&mut wasi, &node.sandbox.network, &denials);
        clock::set(&mut wasi, node.sandbox.clock, scheduler, spec.number.0);
        random::set(&mut wasi, node.sandbox.random, &spec.label, scheduler);
        let aside = Aside::default();
        let lookups = Lookups::new(scheduler.clone());
        let config = node.config.iter().map(|(key, value)| (key.clone(), value.clone()));
        let config = config.chain(secrets.config.iter().map(|(key, value)| (key.clone(), value.expose().to_owned())));
        Ok(Self {
            wasi: wasi.build(),
            table: ResourceTable::new(),
            files: Files::open(&node.sandbox, scheduler)?,
            http: HttpClient::new(node, &denials, lookups.clone(), scheduler),
            lookups,
            denials,
            config: config.collect(),
            limits: Growth::new(&node.limits, spec.memory_bytes.clone()),
            meter: Meter::new(turns, &node.limits),
            kept: limits::kept(&node.limits, &breach),
            waits: Arc::default(),
            output: [stdout, stderr],
            open: Open::new(
                &node.limits,
                node.sandbox.dirs.len() + node.sandbox.files.len(),
                aside.clone(),
                breach.clone(),
            ),
            holdings: Holdings::new(&node.limits, aside.clone(), breach.clone()),
            breach,
            aside,
            concurrent: kind == Kind::Concurrent,
            held: Origin::held(spec.number, None),
            current: None,
            origins: HashMap::new(),
            spec,
        })
    }

    /// Sets the limits of a store that wasmtime itself keeps.
    ///
    /// # Errors
    /// If `fuel` is limited and the engine counts none, which is a mistake of the host.
    pub fn limit(store: &mut Store<Self>, limits: &LimitsPlan) -> wasmtime::Result<()> {
        let handles = usize::try_from(limits.handles).unwrap_or(usize::MAX);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(usize::try_from(limits.message_bytes).unwrap_or(usize::MAX));
        store.set_max_component_handles(handles);
        store.data_mut().table.set_max_capacity(handles);
        if let Some(fuel) = limits.fuel {
            store.set_fuel(fuel)?;
        }
        Ok(())
    }

    /// Notes that the guest has its memory as it is when it starts.
    pub fn note_started(&mut self) {
        self.limits.note_started();
    }

    /// How much a call or a result that the guest gets may become in its memory.
    pub fn message_room(&self) -> MessageRoom {
        let LimitsPlan { message_bytes, memory_bytes, .. } = self.spec.node.limits;
        let free = self.limits.room();
        let bytes_max = message_bytes.saturating_mul(BYTES_IN_MEMORY);
        match bytes_max <= free {
            true => MessageRoom { bytes_max, limit: Limit::Message, limit_value: message_bytes },
            false => MessageRoom { bytes_max: free, limit: Limit::Memory, limit_value: memory_bytes },
        }
    }

    /// Counts a datagram of at most so many bytes that the guest waits for or sends.
    ///
    /// # Errors
    /// If the host keeps more for the guest than it may.
    pub(crate) fn hold_datagram(&mut self, bytes: u64) -> wasmtime::Result<Hold> {
        let hold = self.aside.datagram(bytes);
        self.look_again()?;
        Ok(hold)
    }

    /// Begins a listing of a directory; nothing, if it is a file.
    ///
    /// # Errors
    /// If the guest has more open than it may, or the host keeps more for it.
    pub(crate) fn list(&mut self, fd: &Fd) -> wasmtime::Result<Option<Listing>> {
        let directory = match self.table.get(fd)? {
            Descriptor::Dir(dir) => dir.dir.clone(),
            Descriptor::File(_) => return Ok(None),
        };
        let listing = Listing::new(directory, self.aside.listing());
        self.look_again()?;
        Ok(Some(listing))
    }

    /// Fails if the guest has gone beyond a limit. What is counted is looked at as before any function of WASI.
    fn look_again(&mut self) -> wasmtime::Result<()> {
        let _ = self.ctx();
        Ok(self.breach.check()?)
    }

    /// Whether the store works on calls beside each other.
    pub fn is_concurrent(&self) -> bool {
        self.concurrent
    }

    /// The number of the replica in the program.
    pub fn replica(&self) -> ReplicaIndex {
        self.spec.number
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.open.look(&mut self.table);
        self.holdings.look(&mut self.table);
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.holdings.look(&mut self.table);
        self.http.view(&mut self.table)
    }
}
