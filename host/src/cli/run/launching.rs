//! The launch of a program, from its plan to its end, with everything that is shown of it.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::Scope;
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use lp_base::plan::{ComponentFiles, LaunchType, Plan, Secrets};
use lp_base::replica::{LineSource, Stop};
use lp_base::scheduler::{Scheduler, Task};
use lp_build::watch::{Replacing, Watch};
use lp_engine::journal::Record;
use lp_remote::hosts::Hosts;
use lp_remote::key::Key;
use lp_remote::placement::Placed;
use lp_run::launch::{Credentials, LaunchOptions, ProcessOptions, RemoteOptions};
use lp_run::observe::{LineOutputs, Printer, RecentLines, Recorded, RunEnd, StandardStream, report_json, report_table};
use lp_run::supervise::{Outcome, RunReport, Signal, SuperviseOptions, supervise};
use lp_trust::{Identity, RunAuthority, WorkerTls};
use serde_json::json;
use tokio::sync::mpsc;

use super::announced::Announced;
use super::notes::Notes;
use super::output::{open_windows, outputs, printer};
use super::states::tell_states;
use super::watch::Watching;
use super::{Display, Format, Front, Terminal, not_launched};
use crate::cli::compile::{self, Compilation};
use crate::cli::screen::{CliError, Screen, exit_code, with_causes};
use crate::cli::signals::Signals;
use crate::cli::{caches, secrets, worker};

/// How long a run that a signal has ended waits for a terminal that stands still.
const WRITE_TIME: Duration = Duration::from_secs(1);

/// How many questions for the state of a run wait at once.
const STATUS_REQUESTS_MAX: usize = 16;

/// What is to run.
pub(in crate::cli) struct Launching {
    pub plan: Arc<Plan>,
    pub components: ComponentFiles,
    pub secrets: Secrets,
    pub hosts: Option<((Hosts, Placed), Key)>,
    pub watch: Option<Watch>,
    pub front: Option<Front>,
    /// What a coordinator has beside that.
    pub cluster: Option<Cluster>,
}

/// Goes on as long as the run.
pub(in crate::cli) type Beside = BoxFuture<'static, ()>;

/// What a coordinator has beside what a launcher has.
pub(in crate::cli) struct Cluster {
    /// What the run is called by its users.
    pub known_as: String,
    /// What goes on as long as the run: units are received, for one.
    pub beside: Beside,
}

impl Cluster {
    /// Begins it, until what this returns is dropped.
    fn begin(self, run: Option<&Announced>, printer: &Printer, scheduler: &Scheduler) -> (Task<()>, Option<Task<()>>) {
        let states = run.map(|run| tell_states(run.dir().id().clone(), self.known_as, printer.clone()));
        (scheduler.spawn(self.beside), states.map(|states| scheduler.spawn(states)))
    }
}

/// Runs a program whose output `printer` writes as the records of a journal.
pub(in crate::cli) fn run_for_journal(
    launching: Launching,
    printer: &Printer,
    screen: &Screen,
) -> Result<u8, CliError> {
    let display = Display { log_dir: None, terminal: Terminal::Current, format: Format::Journal };
    run_printed(&display, launching, printer, &screen.printed_by(printer.clone()))
}

/// Runs a plan on this machine, as `run` does with a program that it has lowered.
pub(in crate::cli) fn run_plan(
    plan: Plan,
    components: ComponentFiles,
    is_json: bool,
    screen: &Screen,
) -> Result<u8, CliError> {
    let format = if is_json { Format::Json } else { Format::Text };
    let display = Display { log_dir: None, terminal: Terminal::Current, format };
    let secrets = secrets::read(&plan).map_err(not_launched)?;
    let printer = printer(&display, None, screen).map_err(not_launched)?;
    let plan = Arc::new(plan);
    let launching = Launching { plan, components, secrets, hosts: None, watch: None, front: None, cluster: None };
    run_printed(&display, launching, &printer, &screen.printed_by(printer.clone()))
}

/// Runs a program whose output, like everything else that is shown from here on, is written by `printer`.
pub(super) fn run_printed(
    display: &Display,
    launching: Launching,
    printer: &Printer,
    screen: &Screen,
) -> Result<u8, CliError> {
    let outputs = outputs(display, &launching.plan, printer, screen)?;
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
    let program = launching.plan.program.clone();
    let launched = std::thread::scope(|threads| {
        runtime.block_on(launch(display, launching, (outputs, printer), threads, (signals_tx, of_run), screen))
    });
    let (code, patience, announced) = match launched {
        Ok((report, announced)) => {
            match display.format {
                Format::Json => screen.data(&format!("{}\n", report_json(&report))),
                Format::Text => screen.text(&report_table(&report)),
                Format::Journal => {
                    screen.data(&end_record(RunEnd::new(&program, exit_status(&report), now(), &report)));
                }
            }
            let is_signalled = matches!(report.outcome, Outcome::Signalled(_));
            (exit_status(&report), is_signalled.then_some(WRITE_TIME), announced)
        }
        Err(failure) => {
            if display.format == Format::Journal {
                screen.data(&failure_records(&program, &failure));
            }
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
    display: &Display,
    Launching { mut plan, mut components, secrets, hosts, watch, front, cluster }: Launching,
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
        Err(error) if display.terminal == Terminal::Current && front.is_none() => unknown(&*error, screen),
        announced => Some(announced.map_err(not_launched)?),
    };
    let windows = match &announced {
        Some(run) if display.terminal == Terminal::Tmux => Some(open_windows(run, &plan, screen)?),
        _ => None,
    };
    let _beside = cluster.map(|cluster| cluster.begin(announced.as_ref(), printer, &scheduler));
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
    let when_up = when_up(display, announced.as_ref().zip(front.as_ref()), printer);
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

/// What tells the front of a detached run, or a journal, that the program is up, once all that was said before has been written.
fn when_up(display: &Display, detached: Option<(&Announced, &Front)>, printer: &Printer) -> Option<Box<dyn FnOnce()>> {
    let printer = printer.clone();
    if display.format == Format::Journal {
        return Some(Box::new(move || printer.line(StandardStream::Stdout, Record::Up {}.to_line())));
    }
    let (run, front) = detached?;
    let (id, front) = (run.dir().id().clone(), front.clone());
    Some(Box::new(move || printer.run(move || front.tell(&id))))
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

fn exit_status(report: &RunReport) -> u8 {
    match report.outcome {
        Outcome::Finished => 0,
        Outcome::Failed => exit_code::NODE_FAILED,
        Outcome::Signalled(signal) => 128 + signal.number(),
    }
}

fn now() -> SystemTime {
    Scheduler::default().wall()
}

fn end_record(end: RunEnd) -> String {
    Record::End { end: serde_json::to_value(end).unwrap_or_default() }.to_line()
}

/// What a journal says of a run that was not launched.
fn failure_records(program: &str, failure: &CliError) -> String {
    let text = failure.text();
    let line =
        |line: &str| Record::Line { replica: String::new(), stream: LineSource::Host, line: line.to_owned() }.to_line();
    let lines: String = format!("error: {text}").lines().map(line).collect();
    let end = RunEnd {
        program: program.to_owned(),
        exit_code: failure.code(),
        ended_unix_s: now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
        table: String::new(),
        report: json!({ "error": text }),
    };
    lines + &end_record(end)
}
