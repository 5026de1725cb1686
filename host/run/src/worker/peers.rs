//! Every replica of the program as this worker reaches it: by its mailbox here, or over a connection.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use lp_base::calls::ReplicaIndex;
use lp_base::plan::{Edge, NodeId, NodePlan, Plan, ReplicaId};
use lp_base::scheduler::Scheduler;
use lp_base::words::Retry;
use lp_component::proto::{method_name, service_name};
use lp_courier::grpc::{Address, Connection, TlsPeer, Trouble};
use lp_courier::{
    CallOptions, Callers, Exchange, Mailbox, Peer, Remote, RemoteLimits, RemoteMethod, RemoteProcess, Room,
};
use lp_runtime::{EdgeSpec, HandleSpec, MethodSpec, TargetSpec};
use lp_trust::Identity;
use tokio::sync::watch;

use super::WorkerError;
use super::sockets::{Endpoints, WorkerSocket, WorkerSockets};
use super::standstills::Standstills;

pub(super) struct Peers {
    mailboxes: HashMap<ReplicaId, Arc<Mailbox>>,
    pub remotes: HashMap<ReplicaId, Arc<Remote>>,
    pub exchange: Arc<Exchange>,
    /// The other workers by their index, where they may be on other hosts.
    elsewhere: BTreeMap<usize, Elsewhere>,
}

/// A worker that may be on another host.
struct Elsewhere {
    place: watch::Sender<Option<String>>,
    peer: TlsPeer,
    replicas: Vec<ReplicaId>,
}

impl Peers {
    /// The replicas of `plan` as worker number `own` sees them, which has `endpoints` and reaches the others by them.
    ///
    /// # Errors
    /// If the worker has nothing to prove by who it is, where that is asked for.
    pub fn new(plan: &Plan, own: usize, endpoints: &Endpoints, scheduler: &Scheduler) -> Result<Self, WorkerError> {
        // Every worker numbers the replicas in the same way, because the numbers go from one to the other.
        let indices: HashMap<_, _> = plan.replicas().zip((0..).map(ReplicaIndex)).collect();
        let exchange = Exchange::new(indices.len());
        let callers = callers(plan);
        let (mailboxes, remotes) = (HashMap::new(), HashMap::new());
        let mut peers = Self { mailboxes, remotes, exchange: exchange.clone(), elsewhere: BTreeMap::new() };
        for &replica in &plan.workers[own].replicas {
            let limits = &plan.node(replica.node).limits;
            let room = Room { calls: limits.calls_queued, bytes: limits.queued_bytes };
            let callers = callers.get(&replica.node).cloned().unwrap_or_default();
            let (label, index, exchange) = (plan.label(replica), indices[&replica], exchange.clone());
            let mailbox = Mailbox::new(label, index, callers, room, exchange, scheduler.clone());
            peers.mailboxes.insert(replica, Arc::new(mailbox));
        }
        let Some(sockets) = &endpoints.workers else { return Ok(peers) };
        let passes = sockets.credentials.passes(plan);
        for (number, worker) in plan.workers.iter().enumerate().filter(|(number, _)| *number != own) {
            let Some(first) = worker.replicas.first() else { continue };
            let limits = RemoteLimits {
                in_flight_max: plan.node(first.node).limits.calls_per_connection,
                message_bytes_max: usize::try_from(plan.message_bytes_max).unwrap_or(usize::MAX),
            };
            let address = peers.address(plan, number, sockets, scheduler)?;
            let connection = Connection::new(address, scheduler.clone()).leased(endpoints.lease.clone());
            let process = RemoteProcess::new(connection, limits, scheduler.clone());
            for &replica in &worker.replicas {
                let methods = paths(plan.node(replica.node));
                let (index, exchange, process) = (indices[&replica], exchange.clone(), process.clone());
                let passes = passes.get(&replica.node).cloned().unwrap_or_default();
                let remote = Remote::new(plan.label(replica), index, exchange, process, passes, methods.into());
                peers.remotes.insert(replica, Arc::new(remote));
            }
        }
        Ok(peers)
    }

    /// Where worker number `number` is found.
    fn address(
        &mut self,
        plan: &Plan,
        number: usize,
        sockets: &WorkerSockets,
        scheduler: &Scheduler,
    ) -> Result<Address, WorkerError> {
        if let WorkerSocket::Unix { paths, .. } = &sockets.socket {
            return Ok(Address::Unix(paths[number].clone()));
        }
        let tls = sockets.credentials.tls.as_ref().ok_or(WorkerError::NoIdentity)?;
        let (place, places) = watch::channel(None);
        let peer = TlsPeer::new(tls.client(Identity::Worker(number), scheduler)?, places);
        let replicas = plan.workers[number].replicas.clone();
        self.elsewhere.insert(number, Elsewhere { place, peer: peer.clone(), replicas });
        Ok(Address::Tls(peer))
    }

