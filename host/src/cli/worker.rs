//! `lp-host worker`: one worker process of a program, started by the launcher and by nobody else.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use listenfd::ListenFd;
use lp_base::lease::Lease;
use lp_base::plan::{LaunchType, Plan};
use lp_base::scheduler::Scheduler;
use lp_base::words::Hardening;
use lp_run::launch::{
    Granted, Hardened, WorkerFiles, WorkerProcessOptions, harden, run_compiler_process, run_worker_process,
};
use lp_run::worker::{
    Endpoints, WorkerCredentials, WorkerSocket, WorkerSockets, make_checkpoint_dirs, make_temporary_dirs,
};
use rustix::process::Signal;

use super::compile::open_cache;
use super::screen::{CliError, Screen, exit_code};

/// How often the lease is looked at: no clock of sleeping threads runs on while the machine sleeps.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How long a worker whose lease has ended may take to say so.
const SAYING_TIME: Duration = Duration::from_millis(10);

/// Runs one worker of a launched program
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct Args {
    /// The plan, as the launcher wrote it
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Which of the plan's workers this is
    #[arg(long, required_unless_present = "compile", conflicts_with = "compile")]
    index: Option<usize>,
    /// Compile the components of the plan, and run nothing
    #[arg(long, requires = "cache")]
    compile: bool,
    /// Where compiled components are kept
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// How many bytes are kept there
    #[arg(long, value_name = "BYTES", default_value_t = u64::MAX)]
    cache_max: u64,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let failed = |error: io::Error| CliError::new(exit_code::NOT_LAUNCHED, error);
    // The end of stdin tells of the launcher's end too, but not to a process that is stopped.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| failed(error.into()))?;
    let files = WorkerFiles::beside(&args.plan);
    let plan = Arc::new(files.read_plan().map_err(failed)?);
    let components = files.read_components().map_err(failed)?;
    let cache = args.cache.as_deref().and_then(|dir| open_cache(dir, args.cache_max, screen));
    let Some(index) = args.index else {
        let Some(cache) = cache else { return Err(failed(io::Error::other("there is no compile cache"))) };
        run_compiler_process(&plan, &components, cache, std::env::current_exe().ok(), io::stdout());
        return Ok(0);
    };
    let endpoints = endpoints(&plan, index, args).map_err(failed)?;
    let run_dir = args.plan.parent().map(PathBuf::from).unwrap_or_default();
    let hardened = match plan.hardening {
        Hardening::Off => Hardened::default(),
        Hardening::Auto | Hardening::Require => {
            let mut write = make_temporary_dirs(&plan, index, &run_dir);
            let mut granted = granted(args, &endpoints);
            let (written, read) = make_checkpoint_dirs(&plan, index);
            write.extend(written);
            granted.read.extend(read);
            granted.read.extend(components.of_worker(&plan, index).map(PathBuf::from));
            // Those of rebuilt nodes come later.
            granted.read.extend(plan.watched.then(|| files.components()));
            harden(&plan, index, &Granted { write, ..granted })
        }
    };
    if let Some(lease) = endpoints.lease.clone() {
        end_with(lease).map_err(failed)?;
    }
    // Guests have threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
    let scheduler = Scheduler::default();
    let setting = WorkerProcessOptions { plan, components, index, hardened, endpoints, run_dir, cache, scheduler };
    let worker = run_worker_process(setting, io::stdin(), io::stdout());
    runtime.block_on(worker);
    // Guests may still be on the runtime's threads for a tick; they are not waited for.
    runtime.shutdown_background();
    Ok(0)
}

/// The command that starts this very program as a worker process, for a launcher.
pub(super) fn command(cache: Option<&Path>, bytes_max: u64) -> io::Result<(PathBuf, Vec<OsString>)> {
    let mut arguments = vec![OsString::from("worker")];
    if let Some(cache) = cache {
        arguments.extend(["--cache".into(), cache.into(), "--cache-max".into(), bytes_max.to_string().into()]);
    }
    Ok((std::env::current_exe()?, arguments))
}

/// What a worker opens beside the files of its nodes.
fn granted(args: &Args, endpoints: &Endpoints) -> Granted {
    let read = args.cache.iter().cloned().chain(std::env::current_exe().ok()).collect();
    let sockets = match endpoints.workers.as_ref().map(|workers| &workers.socket) {
        Some(WorkerSocket::Unix { paths, .. }) => paths.clone(),
        Some(WorkerSocket::Tls(_)) | None => Vec::new(),
    };
    Granted { read, write: Vec::new(), sockets }
}

/// The sockets that the launcher passed on.
fn endpoints(plan: &Plan, index: usize, args: &Args) -> io::Result<Endpoints> {
    let missing = || io::Error::other("a listening socket is missing: only `lp-host run` starts workers");
    let files = WorkerFiles::beside(&args.plan);
    if index >= plan.workers.len() {
        return Err(io::Error::other("the plan has no such worker"));
    }
    let mut sockets = ListenFd::from_env();
    let is_remote = plan.launch_type == LaunchType::Remote;
    let socket = match is_remote {
        true => WorkerSocket::Tls(sockets.take_tcp_listener(0)?.ok_or_else(missing)?),
        false => {
            let listener = sockets.take_unix_listener(0)?.ok_or_else(missing)?;
            let paths = (0..plan.workers.len()).map(|index| files.socket(index)).collect();
            WorkerSocket::Unix { listener, paths }
        }
    };
    let mut nodes = Vec::new();
    for (place, node) in (1..).zip(WorkerFiles::listening(plan, index)) {
        nodes.push((node, sockets.take_tcp_listener(place)?.ok_or_else(missing)?));
    }
    let lease = match is_remote {
        true => Some(lease(sockets.take_raw_fd(1 + nodes.len())?.ok_or_else(missing)?)?),
        false => None,
    };
    Ok(Endpoints { workers: Some(WorkerSockets { socket, credentials: WorkerCredentials::default() }), nodes, lease })
}

/// The lease in the file that the agent passed on. It is opened once more by its number, since a number proves to nobody that
/// it is a file's.
fn lease(file: RawFd) -> io::Result<Lease> {
    let file = File::open(format!("/proc/self/fd/{file}"))?;
    Ok(Lease::new(file, Scheduler::default()))
}

/// Ends the process with its lease, whatever its guests do then: the launcher may have started its replicas elsewhere.
fn end_with(lease: Lease) -> io::Result<()> {
    let wait = move || {
        while let left = lease.left()
            && !left.is_zero()
        {
            std::thread::sleep(left.min(LOOK_INTERVAL));
        }
        // Whoever reads this may have been stopped with the host. The end does not wait for that.
        let (said, is_said) = mpsc::channel();
        let say = move || {
            let _ = writeln!(io::stderr(), "error: the lease of this host has ended");
            let _ = said.send(());
        };
        if std::thread::Builder::new().name("lease".to_owned()).spawn(say).is_ok() {
            let _ = is_said.recv_timeout(SAYING_TIME);
        }
        std::process::exit(exit_code::NODE_FAILED.into());
    };
    std::thread::Builder::new().name("lease".to_owned()).spawn(wait).map(drop)
}
