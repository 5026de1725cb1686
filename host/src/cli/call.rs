//! `lp-host call`: one call to a node that runs, from a terminal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lp_base::calls::ReplicaIndex;
use lp_base::plan::{NodeId, Plan, ReplicaId};
use lp_base::scheduler::Scheduler;
use lp_base::words::parse_duration;
use lp_component::component::{self, Component, Interface, MethodTypes, described};
use lp_component::proto::{method_name, service_name, wit_of_response};
use lp_component::script::{Line, Resolved, listed};
use lp_courier::grpc::{Address, Connection, GET_WIT_PATH, TlsPeer};
use lp_courier::{CallContext, CallError, CallOptions, Exchange, Message, Passes, Remote, RemoteLimits, RemoteProcess};
use lp_run::launch::WorkerFiles;
use lp_run::supervise::ReplicaStatus;
use lp_trust::Identity;
use serde_json::Value;
use tokio::sync::watch;

use super::runs;
use super::screen::{CliError, Screen, exit_code};
use crate::value;

/// Calls a method of a node that runs and prints its result
///
/// Exits with 1 if the call failed, and with 2 if it could not be made as it stands. A result that is an error value is a
/// result like any other.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The node: `RUN/NODE` or `RUN/NODE/REPLICA`, or `HOST:PORT` for one that listens
    target: String,
    /// The method, such as `add`; with its interface where several have one of that name, as in `counter.add`
    #[arg(required_unless_present = "list")]
    method: Option<String>,
    /// The arguments in WAVE, such as `5`, `'"text"'`, `'{x: 1, y: none}'`; options at the end may be left out
    #[arg(allow_negative_numbers = true)]
    arguments: Vec<String>,
    /// The arguments are one JSON array, and the result is printed as JSON
    #[arg(long)]
    json: bool,
    /// Show the methods that can be called instead
    #[arg(long, conflicts_with_all = ["method", "arguments"])]
    list: bool,
    /// The component of a node that is called by its address, for a server that does not tell its types
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// How long the call may take
    #[arg(long, value_name = "TIME", default_value = "60s")]
    timeout: String,
}

/// A node that can be called.
struct Callee {
    /// Its replica; empty if the address leads to any.
    label: String,
    address: Address,
    /// What to show to it; a node that listens asks nothing.
    passes: Arc<Passes>,
    couriers: Vec<Interface>,
    message_bytes_max: usize,
}

/// The largest result that an address may send; its program has a limit of its own.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

impl Callee {
    /// Calls the method at `path`.
    async fn call(&self, path: &str, request: &[u8], timeout: Duration) -> Result<Vec<u8>, CallError> {
        let limits = RemoteLimits { in_flight_max: 1, message_bytes_max: self.message_bytes_max };
        let connection = Connection::new(self.address.clone(), Scheduler::default());
        let process = RemoteProcess::new(connection, limits, Scheduler::default());
        let path = path.parse().expect("names of WIT are ASCII words, and so are those made of them");
        let (label, exchange, passes) = (self.label.clone(), Exchange::new(0), self.passes.clone());
        let remote = Remote::new(label, ReplicaIndex(0), exchange, process, passes, Arc::from([path]));
        let options = CallOptions { timeout: Some(timeout), ..CallOptions::default() };
        let context = CallContext { origin: None, caller: None, kept: None, options };
        Ok(remote.call(0, Message::from(request), context).await?.to_vec())
    }
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let timeout = parse_duration(&args.timeout);
    let timeout = timeout.ok_or_else(|| wrong(format!("`{}` is no duration, such as `5s`", args.timeout)))?;
    let callee = runs::block_on(callee(args, timeout))??;
    let Some(name) = &args.method else {
        screen.shown_data(&listed(&callee.couriers));
        return Ok(0);
    };
    let Resolved { interface, method, types } = method(&callee.couriers, name)?;
    let request = request(args, types)?;
    let path = format!("/{}/{}", service_name(&interface.name), method_name(&method.name));
    let response = runs::block_on(callee.call(&path, &request, timeout))?;
    let response =
        response.map_err(|error| CliError::new(exit_code::NODE_FAILED, format!("the call of `{name}`: {error}")))?;
    let result = types.result.as_deref();
    let text = match args.json {
        true => value::decode_json(result, &response).map(|value| value.to_string()),
        false => value::decode_wave(result, &response),
    };
    let text = text.map_err(|error| CliError::new(exit_code::NODE_FAILED, error))?;
    if result.is_some() {
        screen.data(&format!("{text}\n"));
    }
    Ok(0)
}

