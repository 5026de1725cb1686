//! `lp-host run`: a program from its file to its end.

mod announced;
mod front;
mod notes;
mod output;
mod tmux;
mod watch;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::Scope;
use std::time::Duration;

use announced::Announced;
use clap::ValueEnum;
pub(super) use front::Front;
use lp_base::plan::{ComponentFiles, LaunchType, Plan, Secrets};
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_build::Compile;
use lp_build::watch::{Replacing, Watch};
use lp_remote::hosts::Hosts;
use lp_remote::key::Key;
use lp_remote::placement::Placed;
use lp_run::launch::{Credentials, LaunchOptions, ProcessOptions, RemoteOptions};
use lp_run::observe::{LineOutputs, Printer, RecentLines, Recorded, RunEnd, report_json, report_table};
use lp_run::supervise::{Outcome, RunReport, Signal, SuperviseOptions, supervise};
use lp_trust::{Identity, RunAuthority, WorkerTls};
use notes::Notes;
use output::{open_windows, outputs, printer};
use tokio::sync::mpsc;
use watch::Watching;

use super::compile::{self, Compilation};
use super::hosts::{self, launcher_key, placed};
use super::plan::launch_type;
use super::screen::{CliError, Screen, exit_code, with_causes};
use super::signals::Signals;
use super::{ProgramArgs, build, caches, secrets, worker};

/// Runs a program until it has finished or is stopped
///
/// Exits with 0 when the program finished, 1 when a node failed, 3 when the program is wrong, 4 when it could not be
/// launched, and 128 + n when signal n stopped it. Ctrl-C, SIGTERM and SIGHUP ask every node to stop and wait for
/// the program's grace period; a second signal does not wait.
///
/// With `--detach`, the run goes on in the background, whatever becomes of this terminal: its id goes to stdout, and `lp-host
/// attach` shows its output and exits as it does.
///
/// With `--watch`, the program goes on while nodes are rebuilt, and stays up when its nodes have ended. A node whose
/// build fails, or that does not fit the others any more, goes on as it was.
///
/// While it runs, `lp-host ps` lists it, `lp-host logs` shows its output, and `lp-host stop` ends it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: ProgramArgs,
    /// Build the nodes' components first, as `lp-host build` does
    #[arg(long)]
    build: bool,
    /// Build the components, and again whenever their source changes, and restart the nodes that are others then
    #[arg(long)]
    watch: bool,
    /// How the nodes come to run: `threads`, which is the default, `processes`, or `remote`, which is the default where there
    /// are hosts
    #[arg(long, value_name = "TYPE")]
    launch_type: Option<LaunchType>,
    /// The file of the hosts that the nodes run on, each by its agent; `$LP_HOST_HOSTS` if it is not said. `lp-host plan` shows
    /// where each goes
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// Return when the program is up, and leave it running in the background
    #[arg(long)]
    detach: bool,
    /// Write the output of every replica to a file of this directory too, and what happens to them to `lp-host.log`
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// Where the output of the nodes is shown
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = Terminal::Current)]
    terminal: Terminal,
    /// How to write lines and the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How a run is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tagged lines, and a table on stderr
    Text,
    /// One JSON object a line on stdout
    Json,
}

/// Where output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Terminal {
    /// In this terminal, each line with the replica that it comes from
    #[value(alias = "current_terminal")]
    Current,
    /// In a new tmux session with a window for each node, which ends with the run. If you are attached to it then, it
    /// stays as it is until you detach
    #[value(alias = "tmux_session")]
    Tmux,
}

/// How long a run that a signal has ended waits for a terminal that stands still.
const WRITE_TIME: Duration = Duration::from_secs(1);

/// How many questions for the state of a run wait at once.
const STATUS_REQUESTS_MAX: usize = 16;

impl Args {
    /// Whether the run is to go on in the background.
    pub(super) fn is_detached(&self) -> bool {
        self.detach
    }

