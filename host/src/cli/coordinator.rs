//! `lp-host coordinator`: the launcher of a program on a cluster, which runs there itself, beside the units that come to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use lp_base::plan::{Plan, Secrets};
use lp_base::scheduler::Scheduler;
use lp_engine::directory::{Directory, DirectoryError, RunFile};
use lp_engine::journal::Record;
use lp_engine::units::{Group, groups, placed};
use lp_remote::arrivals::{Arrival, receive};
use lp_remote::hosts::{Host, Hosts, Reach};
use lp_remote::key::{Fingerprint, Key};
use lp_run::launch::RunId;
use lp_run::observe::{LineFormat, Printer, StandardStream};
use lp_run::supervise::ReplicaStatus;
use serde_json::json;

use super::run::{Beside, Cluster, Launching, run_for_journal};
use super::runs;
use super::screen::{CliError, Screen, exit_code};

/// How often it is looked at what the replicas do.
const STATE_INTERVAL: Duration = Duration::from_secs(1);

/// After so many looks at a run in which nothing has changed, its figures are told anyway.
const LOOKS_MAX: u32 = 10;

/// Runs the program of a directory on the units that come to it, and tells of it in a journal
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory, as `lp-host run` has made it
    dir: PathBuf,
    /// Where units come to
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from(([0, 0, 0, 0], 0)))]
    listen: SocketAddr,
    /// The name or address by which they do; that of this machine if it is not said
    #[arg(long, value_name = "NAME")]
    advertise: Option<String>,
    /// The folder that has the components, if that is not the one of the directory
    #[arg(long, value_name = "DIR")]
    components: Option<PathBuf>,
    /// Where the journal is written; stdout if it is not said
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Where the last record is written too, without what is for people
    #[arg(long, value_name = "FILE")]
    termination: Option<PathBuf>,
}

impl From<DirectoryError> for CliError {
    fn from(error: DirectoryError) -> Self {
        CliError::new(exit_code::NOT_LAUNCHED, error)
    }
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let failed = |error: io::Error| CliError::new(exit_code::NOT_LAUNCHED, error);
    let directory = Directory::at(args.dir.clone());
    let (plan, components) = directory.plan(args.components.as_deref())?;
    let run = directory.run()?;
    let (key, units) = (Key::load(&directory.coordinator_key())?, Key::load(&directory.unit_key())?.fingerprint());
    let stdout: Box<dyn Write + Send> = match &args.journal {
        Some(file) => Box::new(File::options().create(true).append(true).open(file).map_err(failed)?),
        None => Box::new(io::stdout()),
    };
    let printer = Printer::start(stdout, Box::new(io::stderr()), LineFormat::Journal.lost_line()).map_err(failed)?;
    let listener = std::net::TcpListener::bind(args.listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let (hosts, arrivals) = hosts(&plan, &run);
    let receiving = receiving(listener, (key.clone(), units), arrivals, printer.clone());
    let name = args.advertise.clone().unwrap_or_else(own_name);
    if args.listen.port() == 0 {
        // Else units know it already, and the directory may be one that nobody writes to.
        directory.write_address(&address(&name, port))?;
    }
    let launching = Launching {
        plan: Arc::new(plan),
        components,
        // Each unit has its own.
        secrets: Secrets::default(),
        hosts: Some((hosts, key)),
        watch: None,
        front: None,
        cluster: Some(Cluster { known_as: run.id, beside: receiving }),
    };
    let code = run_for_journal(launching, &printer, screen)?;
    if let Some(file) = &args.termination {
        let end = Record::End { end: json!({ "exit_code": code }) };
        std::fs::write(file, end.to_line()).map_err(failed)?;
    }
    Ok(code)
}

fn address(name: &str, port: u16) -> String {
    let is_v6 = name.parse::<std::net::Ipv6Addr>().is_ok();
    if is_v6 { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
}

fn own_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

/// The units of a plan as hosts, the one on which each worker runs, and where they are waited for.
fn hosts(plan: &Plan, run: &RunFile) -> ((Hosts, Vec<usize>), BTreeMap<String, Arrival>) {
    let groups: Vec<Group> = groups(plan);
    let units = groups.iter().flat_map(|group| &group.units);
    let arrivals: BTreeMap<_, _> = units.clone().map(|unit| (unit.name.clone(), Arrival::default())).collect();
    let host = |name: &String| Host {
        name: name.clone(),
        reach: Reach::Arrives { arrival: arrivals[name].clone(), wait: run.unit_wait() },
        labels: BTreeSet::new(),
        slots: None,
        memory: None,
        advertise: None,
    };
    let hosts = Hosts { hosts: units.map(|unit| host(&unit.name)).collect(), lease: run.lease() };
    let placed = placed(&groups, plan.workers.len());
    ((hosts, placed), arrivals)
}

/// Receives the units while the program runs.
fn receiving(
    listener: std::net::TcpListener,
    (key, units): (Key, Fingerprint),
    arrivals: BTreeMap<String, Arrival>,
    printer: Printer,
) -> Beside {
    let say = move |text: String| {
        let line = Record::Line {
            replica: String::new(),
            stream: lp_base::replica::LineSource::Host,
            line: format!("warning: {text}"),
        };
        printer.line(StandardStream::Stdout, line.to_line());
    };
    async move {
        let refused = say.clone();
        let received = async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let scheduler = Scheduler::default();
            let refused = move |who| refused(format!("refused a unit from {who}"));
            receive(listener, &key, units, arrivals, &scheduler, refused).await.map_err(io::Error::other)
        };
        if let Err(error) = received.await {
            say(format!("no unit can come: {error}"));
        }
    }
    .boxed()
}

/// Tells what the replicas do, whenever that changes, until the run is not there any more.
pub(super) async fn tell_states(run: RunId, name: String, printer: Printer) {
    let told = async {
        let registry = runs::registry()?;
        let Some(mut client) = runs::connect(&registry, &run).await? else { return Ok(()) };
        let (mut before, mut looks) = (Vec::new(), 0);
        loop {
            let mut status = client.status().await?;
            let now: Vec<_> = status.replicas.iter().map(shape).collect();
            looks += 1;
            if now != before || looks >= LOOKS_MAX {
                (before, looks) = (now, 0);
                status.id.clone_from(&name);
                let status = serde_json::to_value(&status).unwrap_or_default();
                printer.line(StandardStream::Stdout, Record::State { status }.to_line());
            }
            tokio::time::sleep(STATE_INTERVAL).await;
        }
    };
    // It ends with the run.
    let _: Result<(), CliError> = told.await;
}

/// What is told of a replica when it changes; its figures always do.
fn shape(replica: &ReplicaStatus) -> String {
    format!("{} {:?} {:?} {:?}", replica.label(), replica.state, replica.restarts, replica.host)
}
