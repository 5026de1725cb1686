//! Launch type `remote`: a process for every worker, on the hosts of a file, each started by the agent of its host.
//!
//! A file each for a host with its connection ([`host`]), and for a worker on one ([`worker`]). Which host a worker runs on is
//! decided by `lp_remote::placement`, once for all and again for those whose host is lost.

mod host;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use lp_base::plan::{ComponentFiles, NodeId, NodePlan, Plan};
use lp_base::replica::Stop;
use lp_base::scheduler::{Scheduler, Task};
use lp_courier::grpc::{Address, TlsPeer};
use lp_remote::hosts::Hosts;
use lp_remote::key::Key;
use lp_remote::placement::{Placed, Unplaced, place_again};
use lp_remote::protocol::{Preparation, Purpose};
use lp_trust::{Identity, RunAuthority};
use tokio::sync::{mpsc, oneshot, watch};

use super::fleet::{Rebuilt, Start, Started};
use crate::worker::{Compiling, WorkerError};
use host::{HostLink, Wanted};

/// How long hosts have to end their leases when the run ends.
const END_TIME: Duration = Duration::from_secs(1);

/// Where the workers of a program run that run on several hosts.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// The hosts.
    pub hosts: Hosts,
    /// On which of them each worker runs first.
    pub placed: Placed,
    /// By which their agents know this launcher.
    pub key: Key,
    /// What the run is called.
    pub run: String,
    /// By which its workers know each other.
    pub authority: Arc<RunAuthority>,
}

/// Starts workers on hosts. Dropping it ends the leases, and so everything that runs there.
pub(super) struct Remote {
    shared: Arc<Shared>,
    peers: Vec<TlsPeer>,
    _tasks: Vec<Task<()>>,
}

/// Everything that the tasks of hosts and workers share.
struct Shared {
    plan: Arc<Plan>,
    run: String,
    lease: Duration,
    key: Key,
    hosts: Vec<HostLink>,
    state: Mutex<State>,
    places: Vec<watch::Sender<Option<String>>>,
    compiling: mpsc::UnboundedSender<Compiling>,
    /// Whether the run ends.
    ending: Stop,
    scheduler: Scheduler,
}

struct State {
    placed: Placed,
    /// Where this machine has the components of what runs.
    components: ComponentFiles,
    /// The nodes that have other components than in the plan.
    rebuilt: BTreeMap<NodeId, NodePlan>,
    /// When what a worker was on a lost host has ended there, at the latest: it is not started before.
    fences: BTreeMap<usize, Instant>,
    /// Where nodes listen for clients, and on which host.
    listening: BTreeMap<(NodeId, String), String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all hosts that workers are placed on can start them.
    async fn get_ready(&self, first: Vec<oneshot::Receiver<Result<(), String>>>) -> Result<(), WorkerError> {
        let placed = self.state().placed.clone();
        let ready = first.into_iter().enumerate().map(async |(index, reached)| {
            let workers: Vec<_> = (0..placed.len()).filter(|&worker| placed[worker] == index).collect();
            if workers.is_empty() {
                return Ok(());
            }
            let reached = reached.await.unwrap_or_else(|_| Err("it was given up".to_owned()));
            reached.map_err(|error| (index, error))?;
            host::prepare(self, index, &self.start_of(workers)).await.map_err(|error| (index, error))
        });
        self.all(join_all(ready).await)
    }

    /// What is wrong with any of the hosts.
    fn all(&self, outcomes: Vec<Result<(), (usize, String)>>) -> Result<(), WorkerError> {
        let wrong = outcomes.into_iter().filter_map(Result::err);
        let wrong: Vec<_> =
            wrong.map(|(index, error)| format!("host `{}`: {error}", self.hosts[index].host.name)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(WorkerError::Hosts(wrong.join("\n"))) }
    }

    /// What it takes to start these workers, with the nodes as they are now.
    fn start_of(&self, workers: Vec<usize>) -> Wanted {
        let state = self.state();
        let rebuilt = state.rebuilt.iter().map(|(&id, node)| (id, node.clone())).collect();
        let preparation = Preparation { workers, rebuilt, purpose: Purpose::Start };
        Wanted { preparation, components: state.components.clone() }
    }

    /// Has all hosts that run these nodes get ready for other components of them. A host that is lost needs nothing: what is
    /// started in its place is what the nodes are then.
    async fn prepare(&self, (nodes, components): Rebuilt) -> Result<(), WorkerError> {
        let placed = self.state().placed.clone();
        let runs = |worker: usize| {
            self.plan.workers[worker].replicas.iter().any(|replica| nodes.iter().any(|(node, _)| *node == replica.node))
        };
        let ready = (0..self.hosts.len()).map(async |index| {
            let workers: Vec<_> = (0..placed.len()).filter(|&worker| placed[worker] == index && runs(worker)).collect();
            if workers.is_empty() || self.hosts[index].absence().is_some() {
                return Ok(());
            }
            let preparation = Preparation { workers, rebuilt: nodes.clone(), purpose: Purpose::Rebuild };
            let wanted = Wanted { preparation, components: components.clone() };
            match host::prepare(self, index, &wanted).await {
                Err(error) if self.hosts[index].absence().is_none() => Err((index, error)),
                Ok(()) | Err(_) => Ok(()),
            }
        });
        let outcomes = join_all(ready).await;
        self.all(outcomes)
    }
}

