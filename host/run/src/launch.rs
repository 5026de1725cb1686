//! Starts a plan's workers, one file per launch type, and keeps the directory of a run, where their sockets are.

mod credentials;
mod hardening;
mod process;
mod processes;
mod protocol;
mod rings;
mod run_dir;
mod threads;
mod worker_files;

use std::collections::BTreeSet;
use std::future::ready;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

pub use credentials::Credentials;
use futures::FutureExt;
use futures::future::BoxFuture;
pub use hardening::{Granted, Hardened, harden};
use lp_base::plan::{LaunchType, NodeId, Plan, ReplicaId, Secrets};
use lp_base::replica::{Outputs, Stop};
use lp_base::words::Hardening;
use lp_runtime::CompileCache;
pub use process::{WorkerSetting, run_worker_process};
pub use processes::{Private, ProcessSetting, Processes};
pub use run_dir::{RunDir, RunId, SOCKET_NAME_BYTES_MAX, has_room_for_sockets, socket_path};
use threads::launch_threads;
use tokio::sync::mpsc;
pub use worker_files::WorkerFiles;

use crate::node::NodeEvent;
use crate::worker::{Compiling, Endpoints, ReplicaStats, Surroundings, Worker, WorkerError, WorkerSockets};

/// What launching needs beside the plan.
#[derive(Clone)]
pub struct LaunchSetting {
    /// What the guests are given that the plan does not say.
    pub secrets: Secrets,
    /// Where compiled components are kept, if anywhere.
    pub cache: Option<CompileCache>,
    /// Where the output of replicas goes.
    pub outputs: Arc<dyn Outputs>,
    /// By which the nodes know each other.
    pub credentials: Arc<Credentials>,
    /// How worker processes are started, and where the sockets of workers are. Without it there are neither.
    pub processes: Option<ProcessSetting>,
}

impl LaunchSetting {
    /// Takes note of what a launched plan was replaced by: for workers that are started from here on, and for calls from a
    /// terminal.
    pub fn note_plan(&self, plan: &Plan) -> Result<(), WorkerError> {
        let Some(setting) = &self.processes else { return Ok(()) };
        let failed = |source| WorkerError::Launch { name: plan.program.clone(), source };
        setting.files().write_plan(plan).map_err(failed)
    }
}

/// The workers of a running program.
pub enum Workers {
    /// One, in this process.
    Threads(Box<Worker>),
    /// Each in a process of its own.
    Processes(Processes),
}

/// Launched workers, and where outside clients find the nodes that listen.
pub struct Launched {
    /// The workers.
    pub workers: Workers,
    /// Each node that listens, with its address.
    pub listening: Vec<(NodeId, SocketAddr)>,
}

/// Launches the workers of `plan` and starts their replicas. Everything that happens to them is told to `events`,
/// and to `compiling` what is compiled before.
///
/// Dropping the future gives the launch up: no replica is started any more, and worker processes are killed.
pub async fn launch(
    plan: Arc<Plan>,
    setting: LaunchSetting,
    stop: Stop,
    events: mpsc::UnboundedSender<NodeEvent>,
    compiling: mpsc::UnboundedSender<Compiling>,
) -> Result<Launched, WorkerError> {
    let nodes = bind_nodes(&plan)?;
    let listening = nodes.iter().filter_map(|(node, listener)| Some((*node, listener.local_addr().ok()?))).collect();
    let LaunchSetting { secrets, cache, outputs, credentials, processes } = setting;
    let workers = match plan.launch_type {
        LaunchType::Threads if plan.hardening == Hardening::Require => return Err(WorkerError::NoHardening),
        LaunchType::Threads => {
            // The only worker has a socket too, for calls from a terminal.
            let workers = match &processes {
                Some(setting) => Some(only_worker(&plan, &setting.files(), &credentials)?),
                None => None,
            };
            let endpoints = Endpoints { workers, nodes };
            let run_dir = processes.map(|setting| setting.dir);
            let surroundings = Surroundings { secrets, cache, outputs, stop, events, compiling, endpoints, run_dir };
            Workers::Threads(Box::new(launch_threads(plan, surroundings).await?))
        }
        LaunchType::Processes => {
            if let Some(cache) = cache {
                warm(plan.clone(), cache, compiling).await?;
            }
            let processes = processes.ok_or(WorkerError::NoProcesses)?;
            let private = Private { secrets, credentials };
            Workers::Processes(Processes::launch(plan, processes, nodes, private, outputs, stop, events).await?)
        }
    };
    Ok(Launched { workers, listening })
}

