//! Starts a plan's workers, one file per launch type, and keeps the directory of a run, where their sockets are.

mod compiler;
mod credentials;
mod fleet;
mod hardening;
mod outside;
mod process;
mod processes;
mod protocol;
mod remote;
mod rings;
mod run_dir;
mod standstills;
mod threads;
mod worker_files;

use std::future::ready;
use std::net::TcpListener;
use std::sync::Arc;

pub use compiler::{compile_missing, run_compiler_process};
pub use credentials::{Credentials, NoRandomness};
pub use fleet::{Fleet, Life, Place, Private, Rebuilt, Start, Started};
use futures::FutureExt;
use futures::future::BoxFuture;
pub use hardening::{Granted, Hardened, harden};
use lp_base::plan::{ComponentFiles, LaunchType, NodeId, Plan, ReplicaId, Secrets};
use lp_base::replica::{Outputs, Stop};
use lp_base::scheduler::Scheduler;
use lp_base::words::Hardening;
use lp_runtime::CompileCache;
pub use outside::OutsideCall;
pub use process::{WorkerProcessOptions, run_worker_process};
pub use processes::ProcessOptions;
use processes::Processes;
pub use protocol::secrets_command;
use remote::Remote;
pub use remote::RemoteOptions;
pub use run_dir::{RunDir, RunId, SOCKET_NAME_BYTES_MAX, has_room_for_sockets, socket_path};
use threads::launch_threads;
use tokio::sync::mpsc;
pub use worker_files::WorkerFiles;

use crate::node::NodeEvent;
use crate::worker::{
    Compiling, Endpoints, Order, ReplicaStats, Worker, WorkerError, WorkerOptions, WorkerSocket, WorkerSockets,
};

/// What launching needs beside the plan.
#[derive(Clone)]
pub struct LaunchOptions {
    /// Where this machine has the components of the plan.
    pub components: ComponentFiles,
    /// What the guests are given that the plan does not say.
    pub secrets: Secrets,
    /// Where compiled components are kept, if anywhere.
    pub cache: Option<CompileCache>,
    /// Where the output of replicas goes.
    pub outputs: Arc<dyn Outputs>,
    /// By which the nodes know each other.
    pub credentials: Arc<Credentials>,
    /// How worker processes are started, and where the sockets of workers are. Without it there are neither.
    pub processes: Option<ProcessOptions>,
    /// The hosts of launch type `remote`.
    pub remote: Option<RemoteOptions>,
    /// Where the time, the random numbers and the tasks of the run come from.
    pub scheduler: Scheduler,
}

impl LaunchOptions {
    /// Takes note of what a launched plan was replaced by: for workers that are started from here on, and for calls from a
    /// terminal.
    pub fn note_plan(&mut self, plan: &Plan, components: &ComponentFiles) -> Result<(), WorkerError> {
        self.components.clone_from(components);
        let Some(setting) = &self.processes else { return Ok(()) };
        let failed = |source| WorkerError::Launch { name: plan.program.clone(), source };
        setting.files().write_plan(plan, components).map_err(failed)
    }
}

/// The workers of a running program.
pub enum Workers {
    /// The only one, in this process.
    Here(Box<Worker>),
    /// Those that run elsewhere.
    Fleet(Fleet),
}

/// Launched workers, and where outside clients find the nodes that listen.
pub struct Launched {
    /// The workers.
    pub workers: Workers,
    /// Each node that listens, with its address, and the host that this is on if it is another one.
    pub listening: Vec<(NodeId, String)>,
}