impl Remote {
    /// Connects to the hosts that the workers are placed on, and has them get ready. The others are for later.
    ///
    /// # Errors
    /// What is wrong with any of those hosts.
    pub async fn connect(
        plan: Arc<Plan>,
        components: ComponentFiles,
        options: RemoteOptions,
        compiling: mpsc::UnboundedSender<Compiling>,
        scheduler: Scheduler,
    ) -> Result<Self, WorkerError> {
        let RemoteOptions { hosts, placed, key, run, authority } = options;
        let lease = hosts.lease;
        let launcher = authority.issue(Identity::Launcher, scheduler.wall())?;
        let (places, peers): (Vec<_>, Vec<_>) = (0..plan.workers.len())
            .map(|index| {
                let (place, places) = watch::channel(None);
                let config = launcher.client(Identity::Worker(index), &scheduler)?;
                Ok((place, TlsPeer::new(config, places)))
            })
            .collect::<Result<Vec<_>, WorkerError>>()?
            .into_iter()
            .unzip();
        let (fences, listening, rebuilt) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let state = State { placed, components, rebuilt, fences, listening };
        let hosts = hosts.hosts.into_iter().map(HostLink::new).collect();
        let shared = Arc::new(Shared {
            plan,
            run,
            lease,
            key,
            hosts,
            state: Mutex::new(state),
            places,
            compiling,
            ending: Stop::default(),
            scheduler,
        });
        let (tasks, first): (Vec<_>, Vec<_>) = (0..shared.hosts.len())
            .map(|index| {
                let (reached, first) = oneshot::channel();
                (shared.scheduler.spawn(host::keep(shared.clone(), index, reached)), first)
            })
            .unzip();
        shared.get_ready(first).await?;
        Ok(Self { shared, peers, _tasks: tasks })
    }

    /// Where nodes listen for clients, and on which host: of the workers that have started.
    pub fn listening(&self) -> Listening {
        Listening(self.shared.clone())
    }
}

/// Where the nodes of a run listen.
pub(super) struct Listening(Arc<Shared>);

impl Listening {
    /// Each node with an address, and the host that this is on.
    pub fn all(&self) -> Vec<(NodeId, String)> {
        let state = self.0.state();
        state.listening.iter().map(|((node, host), address)| (*node, format!("{address} on host `{host}`"))).collect()
    }
}

impl Start for Remote {
    fn start(&self, index: usize) -> io::Result<Started> {
        let shared = &self.shared;
        shared.place(index).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(worker::start(shared.clone(), index))
    }

    fn address(&self, index: usize) -> Option<Address> {
        self.peers.get(index).cloned().map(Address::Tls)
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        async {
            self.shared.ending.request();
            let ended = async {
                for link in &self.shared.hosts {
                    link.ended().await;
                }
            };
            // A host that does not answer ends what it runs with its lease.
            let _ = self.shared.scheduler.timeout(END_TIME, ended).await;
        }
        .boxed()
    }

    fn prepare(&self, rebuilt: Rebuilt) -> BoxFuture<'static, Result<(), WorkerError>> {
        let shared = self.shared.clone();
        async move { shared.prepare(rebuilt).await }.boxed()
    }

    fn rebuilt(&self, (nodes, components): &Rebuilt) {
        let mut state = self.shared.state();
        state.rebuilt.extend(nodes.iter().cloned());
        state.components.clone_from(components);
    }

    fn host(&self, index: usize) -> Option<String> {
        let placed = self.shared.state().placed[index];
        Some(self.shared.hosts[placed].host.name.clone())
    }
}

impl Shared {
    /// Finds another host for a worker whose own one is lost. The worker is not started before all that ran there has ended.
    fn place(&self, index: usize) -> Result<(), Unplaced> {
        let mut state = self.state();
        let State { placed, fences, .. } = &mut *state;
        let before = placed[index];
        if self.hosts[before].absence().is_none() {
            return Ok(());
        }
        if self.hosts[before].host.reach.comes_again().is_some() {
            if let Some(by) = self.hosts[before].ended_by() {
                let fence = fences.entry(index).or_insert(by);
                *fence = by.max(*fence);
            }
            return Ok(());
        }
        let hosts: Vec<_> = self.hosts.iter().map(|link| link.host.clone()).collect();
        let earlier = placed.clone();
        place_again(&self.plan, &hosts, placed, index, |host| self.hosts[host].absence())?;
        if let Some(by) = self.hosts[before].ended_by() {
            // Those that moved with it have left the same host.
            let moved = (0..placed.len()).filter(|&worker| placed[worker] != earlier[worker]);
            for worker in moved {
                let fence = fences.entry(worker).or_insert(by);
                *fence = by.max(*fence);
            }
        }
        Ok(())
    }
}