    /// Takes note of where another worker is. A connection to where it was is closed at once.
    pub fn locate(&self, worker: usize, address: Option<String>) {
        if let Some(elsewhere) = self.elsewhere.get(&worker) {
            elsewhere.place.send_replace(address);
        }
    }

    /// The workers that can't be reached, though the launcher says that a replica of theirs takes calls.
    pub fn unreachable(&self) -> impl Iterator<Item = (usize, Trouble)> {
        let is_ready = |replica: &ReplicaId| self.remotes.get(replica).is_some_and(|remote| remote.is_ready());
        let ready = self.elsewhere.iter().filter(move |(_, worker)| worker.replicas.iter().any(is_ready));
        ready.filter_map(|(&number, worker)| Some((number, worker.peer.trouble()?)))
    }

    /// What finding a standstill takes, as far as this process goes.
    pub fn standstills(&self) -> Standstills {
        let mailboxes = self.mailboxes.values().map(|mailbox| (mailbox.replica(), mailbox.clone())).collect();
        Standstills { mailboxes, exchange: self.exchange.clone() }
    }

    /// Takes note of the methods that nodes of other workers have since they were rebuilt.
    pub fn renew(&self, plan: &Plan, rebuilt: &BTreeSet<NodeId>) {
        for (replica, remote) in self.remotes.iter().filter(|(replica, _)| rebuilt.contains(&replica.node)) {
            remote.set_methods(paths(plan.node(replica.node)).into());
        }
    }

    /// The replicas of this worker.
    pub fn local(&self) -> impl Iterator<Item = ReplicaId> {
        self.mailboxes.keys().copied()
    }

    /// The mailbox of a replica of this worker.
    pub fn mailbox(&self, replica: ReplicaId) -> &Arc<Mailbox> {
        &self.mailboxes[&replica]
    }

    /// A replica of the program.
    pub fn peer(&self, replica: ReplicaId) -> Peer {
        match self.mailboxes.get(&replica) {
            Some(mailbox) => Peer::Local(mailbox.clone()),
            None => Peer::Remote(self.remotes[&replica].clone()),
        }
    }

    /// The edges of `node` with their targets replaced by replicas and method tables.
    pub fn edges(&self, plan: &Plan, node: &NodePlan) -> Vec<EdgeSpec> {
        node.edges.iter().map(|edge| self.edge(plan, edge)).collect()
    }

    fn edge(&self, plan: &Plan, edge: &Edge) -> EdgeSpec {
        let handles = edge.handles.iter().map(|handle| {
            let targets = handle.targets.iter().flat_map(|target| {
                let node = plan.node(target.node);
                let methods = methods(node, &target.interface);
                (0..node.replicas).map(move |index| {
                    let peer = self.peer(ReplicaId { node: target.node, index });
                    TargetSpec { peer, methods: methods.clone() }
                })
            });
            HandleSpec {
                name: handle.name.clone(),
                targets: targets.collect(),
                pick: handle.pick,
                options: CallOptions {
                    timeout: handle.timeout_ms.map(Duration::from_millis),
                    wait_for_ready: handle.wait_for_ready,
                    when_full: handle.when_full,
                    idempotent: handle.retry == Retry::Idempotent,
                    ..CallOptions::default()
                },
            }
        });
        EdgeSpec { import: edge.import.clone(), style: edge.style, handles: handles.collect() }
    }
}

/// Who may call each node that is called: the replicas of those that hold a handle of it.
fn callers(plan: &Plan) -> HashMap<NodeId, Callers> {
    let mut ranges: HashMap<NodeId, Vec<_>> = HashMap::new();
    let numbers = plan.replica_numbers();
    for (caller, callee) in plan.edges() {
        ranges.entry(callee).or_default().push(numbers[caller.0 as usize].clone());
    }
    ranges.into_iter().map(|(callee, ranges)| (callee, Callers::new(ranges))).collect()
}

/// The methods of one of a node's interfaces as callers have to know them: with their places among all its methods.
fn methods(node: &NodePlan, interface: &str) -> Arc<[MethodSpec]> {
    let all = node.couriers.iter().flat_map(|courier| courier.methods.iter().map(move |method| (courier, method)));
    let of_interface = all.enumerate().filter(|(_, (courier, _))| courier.interface == interface);
    let methods = of_interface.map(|(index, (_, method))| MethodSpec {
        name: method.name.clone(),
        index,
        returns_call_error: method.returns_call_error,
    });
    methods.collect()
}

/// The gRPC path of each of a node's methods, by their places.
pub(super) fn paths(node: &NodePlan) -> Vec<RemoteMethod> {
    let paths = node.couriers.iter().flat_map(|courier| {
        let service = service_name(&courier.interface);
        courier.methods.iter().map(move |method| format!("/{service}/{}", method_name(&method.name)))
    });
    paths.map(|path| path.parse().expect("names of WIT are ASCII words, and so are those made of them")).collect()
}