/// Launches the workers of `plan` and starts their replicas. Everything that happens to them is told to `events`,
/// and to `compiling` what is compiled before.
///
/// Dropping the future gives the launch up: no replica is started any more, and worker processes are killed.
pub async fn launch(
    plan: Arc<Plan>,
    setting: LaunchOptions,
    stop: Stop,
    events: mpsc::UnboundedSender<NodeEvent>,
    compiling: mpsc::UnboundedSender<Compiling>,
) -> Result<Launched, WorkerError> {
    let LaunchOptions { components, secrets, cache, outputs, credentials, processes, remote, scheduler } = setting;
    let failed = |source| WorkerError::Launch { name: plan.program.clone(), source };
    match plan.launch_type {
        LaunchType::Threads if plan.hardening == Hardening::Require => return Err(WorkerError::NoHardening),
        LaunchType::Processes | LaunchType::Remote if scheduler.is_simulated() => {
            return Err(WorkerError::NotSimulated);
        }
        LaunchType::Remote => {
            let options = remote.ok_or(WorkerError::NoHosts)?;
            if let Some(setting) = &processes {
                // For those who look at the run.
                setting.files().write_plan(&plan, &components).map_err(failed)?;
            }
            let authority = options.authority.clone();
            let connecting = Remote::connect(plan.clone(), components, options, compiling, scheduler.clone());
            let remote = connecting.await?;
            let listening = remote.listening();
            // Secrets are read where they are needed.
            let private = Private { secrets: None, credentials, authority: Some(authority) };
            let fleet = Fleet::launch(plan, Box::new(remote), private, outputs, stop, events, scheduler).await?;
            return Ok(Launched { workers: Workers::Fleet(fleet), listening: listening.all() });
        }
        LaunchType::Threads | LaunchType::Processes => {}
    }
    let nodes = bind_nodes(&plan)?;
    let listening = nodes.iter().filter_map(|(node, listener)| Some((*node, listener.local_addr().ok()?.to_string())));
    let listening = listening.collect();
    if let (Some(cache), Some(setting)) = (&cache, &processes) {
        compile_missing(&plan, &components, cache, setting, &compiling, &scheduler).await?;
    }
    let workers = match plan.launch_type {
        LaunchType::Threads => {
            // The only worker has a socket too, for calls from a terminal.
            let workers = match &processes {
                Some(setting) => Some(only_worker(&plan, &components, &setting.files(), &credentials)?),
                None => None,
            };
            let endpoints = Endpoints { workers, nodes, lease: None };
            let run_dir = processes.map(|setting| setting.dir);
            let options = WorkerOptions {
                components,
                secrets,
                cache,
                outputs,
                stop,
                events,
                compiling,
                endpoints,
                run_dir,
                scheduler,
            };
            Workers::Here(Box::new(launch_threads(plan, options).await?))
        }
        LaunchType::Processes | LaunchType::Remote => {
            let setting = processes.ok_or(WorkerError::NoProcesses)?;
            let processes = Processes::new(plan.clone(), &components, setting, nodes).map_err(failed)?;
            let private = Private { secrets: Some(secrets), credentials, authority: None };
            Workers::Fleet(Fleet::launch(plan, Box::new(processes), private, outputs, stop, events, scheduler).await?)
        }
    };
    Ok(Launched { workers, listening })
}

fn only_worker(
    plan: &Plan,
    components: &ComponentFiles,
    files: &WorkerFiles,
    credentials: &Credentials,
) -> Result<WorkerSockets, WorkerError> {
    let failed = |source| WorkerError::Listen { name: plan.program.clone(), source };
    let mut listeners = files.create(plan, components).map_err(failed)?;
    let listener = listeners.pop().ok_or_else(|| failed(std::io::Error::other("the plan has no worker")))?;
    let socket = WorkerSocket::Unix { listener, paths: vec![files.socket(0)] };
    Ok(WorkerSockets { socket, credentials: credentials.of_worker(plan, 0) })
}

/// Binds the addresses of the nodes that listen, before anything runs: a taken one is a program that can't be launched.
fn bind_nodes(plan: &Plan) -> Result<Vec<(NodeId, TcpListener)>, WorkerError> {
    let listening = (0..).map(NodeId).zip(&plan.nodes).filter_map(|(id, node)| Some((id, node, node.listen?)));
    let bound = listening.map(|(id, node, address)| {
        let listener = TcpListener::bind(address);
        let name = || format!("{} at {address}", node.name);
        listener.map(|listener| (id, listener)).map_err(|source| WorkerError::Listen { name: name(), source })
    });
    bound.collect()
}