    /// Whether what is shown is for programs.
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Refuses what needs a terminal as long as the program runs.
    pub(super) fn check_detached(&self) -> Result<(), CliError> {
        let refused = |what: &str, hint: &str| {
            let error = format!("`{what}` needs a terminal, which a detached run has not");
            Err(CliError::new(exit_code::WRONG_USAGE, error).hint(hint))
        };
        match (self.watch, self.terminal) {
            (true, _) => refused("--watch", "leave out `--detach`, or build once by `--build`"),
            (false, Terminal::Tmux) => refused("--terminal tmux", "leave it out: `lp-host attach` shows the output"),
            (false, Terminal::Current) => Ok(()),
        }
    }
}

/// Runs a program: for the `lp-host run --detach` at the other end of `front`, or else in this terminal.
pub(super) fn run(mut args: Args, front: Option<Front>, screen: &mut Screen) -> Result<u8, CliError> {
    let launch_type = launch_type(args.launch_type, args.hosts.is_some());
    args.hosts = hosts::file(args.hosts, launch_type);
    check_hosts(&args, launch_type)?;
    let (watch, linked) = match args.watch {
        true => {
            let (watch, linked) = watch::build(&args.program, launch_type, args.log_dir.as_deref(), screen)?;
            (Some(watch), linked)
        }
        false => {
            if args.build {
                build::build(&args.program.load()?, &[], Compile::No, screen)?;
            }
            match launch_type {
                LaunchType::Remote => (None, args.program.link_elsewhere()?),
                LaunchType::Threads | LaunchType::Processes => (None, args.program.link()?),
            }
        }
    };
    screen.warnings(&linked.warnings);
    let (plan, components) = lp_program::lower(&linked, launch_type);
    let plan = Arc::new(plan);
    let hosts =
        args.hosts.as_deref().map(|file| Ok::<_, CliError>((placed(file, &plan)?, launcher_key()?))).transpose()?;
    if args.terminal == Terminal::Tmux {
        tmux::check().map_err(|error| {
            not_launched(error).hint("install tmux, or leave out `--terminal tmux`, for the output in this terminal")
        })?;
    }
    let secrets = match launch_type {
        // Each host has its own.
        LaunchType::Remote => Secrets::default(),
        LaunchType::Threads | LaunchType::Processes => secrets::read(&plan).map_err(not_launched)?,
    };
    let printer = printer(&args, front.as_ref(), screen).map_err(not_launched)?;
    let launching = Launching { plan, components, secrets, hosts, watch, front };
    run_printed(&args, launching, &printer, &screen.printed_by(printer.clone()))
}

/// What is to run.
struct Launching {
    plan: Arc<Plan>,
    components: ComponentFiles,
    secrets: Secrets,
    hosts: Option<((Hosts, Placed), Key)>,
    watch: Option<Watch>,
    front: Option<Front>,
}

fn check_hosts(args: &Args, launch_type: LaunchType) -> Result<(), CliError> {
    let wrong = |error: &str, hint: &str| Err(CliError::new(exit_code::WRONG_USAGE, error).hint(hint));
    match (launch_type, &args.hosts) {
        (LaunchType::Remote, None) => wrong(
            "launch type `remote` needs hosts",
            "say which ones by `--hosts hosts.toml`, or `LP_HOST_HOSTS`; docs/remote.md has an example",
        ),
        (LaunchType::Remote, Some(_)) | (LaunchType::Threads | LaunchType::Processes, None) => Ok(()),
        (LaunchType::Threads | LaunchType::Processes, Some(_)) => {
            wrong("`--hosts` is for launch type `remote`", "leave out one of `--hosts` and `--launch-type`")
        }
    }
}

