//! What all connections of an agent share.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lp_base::plan::{NodeId, Plan, Secrets};
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_base::words::Digest;
use lp_run::observe::Registry;
use lp_runtime::CompileCache;

use crate::ceilings::{Ceilings, Totals};
use crate::store::Store;

/// Reads the secrets of these nodes of a plan from this machine.
///
/// # Errors
/// What can't be read, as text without a value.
pub type ReadSecrets = dyn Fn(&Plan, &[NodeId]) -> Result<Secrets, String> + Send + Sync;

/// What happens, for whoever runs the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A launcher was given a lease.
    Leased {
        /// Who it is.
        launcher: String,
        /// What its run is called.
        run: String,
        /// How many workers it begins with.
        workers: usize,
    },
    /// A launcher sent a component that was not here.
    Received {
        /// Who it is.
        launcher: String,
        /// The component.
        component: Digest,
        /// Its size.
        bytes_len: usize,
    },
    /// A lease has ended, with everything that was started for it.
    Ended {
        /// What the run is called.
        run: String,
        /// Why.
        reason: String,
        /// Whether its launcher said that the run is over.
        is_over: bool,
    },
    /// Somebody was refused. It is told once for each of them and reason.
    Refused {
        /// Where from.
        from: String,
        /// Why.
        reason: String,
    },
}

/// Is told what happens.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn note(&self, note: Note);
}

/// What an agent works with.
pub struct AgentOptions {
    /// The program to start, with the arguments that make it a worker.
    pub command: (PathBuf, Vec<OsString>),
    /// Where each lease has a folder.
    pub leases: Registry,
    /// Where components are kept.
    pub components: PathBuf,
    /// Where compiled components are kept.
    pub cache: CompileCache,
    /// What the operator of the host allows.
    pub ceilings: Ceilings,
    /// The address at which workers listen for others.
    pub bind: IpAddr,
    /// The ports at which they do; any if it is not said.
    pub ports: Option<RangeInclusive<u16>>,
    /// The name or address by which other hosts reach this one, if not the one by which the launcher did.
    pub advertise: Option<String>,
    /// How secrets are read.
    pub secrets: Box<ReadSecrets>,
    /// Who is told what happens.
    pub observer: Box<dyn Observer>,
    /// Where time, randomness and tasks come from. Its tasks must be polled by one thread, which starts the processes: a worker
    /// ends with the thread that started it.
    pub scheduler: Scheduler,
}

/// What all connections of an agent share.
pub struct Agent {
    pub(crate) options: AgentOptions,
    pub(crate) store: Store,
    pub(crate) totals: Arc<Totals>,
    pub(crate) stop: Stop,
    refused: Mutex<BTreeSet<String>>,
}

/// The most strangers that are remembered, so that each is told of once.
const REFUSED_MAX: usize = 1024;

impl Agent {
    /// An agent without connections, which ends its leases when `stop` is requested.
    ///
    /// # Errors
    /// If it has no folder for components.
    pub fn new(options: AgentOptions, stop: Stop) -> std::io::Result<Arc<Self>> {
        let store = Store::open(&options.components, &options.scheduler)?;
        let totals = Arc::new(Totals::new(&options.ceilings));
        Ok(Arc::new(Self { options, store, totals, stop, refused: Mutex::default() }))
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.options.scheduler
    }

    pub(crate) fn note(&self, note: Note) {
        self.options.observer.note(note);
    }

    /// Tells that somebody was refused, unless that was told of the same one and of such a `kind` of reason.
    pub(crate) fn refuse(&self, from: &str, kind: &str, details: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < REFUSED_MAX && refused.insert(format!("{from} {kind}")) {
            self.note(Note::Refused { from: from.to_owned(), reason: format!("{kind}{details}") });
        }
    }
}
