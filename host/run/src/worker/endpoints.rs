//! Where a worker is called from outside of its process: by other workers, and by any client at a node's own address.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lp_base::lease::Lease;
use lp_base::plan::{NodeId, NodeKind, NodePlan, Plan, ReplicaId, Secrets};
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_base::words::Limit;
use lp_component::component::{Component, MethodTypes, describe};
use lp_component::{proto, value};
use lp_courier::grpc::{
    Audience, Check, ClientPolicy, Guard, Listener, Public, PublicSchema, ServedReplica, Service, Stranger,
    TlsListener, serve,
};
use prost::Message as _;
use rustix::process::{Resource, getrlimit};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::WorkerError;
use super::components::{Components, Loaded};
use super::credentials::WorkerCredentials;
use super::peers::{Peers, paths};
use super::sockets::{Endpoints, WorkerSocket, WorkerSockets};

/// Who knocked and is none of the run's. There are only so many kinds.
type Strangers = Arc<Mutex<Vec<(Stranger, SocketAddr)>>>;

/// The servers behind a worker's endpoints. Dropping them ends the connections.
pub(super) struct Servers {
    credentials: WorkerCredentials,
    workers: Option<watch::Sender<Arc<Service>>>,
    nodes: Vec<(NodeId, watch::Sender<Arc<Service>>)>,
    /// What a user should know of how clients are served.
    pub warnings: Vec<String>,
    strangers: Strangers,
    lease: Option<Lease>,
    ending: Stop,
    tasks: JoinSet<()>,
}

