//! `lp-host coordinator`: the launcher of a program on a cluster, which runs there itself, beside the units that come to it.

mod slurm;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use lp_base::plan::{Plan, Secrets};
use lp_base::replica::LineSource;
use lp_base::scheduler::Scheduler;
use lp_engine::directory::{Directory, DirectoryError, RunFile};
use lp_engine::journal::Record;
use lp_engine::units::{Group, groups, placed};
use lp_remote::arrivals::{Arrival, receive};
use lp_remote::hosts::{Host, Hosts, Reach};
use lp_remote::key::{Fingerprint, Key};
use lp_run::observe::{LineFormat, Printer, StandardStream};
use serde_json::json;

use super::run::{Beside, Cluster, Launching, run_for_journal};
use super::screen::{CliError, Screen, exit_code};
use slurm::Steps;

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
        Some(file) => Box::new(journal(file).map_err(failed)?),
        None => Box::new(io::stdout()),
    };
    let printer = Printer::start(stdout, Box::new(io::stderr()), LineFormat::Journal.lost_line()).map_err(failed)?;
    let listener = std::net::TcpListener::bind(args.listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let (hosts, arrivals) = hosts(&plan, &run);
    let steps = Steps::of(&directory, key.fingerprint())?;
    let of_steps = || steps.as_ref().and_then(Steps::own_address).map(|ip| ip.to_string());
    let name = args.advertise.clone().or_else(of_steps).unwrap_or_else(own_name);
    let receiving = receiving(listener, (key.clone(), units), arrivals.clone(), printer.clone());
    if args.listen.port() == 0 {
        // Else units know it already, and the directory may be one that nobody writes to.
        directory.write_address(&address(&name, port))?;
    }
    let beside = beside(receiving, steps, arrivals, printer.clone());
    let launching = Launching {
        plan: Arc::new(plan),
        components,
        // Each unit has its own.
        secrets: Secrets::default(),
        hosts: Some((hosts, key)),
        watch: None,
        front: None,
        cluster: Some(Cluster { known_as: run.id, beside }),
    };
    let code = run_for_journal(launching, &printer, screen)?;
    if let Some(file) = &args.termination {
        let end = Record::End { end: json!({ "exit_code": code }) };
        std::fs::write(file, end.to_line()).map_err(failed)?;
    }
    Ok(code)
}

/// The journal, which goes on where an earlier coordinator of the run was cut off, at a new line.
fn journal(file: &Path) -> io::Result<File> {
    let mut journal = File::options().create(true).append(true).open(file)?;
    if journal.metadata()?.len() > 0 {
        journal.write_all(b"\n")?;
    }
    Ok(journal)
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

/// Receives units, and starts those whose engine leaves that to the coordinator.
fn beside(receiving: Beside, steps: Option<Steps>, arrivals: BTreeMap<String, Arrival>, printer: Printer) -> Beside {
    let Some(steps) = steps else { return receiving };
    async move {
        let say = |text: String| say(&printer, text);
        tokio::join!(receiving, steps.run(arrivals, say));
    }
    .boxed()
}

/// Says something of the run in its journal.
fn say(printer: &Printer, line: String) {
    let line = Record::Line { replica: String::new(), stream: LineSource::Host, line };
    printer.line(StandardStream::Stdout, line.to_line());
}

/// Receives the units while the program runs.
fn receiving(
    listener: std::net::TcpListener,
    (key, units): (Key, Fingerprint),
    arrivals: BTreeMap<String, Arrival>,
    printer: Printer,
) -> Beside {
    let say = move |text: String| say(&printer, format!("warning: {text}"));
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