/// Runs a program whose output, like everything else that is shown from here on, is written by `printer`.
fn run_printed(args: &Args, launching: Launching, printer: &Printer, screen: &Screen) -> Result<u8, CliError> {
    let outputs = outputs(args, &launching.plan, printer, screen)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(not_launched)?;
    let mut signals = {
        let _entered = runtime.enter();
        match &launching.front {
            Some(_) => Signals::forward_detached(),
            None => Signals::forward(),
        }
        .map_err(not_launched)?
    };
    let (of_run, signals_tx) = (signals.of_run(), signals.sender());
    let launched = std::thread::scope(|threads| {
        runtime.block_on(launch(args, launching, (outputs, printer), threads, (signals_tx, of_run), screen))
    });
    let (code, patience, announced) = match launched {
        Ok((report, announced)) => {
            match args.format {
                Format::Json => screen.data(&format!("{}\n", report_json(&report))),
                Format::Text => screen.text(&report_table(&report)),
            }
            let is_signalled = matches!(report.outcome, Outcome::Signalled(_));
            (exit_status(&report), is_signalled.then_some(WRITE_TIME), announced)
        }
        Err(failure) => {
            screen.failure(&failure);
            (failure.code(), None, None)
        }
    };
    let cut_short = runtime.block_on(until_written(printer, patience, &mut signals));
    // Guests may still be on the runtime's threads for a tick; they are not waited for.
    runtime.shutdown_background();
    // Whoever waits for the end of the run waits for the report too.
    announced.into_iter().for_each(Announced::end);
    Ok(cut_short.map_or(code, |signal| 128 + signal.number()))
}

/// Waits until the terminal has everything, as long as `patience` lasts, if it ends. A signal ends the wait too.
async fn until_written(printer: &Printer, patience: Option<Duration>, signals: &mut Signals) -> Option<Signal> {
    let impatient = async {
        match patience {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = printer.written() => None,
        signal = signals.after_run() => Some(signal),
        () = impatient => None,
    }
}

async fn launch<'s>(
    args: &Args,
    Launching { mut plan, mut components, secrets, hosts, watch, front }: Launching,
    (outputs, printer): (LineOutputs, &Printer),
    threads: &'s Scope<'s, '_>,
    (signals_tx, signals): (mpsc::UnboundedSender<Signal>, mpsc::UnboundedReceiver<Signal>),
    screen: &'s Screen,
) -> Result<(RunReport, Option<Announced>), CliError> {
    let (recent, scheduler) = (RecentLines::default(), Scheduler::default());
    let clock = scheduler.clone();
    let (status_tx, status_requests) = mpsc::channel(STATUS_REQUESTS_MAX);
    let credentials = Arc::new(Credentials::random(&plan, &scheduler).map_err(not_launched)?);
    let identity = Arc::new(OnceLock::new());
    let known = (credentials.clone(), identity.clone());
    let announced = Announced::new(&plan, recent.clone(), signals_tx, status_tx, known, &scheduler);
    let mut announced = match announced {
        Err(error) if args.terminal == Terminal::Current && front.is_none() => unknown(&*error, screen),
        announced => Some(announced.map_err(not_launched)?),
    };
    let windows = match &announced {
        Some(run) if args.terminal == Terminal::Tmux => Some(open_windows(run, &plan, screen)?),
        _ => None,
    };
    let outputs = Arc::new(Recorded { outputs, recent });
    let (cache_dir, cache_bytes_max) = (caches::compiled(), caches::compiled_bytes_max()?);
    let dir = announced.as_ref().map(|run| run.dir().path());
    let processes = processes(dir, plan.launch_type, cache_dir.as_deref(), cache_bytes_max)?;
    let cache = cache_dir.as_deref().and_then(|dir| compile::open_cache(dir, cache_bytes_max, screen));
    let (rebuilds_tx, rebuilds) = mpsc::channel(1);
    let (calls, mut stopper) = (mpsc::unbounded_channel().1, None);
    if let Some(watch) = watch {
        let Some(run) = &announced else { return Err(not_launched("a watched program needs a directory for its run")) };
        let observer = Box::new(Watching::of_run(screen, outputs.clone()));
        // Each host compiles for itself.
        let (launch_type, cache) = (plan.launch_type, cache.clone().filter(|_| plan.launch_type != LaunchType::Remote));
        let replacing = Replacing { launch_type, cache, rebuilds: rebuilds_tx, observer };
        let (watched, rebuilding, stop) = watch.begin(&plan, &components, run.dir().path(), replacing)?;
        (plan, components) = (Arc::new(watched.plan), watched.components);
        threads.spawn(move || rebuilding.run());
        stopper = Some(stop);
    }
    let run = announced.as_ref().map_or(plan.program.as_str(), |run| run.dir().id().as_str());
    let remote = hosts.map(|hosts| remote(hosts, run, &identity, &scheduler)).transpose()?;
    let launching = LaunchOptions {
        components,
        secrets,
        cache,
        outputs: outputs.clone(),
        credentials,
        processes,
        remote,
        scheduler,
    };
    let setting = SuperviseOptions { launching, signals, over: Stop::default(), status_requests, rebuilds, calls };
    let when_up = announced.as_ref().zip(front.as_ref()).map(|(run, front)| when_up(run, front, printer));
    let mut notes = Notes { screen, outputs: &outputs, compilation: Compilation::default(), when_up };
    let program = plan.program.clone();
    let report = supervise(plan, setting, &mut notes).await.map_err(not_launched)?;
    let is_up = notes.when_up.is_none();
    drop(notes);
    drop(stopper);
    // Windows that are to stay have to know before what they show ends.
    drop(windows);
    if let Some(announced) = &mut announced {
        let end = RunEnd::new(&program, exit_status(&report), clock.wall(), &report);
        announced.finish(end, is_up && front.is_some()).await;
    }
    Ok((report, announced))
}

