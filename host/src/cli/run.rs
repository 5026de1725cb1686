//! `lp-host run`: a program from its file to its end.

mod announced;
mod notes;
mod tmux;
mod watch;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::Scope;
use std::time::Duration;

use announced::Announced;
use clap::ValueEnum;
use lp_base::plan::{ComponentFiles, LaunchType, Plan, Secrets};
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_build::Compile;
use lp_build::watch::{Replacing, Watch};
use lp_remote::hosts::Hosts;
use lp_remote::key::Key;
use lp_remote::placement::Placed;
use lp_run::launch::{Credentials, LaunchOptions, ProcessOptions, RemoteOptions};
use lp_run::observe::{LineFormat, LineOutputs, Printer, RecentLines, Recorded, report_json, report_table};
use lp_run::supervise::{Outcome, RunReport, Signal, SuperviseOptions, supervise};
use lp_trust::{Identity, RunAuthority, WorkerTls};
use notes::Notes;
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

pub(super) fn run(mut args: Args, screen: &mut Screen) -> Result<u8, CliError> {
    let launch_type = launch_type(args.launch_type, args.hosts.is_some());
    args.hosts = hosts::file(args.hosts, launch_type);
    check_hosts(&args, launch_type)?;
    let (watch, linked) = match args.watch {
        true => {
            let (watch, linked) = watch::build(&args.program, args.log_dir.as_deref(), screen)?;
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
    let printer = printer(&args, screen).map_err(not_launched)?;
    let launching = Launching { plan, components, secrets, hosts, watch };
    run_printed(&args, launching, &printer, &screen.printed_by(printer.clone()))
}

/// What is to run.
struct Launching {
    plan: Arc<Plan>,
    components: ComponentFiles,
    secrets: Secrets,
    hosts: Option<((Hosts, Placed), Key)>,
    watch: Option<Watch>,
}

fn check_hosts(args: &Args, launch_type: LaunchType) -> Result<(), CliError> {
    let wrong = |error: &str, hint: &str| Err(CliError::new(exit_code::WRONG_USAGE, error).hint(hint));
    match (launch_type, &args.hosts) {
        (LaunchType::Remote, None) => wrong(
            "launch type `remote` needs hosts",
            "say which ones by `--hosts hosts.toml`, or `LP_HOST_HOSTS`; docs/remote.md has an example",
        ),
        (LaunchType::Remote, Some(_)) if args.watch => {
            wrong("`--watch` is for programs that run on this machine", "leave out `--hosts`")
        }
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
        Signals::forward().map_err(not_launched)?
    };
    let (of_run, signals_tx) = (signals.of_run(), signals.sender());
    let launched = std::thread::scope(|threads| {
        runtime.block_on(launch(args, launching, outputs, threads, (signals_tx, of_run), screen))
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
    drop(announced);
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
    Launching { mut plan, mut components, secrets, hosts, watch }: Launching,
    outputs: LineOutputs,
    threads: &'s Scope<'s, '_>,
    (signals_tx, signals): (mpsc::UnboundedSender<Signal>, mpsc::UnboundedReceiver<Signal>),
    screen: &'s Screen,
) -> Result<(RunReport, Option<Announced>), CliError> {
    let (recent, scheduler) = (RecentLines::default(), Scheduler::default());
    let (status_tx, status_requests) = mpsc::channel(STATUS_REQUESTS_MAX);
    let credentials = Arc::new(Credentials::random(&plan, &scheduler).map_err(not_launched)?);
    let identity = Arc::new(OnceLock::new());
    let known = (credentials.clone(), identity.clone());
    let announced = Announced::new(&plan, recent.clone(), signals_tx, status_tx, known, &scheduler);
    let mut announced = match announced {
        Ok(announced) => Some(announced),
        Err(error) if args.terminal == Terminal::Tmux => return Err(not_launched(error)),
        Err(error) => {
            screen.warning(&format!("`lp-host ps`, `logs` and `stop` won't find this run: {}", with_causes(&*error)));
            None
        }
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
        let (launch_type, cache) = (plan.launch_type, cache.clone());
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
    let report =
        supervise(plan, setting, &mut Notes { screen, outputs: &outputs, compilation: Compilation::default() })
            .await
            .map_err(not_launched)?;
    drop(stopper);
    // Windows that are to stay have to know before what they show ends.
    drop(windows);
    if let Some(announced) = &mut announced {
        announced.finish().await;
    }
    Ok((report, announced))
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

fn open_windows(run: &Announced, plan: &Plan, screen: &Screen) -> Result<tmux::Session, CliError> {
    let nodes = plan.nodes.iter().map(|node| node.name.clone());
    let session = tmux::Session::open(run.dir().id(), nodes).map_err(not_launched)?;
    screen.note(&format!("the output is shown by `{}`", session.attach_command()));
    Ok(session)
}

/// How lines are written.
fn line_format(args: &Args, screen: &Screen) -> LineFormat {
    match args.format {
        Format::Json => LineFormat::Json,
        Format::Text if screen.stdout_coloured() => LineFormat::Coloured,
        Format::Text => LineFormat::Plain,
    }
}

/// What writes to the terminal while the program runs.
fn printer(args: &Args, screen: &Screen) -> io::Result<Printer> {
    let (stdout, stderr): (Box<dyn Write + Send>, Box<dyn Write + Send>) = match args.terminal {
        // Lines of JSON are for a program that reads them, wherever people look.
        Terminal::Tmux if args.format == Format::Text => (Box::new(io::sink()), Box::new(io::sink())),
        Terminal::Tmux | Terminal::Current => (Box::new(io::stdout()), Box::new(io::stderr())),
    };
    Printer::start(stdout, stderr, line_format(args, screen).lost_line())
}

fn outputs(args: &Args, plan: &Plan, printer: &Printer, screen: &Screen) -> Result<LineOutputs, CliError> {
    let labels = plan.workers.iter().flat_map(|worker| &worker.replicas).map(|&replica| plan.label(replica)).collect();
    let format = line_format(args, screen);
    LineOutputs::new(labels, format, printer.clone(), args.log_dir.as_deref()).map_err(not_launched)
}

fn exit_status(report: &RunReport) -> u8 {
    match report.outcome {
        Outcome::Finished => 0,
        Outcome::Failed => exit_code::NODE_FAILED,
        Outcome::Signalled(signal) => 128 + signal.number(),
    }
}