impl Servers {
    /// Serves every endpoint on the tokio runtime that this is called on.
    pub(super) fn start(
        plan: &Plan,
        endpoints: Endpoints,
        peers: &Peers,
        components: &Components,
        secrets: &Secrets,
        scheduler: &Scheduler,
    ) -> Result<Self, WorkerError> {
        let (ending, mut tasks) = (Stop::default(), JoinSet::new());
        let (strangers, lease) = (Strangers::default(), endpoints.lease);
        let (mut workers, mut credentials) = (None, WorkerCredentials::default());
        if let Some(sockets) = endpoints.workers {
            let listener;
            (listener, credentials) = listen_for_workers(sockets, &strangers, scheduler)?;
            let in_flight_max = peers.local().map(|replica| plan.node(replica.node).limits.calls_per_connection).max();
            let (sender, services) = watch::channel(Arc::new(internal(plan, peers, &credentials, lease.clone())));
            workers = Some(sender);
            let in_flight_max = in_flight_max.unwrap_or(u32::MAX);
            let audience = Audience::Workers { in_flight_max };
            let served = serve(listener, audience, services, ending.clone(), lease.clone(), scheduler.clone());
            scheduler.spawn_in(&mut tasks, served);
        }
        let (mut nodes, mut warnings) = (Vec::new(), Vec::new());
        let connections_max = connections_max(endpoints.nodes.len());
        for (id, listener) in endpoints.nodes {
            let node = plan.node(id);
            let listener = listener.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(listener));
            let listener = listener.map_err(|source| WorkerError::Listen { name: node.name.clone(), source })?;
            let (sender, services) =
                watch::channel(Arc::new(public(plan, id, peers, components, scheduler)?.leased(lease.clone())));
            nodes.push((id, sender));
            let policy = client_policy(plan, node, connections_max);
            warnings.extend(fewer_connections(node, policy.connections_max));
            let (admission, secrets) = (&node.admission, secrets.of(id));
            let guard = Guard::new(admission, secrets.listen_key.as_ref(), secrets.listen_token.as_ref());
            let guard = guard.map_err(|source| WorkerError::Admission { node: node.name.clone(), source })?;
            let audience = Audience::Outside(policy, guard);
            let listener = Listener::Tcp(listener);
            let served = serve(listener, audience, services, ending.clone(), lease.clone(), scheduler.clone());
            scheduler.spawn_in(&mut tasks, served);
        }
        Ok(Self { credentials, workers, nodes, warnings, strangers, lease, ending, tasks })
    }

    /// Those who knocked since this was last asked, and are none of the run's.
    pub(super) fn strangers(&self) -> Vec<(Stranger, SocketAddr)> {
        std::mem::take(&mut self.strangers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the connections, those of clients once they have taken the answers that are on their way to them.
    pub(super) async fn end(&mut self) {
        self.ending.request();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Serves the nodes `rebuilt` as `plan` has them, on the connections that there are.
    pub(super) fn renew(
        &self,
        plan: &Plan,
        rebuilt: &BTreeSet<NodeId>,
        peers: &Peers,
        components: &Components,
        scheduler: &Scheduler,
    ) -> Result<(), WorkerError> {
        for (id, services) in self.nodes.iter().filter(|(id, _)| rebuilt.contains(id)) {
            let service = public(plan, *id, peers, components, scheduler)?;
            services.send_replace(Arc::new(service.leased(self.lease.clone())));
        }
        if let Some(services) = &self.workers {
            services.send_replace(Arc::new(internal(plan, peers, &self.credentials, self.lease.clone())));
        }
        Ok(())
    }
}

/// Where a worker listens for others, and what they have to show.
fn listen_for_workers(
    sockets: WorkerSockets,
    strangers: &Strangers,
    scheduler: &Scheduler,
) -> Result<(Listener, WorkerCredentials), WorkerError> {
    let failed = |source| WorkerError::Listen { name: "other workers".to_owned(), source };
    let WorkerSockets { socket, credentials } = sockets;
    let listener = match socket {
        WorkerSocket::Unix { listener, .. } => {
            listener.set_nonblocking(true).map_err(failed)?;
            Listener::Unix(tokio::net::UnixListener::from_std(listener).map_err(failed)?)
        }
        WorkerSocket::Tls(listener) => {
            listener.set_nonblocking(true).map_err(failed)?;
            let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
            let config = credentials.tls.as_ref().ok_or(WorkerError::NoIdentity)?.server(scheduler)?;
            let strangers = strangers.clone();
            let tell = move |stranger, from| {
                strangers.lock().unwrap_or_else(PoisonError::into_inner).push((stranger, from));
            };
            Listener::Tls(Box::new(TlsListener::new(listener, config, tell, scheduler.clone())))
        }
    };
    Ok((listener, credentials))
}

/// The terms on which clients of `node` are served, by a process that has room for so many of their connections.
fn client_policy(plan: &Plan, node: &NodePlan, connections_max: usize) -> ClientPolicy {
    let limits = &node.limits;
    ClientPolicy {
        connections_max: connections_max.min(limits.listen_connections as usize),
        calls_per_connection: limits.calls_per_connection,
        // One message always has room.
        bytes_max: limits.listen_bytes.max(plan.message_bytes_max + MIB),
        transfer_time: Duration::from_millis(limits.listen_time_ms),
        ..ClientPolicy::default()
    }
}

const MIB: u64 = 1 << 20;

/// The connections that each of so many addresses may have, so that most of the files that this process may have open are
/// left for everything else: guests, other workers, and those who ask what the run does.
fn connections_max(addresses: usize) -> usize {
    let files =
        getrlimit(Resource::Nofile).current.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
    (files / 4 / addresses.max(1)).max(1)
}

/// A node that asked for more connections than it gets.
fn fewer_connections(node: &NodePlan, connections_max: usize) -> Option<String> {
    let limit = Limit::ListenConnections;
    let wanted = u64::from(node.limits.listen_connections);
    (wanted > connections_max as u64 && Some(wanted) != limit.default()).then(|| {
        format!(
            "`{}` takes {connections_max} connections of clients at once, not {wanted} (`{limit}`), because the process may \
             have few files open: raise `ulimit -n`",
            node.name
        )
    })
}

/// What other workers are served.
fn internal(plan: &Plan, peers: &Peers, credentials: &WorkerCredentials, lease: Option<Lease>) -> Service {
    let replicas = served(plan, peers, peers.local().collect(), credentials);
    Service::internal(replicas, message_bytes_max(plan)).leased(lease)
}

/// What clients of a node are served.
fn public(
    plan: &Plan,
    id: NodeId,
    peers: &Peers,
    components: &Components,
    scheduler: &Scheduler,
) -> Result<Service, WorkerError> {
    let node = plan.node(id);
    // A client's connection ends up at one worker, and its calls are for the whole node.
    let all = (0..node.replicas).map(|index| ReplicaId { node: id, index });
    let replicas = served(plan, peers, all.collect(), &WorkerCredentials::default());
    let readiness =
        peers.local().filter(|replica| replica.node == id).map(|replica| peers.mailbox(replica).readiness());
    let about = about(node, components, readiness.collect(), scheduler)?;
    Ok(Service::public(replicas, message_bytes_max(plan), about))
}

fn served(
    plan: &Plan,
    peers: &Peers,
    mut replicas: Vec<ReplicaId>,
    credentials: &WorkerCredentials,
) -> Vec<ServedReplica> {
    replicas.sort();
    let permits = credentials.permits(plan);
    let replica = |&replica: &ReplicaId| {
        let paths = paths(plan.node(replica.node)).into_iter().enumerate();
        let methods: HashMap<_, _> = paths.map(|(index, path)| (path.as_str().to_owned(), index)).collect();
        let permits = permits.get(&replica.node).cloned().unwrap_or_default();
        ServedReplica { peer: peers.peer(replica), methods: Arc::new(methods), permits }
    };
    replicas.iter().map(replica).collect()
}

fn message_bytes_max(plan: &Plan) -> usize {
    usize::try_from(plan.message_bytes_max).unwrap_or(usize::MAX)
}

/// The schema of a node, its health, and the check of requests against its types.
fn about(
    node: &NodePlan,
    components: &Components,
    readiness: Vec<watch::Receiver<bool>>,
    scheduler: &Scheduler,
) -> Result<Public, WorkerError> {
    // The others have no address to listen at.
    let NodeKind::Component(planned) = &node.kind else {
        return Err(WorkerError::NotServed { node: node.name.clone() });
    };
    let Loaded { file, bytes } = components.read(planned);
    let component = Component::parse(file, bytes).map_err(|error| WorkerError::schema(&node.name, error))?;
    let served = |name: &str| node.couriers.iter().any(|courier| courier.interface == name);
    let couriers: Vec<_> = component.couriers.iter().filter(|courier| served(&courier.name)).collect();
    let schema = proto::schema(couriers.iter().copied()).map_err(|error| WorkerError::schema(&node.name, error))?;
    // An interface that grew as its node was rebuilt is there twice.
    let services: BTreeSet<_> = node.couriers.iter().map(|courier| proto::service_name(&courier.interface)).collect();
    let services = services.into_iter().collect();
    let types: Vec<Option<MethodTypes>> = node
        .couriers
        .iter()
        .flat_map(|courier| {
            let interface = couriers.iter().find(|interface| interface.name == courier.interface);
            courier.methods.iter().map(move |method| {
                let found = interface.and_then(|known| known.methods.iter().find(|other| other.name == method.name));
                found.and_then(|method| method.types.clone())
            })
        })
        .collect();
    let check: Box<Check> = Box::new(move |method, request| match types.get(method) {
        Some(Some(types)) => value::check(types, request).map_err(|error| error.to_string()),
        _ => Err("the method can't be called".to_owned()),
    });
    let schema = PublicSchema {
        descriptors: [schema.encode_to_vec(), proto::types_schema().encode_to_vec()],
        // Calls do without: who asks for the types is told that they are not served.
        types: describe(&component, bytes).ok().map(proto::get_wit_response),
    };
    Public::new(&schema, services, readiness, check, scheduler)
        .map_err(|error| WorkerError::reflection(&node.name, error))
}