fn wrong(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CliError {
    CliError::new(exit_code::WRONG_USAGE, error)
}

async fn callee(args: &Args, timeout: Duration) -> Result<Callee, CliError> {
    match args.target.split_once('/') {
        Some((run, node)) => of_run(run, node).await,
        None if !args.target.contains(':') => {
            let error = format!("`{}` is neither a node of a run nor an address", args.target);
            Err(wrong(error)
                .hint(format!("name the run too: `lp-host call RUN/{} …`; `lp-host ps` lists runs", args.target)))
        }
        None => of_address(&args.target, args.component.as_deref(), timeout).await,
    }
}

async fn of_address(address: &str, component: Option<&Path>, timeout: Duration) -> Result<Callee, CliError> {
    // One attempt, so that a wrong address is told at once.
    let reached = tokio::net::TcpStream::connect(address).await;
    reached.map_err(|error| wrong(format!("nothing answers at `{address}`: {error}")))?;
    let mut callee = Callee {
        label: String::new(),
        address: Address::Tcp(address.to_owned()),
        passes: Arc::default(),
        couriers: Vec::new(),
        message_bytes_max: MESSAGE_BYTES_MAX,
    };
    callee.couriers = match component {
        Some(file) => read(file)?.couriers,
        None => {
            let untold = |reason: &dyn std::fmt::Display| {
                wrong(format!("what types the methods at `{address}` have is not known: {reason}"))
                    .hint("name the node's component with `--component FILE`, or the node as `RUN/NODE`")
            };
            let told = callee.call(GET_WIT_PATH, &[], timeout).await.map_err(|error| untold(&error))?;
            let wit = wit_of_response(&told).ok_or_else(|| untold(&"the answer is not a text"))?;
            described(&wit).map_err(|error| untold(&error))?.couriers
        }
    };
    Ok(callee)
}

async fn of_run(run: &str, node: &str) -> Result<Callee, CliError> {
    let registry = runs::registry()?;
    let id = runs::find(&registry, run).await?;
    let files = WorkerFiles::of(&registry.run_dir(&id));
    let plan: Plan =
        files.read_plan().map_err(|error| wrong(format!("`{id}` can't be asked for its plan: {error}")))?;
    let (name, index) = match node.split_once('/') {
        Some((name, index)) => (name, index.parse().ok()),
        None => (node, Some(0)),
    };
    let found = (0..).map(NodeId).zip(&plan.nodes).find(|(_, node)| node.name == name);
    let Some((node_id, node)) = found else {
        let names: Vec<_> = plan.nodes.iter().map(|node| format!("`{}`", node.name)).collect();
        return Err(wrong(format!("`{id}` has no node `{name}`")).hint(format!("there are {}", names.join(", "))));
    };
    let index = index.filter(|index| *index < node.replicas);
    let index = index.ok_or_else(|| wrong(format!("`{name}` has the replicas 0 to {}", node.replicas - 1)))?;
    let replica = ReplicaId { node: node_id, index };
    let worker = plan.workers.iter().position(|worker| worker.replicas.contains(&replica));
    let worker = worker.expect("every replica of a plan has a worker");
    let served = |interface: &Interface| node.couriers.iter().any(|courier| courier.interface == interface.name);
    let mut client = runs::connect(&registry, &id).await?.ok_or_else(|| runs::ended(&id))?;
    let (credential, identity) = client.credential(name).await?;
    let address = match identity {
        None => Address::Unix(files.socket(worker)),
        Some(identity) => {
            let status = client.status().await?;
            let of_replica = |known: &&ReplicaStatus| known.node == name && known.index == index;
            let place = status.replicas.iter().find(of_replica).and_then(|known| known.address.clone());
            let place =
                place.ok_or_else(|| wrong(format!("`{}` runs on no host at the moment", plan.label(replica))))?;
            let config = identity.client(Identity::Worker(worker), &Scheduler::default()).map_err(wrong)?;
            Address::Tls(TlsPeer::new(config, watch::channel(Some(place)).1))
        }
    };
    let components = files.read_components().map_err(|error| wrong(format!("`{id}` can't be asked: {error}")))?;
    let replay = component::replay();
    let couriers = match node.sha256().filter(|sha256| *sha256 != replay.sha256) {
        Some(sha256) => read(components.of(sha256).map_err(wrong)?)?.couriers,
        None => replay.couriers.clone(),
    };
    Ok(Callee {
        label: plan.label(replica),
        address,
        passes: Arc::new(Passes::from_iter([(None, credential)])),
        couriers: couriers.into_iter().filter(served).collect(),
        message_bytes_max: usize::try_from(plan.message_bytes_max).unwrap_or(usize::MAX),
    })
}

fn read(file: &Path) -> Result<Component, CliError> {
    let wrong = |error| CliError::new(exit_code::WRONG_PROGRAM, format!("`{}` {error}", file.display()));
    Component::read(file).map_err(wrong)
}

/// The method called `name`, where there is exactly one, with its types.
fn method<'c>(couriers: &'c [Interface], name: &str) -> Result<Resolved<'c>, CliError> {
    Line::of_method(name).resolve(couriers).map_err(|error| {
        let known = error.known().map(|known| format!("there are\n{}", known.trim_end()));
        let failure = wrong(error);
        known.into_iter().fold(failure, CliError::hint)
    })
}

fn request(args: &Args, types: &MethodTypes) -> Result<Vec<u8>, CliError> {
    let text = args.arguments.join(", ");
    if !args.json {
        return value::encode_wave(&types.params, &text)
            .map_err(|error| wrong(error).hint(format!("it takes {types}")));
    }
    let text = if text.is_empty() { "[]" } else { &text };
    let arguments: Value = serde_json::from_str(text).map_err(|error| wrong(format!("the arguments: {error}")))?;
    value::encode_json(&types.params, &arguments).map_err(|error| wrong(error).hint(format!("it takes {types}")))
}