/// An error and what led to it, for where only text can be passed on.
pub fn with_causes(error: &WorkerError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl Workers {
    /// What a user should know of how the workers run.
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Here(worker) => worker.warnings(),
            Self::Fleet(fleet) => fleet.warnings(),
        }
    }

    /// Where a replica runs now.
    pub fn place(&self, replica: ReplicaId) -> Option<Place> {
        match self {
            Self::Here(_) => Some(Place::here(std::process::id())),
            Self::Fleet(fleet) => fleet.place(replica),
        }
    }

    /// The host on which a replica runs, or ran last, if that is not this one.
    pub fn host(&self, replica: ReplicaId) -> Option<String> {
        match self {
            Self::Here(_) => None,
            Self::Fleet(fleet) => fleet.host(replica),
        }
    }

    /// The walls around the worker that runs a replica, if it has any of its own.
    pub fn hardened(&self, replica: ReplicaId) -> Option<Hardened> {
        match self {
            Self::Here(_) => None,
            Self::Fleet(fleet) => fleet.hardened(replica),
        }
    }

    /// Sees to it that nodes can be rebuilt: that other machines have their components and can run them.
    ///
    /// # Errors
    /// What they lack; all that runs goes on as it is.
    pub fn prepare(&self, rebuilt: Rebuilt) -> BoxFuture<'static, Result<(), WorkerError>> {
        match self {
            Self::Here(_) => ready(Ok(())).boxed(),
            Self::Fleet(fleet) => fleet.prepare(rebuilt),
        }
    }

    /// Gives an order to the workers that it is for.
    ///
    /// # Errors
    /// If rebuilt nodes can't be loaded here; workers elsewhere report that as they come to it.
    pub fn order(&mut self, order: Order) -> Result<(), WorkerError> {
        match self {
            Self::Here(worker) if order.compiles() => {
                let scheduler = worker.scheduler().clone();
                scheduler.block_in_place(|| worker.obey(order))
            }
            Self::Here(worker) => worker.obey(order),
            Self::Fleet(fleet) => {
                fleet.order(order);
                Ok(())
            }
        }
    }

    /// Makes a call by whoever runs the program.
    pub fn call(&self, call: OutsideCall) -> BoxFuture<'static, ()> {
        match self {
            Self::Here(worker) => match worker.mailbox(call.callee).cloned() {
                Some(mailbox) => {
                    // The caller of a replica may poll its guest, which is for the threads of guests.
                    let _entered = worker.runtime().enter();
                    worker.scheduler().spawn(call.at(mailbox)).map(drop).boxed()
                }
                None => call.refuse(),
            },
            Self::Fleet(fleet) => fleet.call(call),
        }
    }

    /// Waits until [`Self::stats`] is of this moment, as far as workers answer soon.
    pub fn refresh_stats(&self) -> BoxFuture<'static, ()> {
        match self {
            Self::Here(_) => ready(()).boxed(),
            Self::Fleet(fleet) => fleet.refresh_stats().boxed(),
        }
    }

    /// What `replica` has done so far.
    pub fn stats(&self, replica: ReplicaId) -> Option<ReplicaStats> {
        match self {
            Self::Here(worker) => worker.stats(replica),
            Self::Fleet(fleet) => fleet.stats(replica),
        }
    }

    /// Ends what is still there, wherever its guests are. Clients outside of the program may take the answers that are on their
    /// way to them, until `patience` is over.
    pub async fn end(&mut self, patience: impl Future<Output = ()>) {
        match self {
            Self::Here(worker) => worker.end(patience).await,
            Self::Fleet(fleet) => fleet.end(patience).await,
        }
    }
}