fn only_worker(plan: &Plan, files: &WorkerFiles, credentials: &Credentials) -> Result<WorkerSockets, WorkerError> {
    let failed = |source| WorkerError::Listen { name: plan.program.clone(), source };
    let mut listeners = files.create(plan).map_err(failed)?;
    let listener = listeners.pop().ok_or_else(|| failed(std::io::Error::other("the plan has no worker")))?;
    Ok(WorkerSockets { listener, paths: vec![files.socket(0)], credentials: credentials.of_worker(plan, 0) })
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

/// Compiles what is not in the cache, so that several processes don't compile the same component at the same time.
async fn warm(
    plan: Arc<Plan>,
    cache: CompileCache,
    compiling: mpsc::UnboundedSender<Compiling>,
) -> Result<(), WorkerError> {
    let warmed = tokio::task::spawn_blocking(move || Worker::compile(&plan, cache, &compiling));
    warmed.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
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
            Self::Threads(worker) => worker.warnings(),
            Self::Processes(processes) => processes.warnings(),
        }
    }

    /// The process that runs a replica now.
    pub fn pid(&self, replica: ReplicaId) -> Option<u32> {
        match self {
            Self::Threads(_) => Some(std::process::id()),
            Self::Processes(processes) => processes.pid(replica),
        }
    }

    /// The walls around the process that runs a replica, if it has one that is a worker's own.
    pub fn hardened(&self, replica: ReplicaId) -> Option<Hardened> {
        match self {
            Self::Threads(_) => None,
            Self::Processes(processes) => processes.hardened(replica),
        }
    }

    /// Starts a replica that has ended.
    pub fn restart(&mut self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.restart(replica),
            Self::Processes(processes) => processes.restart(replica),
        }
    }

    /// Asks one replica to stop, while the program goes on.
    pub fn stop_replica(&self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.stop_replica(replica),
            Self::Processes(processes) => processes.stop_replica(replica),
        }
    }

    /// Has one replica end without taking another call; those that wait are for its next life.
    pub fn pause_replica(&self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.pause_replica(replica),
            Self::Processes(processes) => processes.pause_replica(replica),
        }
    }

    /// Drops one replica that is to start again, wherever its guest is, and tells nobody.
    pub fn drop_replica(&self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.drop_replica(replica),
            Self::Processes(processes) => processes.drop_replica(replica),
        }
    }

    /// Has the replicas of `nodes` run what `plan` has for them from their next start on. All of them must have ended, or
    /// been dropped.
    pub fn rebuild(&mut self, plan: &Plan, nodes: &BTreeSet<NodeId>) -> Result<(), WorkerError> {
        match self {
            Self::Threads(worker) => tokio::task::block_in_place(|| worker.rebuild(plan, nodes)),
            Self::Processes(processes) => {
                processes.rebuild(plan, nodes);
                Ok(())
            }
        }
    }

    /// Drops one replica wherever its guest is, and tells nobody.
    pub fn kill_replica(&self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.kill_replica(replica),
            Self::Processes(processes) => processes.kill_replica(replica),
        }
    }

    /// Tells every replica that no more calls will come: those that only serve end at once, others when `run` does.
    pub fn close(&self) {
        match self {
            Self::Threads(worker) => worker.close(),
            Self::Processes(processes) => processes.close(),
        }
    }

    /// Refuses the calls to a replica that will not run again.
    pub fn close_replica(&self, replica: ReplicaId) {
        match self {
            Self::Threads(worker) => worker.close_replica(replica),
            Self::Processes(processes) => processes.close_replica(replica),
        }
    }

    /// Waits until [`Self::stats`] is of this moment, as far as workers answer soon.
    pub fn refresh_stats(&self) -> BoxFuture<'static, ()> {
        match self {
            Self::Threads(_) => ready(()).boxed(),
            Self::Processes(processes) => processes.refresh_stats().boxed(),
        }
    }

    /// What `replica` has done so far.
    pub fn stats(&self, replica: ReplicaId) -> Option<ReplicaStats> {
        match self {
            Self::Threads(worker) => worker.stats(replica),
            Self::Processes(processes) => processes.stats(replica),
        }
    }

    /// Ends what is still there, wherever its guests are.
    pub async fn kill(&mut self) {
        match self {
            Self::Threads(worker) => worker.kill().await,
            Self::Processes(processes) => processes.kill().await,
        }
    }
}