/// Says that nobody else will find the run.
fn unknown(error: &dyn Error, screen: &Screen) -> Option<Announced> {
    screen.warning(&format!("`lp-host ps`, `logs` and `stop` won't find this run: {}", with_causes(error)));
    None
}

/// What tells the front of a detached run that the program is up, once it has all that was said before.
fn when_up(run: &Announced, front: &Front, printer: &Printer) -> Box<dyn FnOnce()> {
    let (id, front, printer) = (run.dir().id().clone(), front.clone(), printer.clone());
    Box::new(move || printer.run(move || front.tell(&id)))
}

/// How worker processes are started by a run with that directory.
fn processes(
    dir: Option<&Path>,
    launch_type: LaunchType,
    cache: Option<&Path>,
    cache_bytes_max: u64,
) -> Result<Option<ProcessOptions>, CliError> {
    match dir {
        None if launch_type == LaunchType::Processes => Err(not_launched("workers need a directory for their sockets")),
        None => Ok(None),
        Some(dir) => {
            let command = worker::command(cache, cache_bytes_max).map_err(not_launched)?;
            Ok(Some(ProcessOptions { command, dir: dir.to_owned() }))
        }
    }
}

/// How the hosts are reached by the run of that id. Who its launcher is to their workers, `identity` has from here on.
fn remote(
    ((hosts, placed), key): ((Hosts, Placed), Key),
    run: &str,
    identity: &OnceLock<WorkerTls>,
    scheduler: &Scheduler,
) -> Result<RemoteOptions, CliError> {
    let authority = Arc::new(RunAuthority::new(run).map_err(not_launched)?);
    let own = authority.issue(Identity::Launcher, scheduler.wall()).map_err(not_launched)?;
    identity.get_or_init(|| own);
    Ok(RemoteOptions { hosts, placed, key, run: run.to_owned(), authority })
}

fn not_launched(error: impl Into<Box<dyn Error + Send + Sync>>) -> CliError {
    CliError::new(exit_code::NOT_LAUNCHED, error)
}

fn exit_status(report: &RunReport) -> u8 {
    match report.outcome {
        Outcome::Finished => 0,
        Outcome::Failed => exit_code::NODE_FAILED,
        Outcome::Signalled(signal) => 128 + signal.number(),
    }
}
