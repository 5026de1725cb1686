//! `lp-host run`: a program from its file to its end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;

use super::screen::{Failure, Screen, exit_code};
use super::signals::signals;
use super::{ProgramArgs, build};
use crate::launch::{LaunchSetting, ProcessSetting};
use crate::observe::{LineFormat, LineOutputs, report_json, report_table};
use crate::plan::{self, LaunchType, Plan};
use crate::program::{Linked, Program};
use crate::runtime::CompileCache;
use crate::supervise::{Note, Observer, Outcome, RunReport, Setting, supervise};

/// Runs a program until it has finished or is stopped
///
/// Exits with 0 when the program finished, 1 when a node failed, 3 when the program is wrong, 4 when it could not be
/// launched, and 128 + n when signal n stopped it. The first Ctrl-C asks every node to stop and waits for the
/// program's grace period, a second one does not wait.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: ProgramArgs,
    /// Build the nodes' components first, as `lp-host build` does
    #[arg(long)]
    build: bool,
    /// How the nodes come to run: `threads` or `processes`
    #[arg(long, value_name = "TYPE", default_value = "threads")]
    launch_type: LaunchType,
    /// Write the output of every replica to a file of this directory too
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
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

pub(super) fn run(args: Args, screen: &mut Screen) -> Result<u8, Failure> {
    let ProgramArgs { program, overrides } = &args.program;
    if args.build {
        build::build(&Program::load(program, overrides)?, &[], screen)?;
    }
    let linked = Linked::load(program, overrides)?;
    screen.warnings(&linked.warnings);
    let plan = Arc::new(plan::lower(&linked, args.launch_type));
    let format = match args.format {
        Format::Json => LineFormat::Json,
        Format::Text if screen.stdout_coloured() => LineFormat::Coloured,
        Format::Text => LineFormat::Plain,
    };
    let not_launched = |error: Box<dyn std::error::Error>| Failure::new(exit_code::NOT_LAUNCHED, error);
    let outputs = LineOutputs::new(
        labels(&plan),
        format,
        Box::new(std::io::stdout()),
        Box::new(std::io::stderr()),
        args.log_dir.as_deref(),
    )
    .map_err(|error| not_launched(error.into()))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| not_launched(error.into()))?;
    let report = runtime.block_on(async {
        let cache_dir = cache_dir();
        let setting = Setting {
            launching: LaunchSetting {
                cache: cache_dir.as_deref().and_then(|dir| open_cache(dir, screen)),
                outputs: Arc::new(outputs),
                processes: worker_processes(cache_dir.as_deref()).map_err(|error| not_launched(error.into()))?,
            },
            signals: signals().map_err(|error| not_launched(error.into()))?,
        };
        supervise(plan, setting, &mut Notes(screen)).await.map_err(|error| not_launched(error.into()))
    })?;
    // Guests may still be on the runtime's threads for a tick; they are not waited for.
    runtime.shutdown_background();
    match args.format {
        Format::Json => screen.data(&format!("{}\n", report_json(&report))),
        Format::Text => screen.text(&report_table(&report)),
    }
    Ok(exit_status(&report))
}

fn exit_status(report: &RunReport) -> u8 {
    match report.outcome {
        Outcome::Finished => 0,
        Outcome::Failed => exit_code::NODE_FAILED,
        Outcome::Signalled(signal) => 128 + signal.number(),
    }
}

fn labels(plan: &Plan) -> Vec<String> {
    plan.workers.iter().flat_map(|worker| &worker.replicas).map(|&replica| plan.label(replica)).collect()
}

/// How this very program is started as a worker.
fn worker_processes(cache: Option<&Path>) -> std::io::Result<ProcessSetting> {
    let mut arguments = vec![OsString::from("worker")];
    if let Some(cache) = cache {
        arguments.extend(["--cache".into(), cache.into()]);
    }
    Ok(ProcessSetting { command: (std::env::current_exe()?, arguments), dir: temporary_dir()? })
}

fn temporary_dir() -> std::io::Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("lp-host-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Where compiled components are kept: `$LP_HOST_CACHE`, or `lp-host` in the user's cache directory.
fn cache_dir() -> Option<PathBuf> {
    let dir = |name, below: &str| {
        std::env::var_os(name).filter(|dir| !dir.is_empty()).map(|dir| PathBuf::from(dir).join(below))
    };
    dir("LP_HOST_CACHE", "")
        .or_else(|| dir("XDG_CACHE_HOME", "lp-host/compiled"))
        .or_else(|| dir("HOME", ".cache/lp-host/compiled"))
}

/// The compile cache in `dir`. Without one, components are compiled every time.
pub(super) fn open_cache(dir: &Path, screen: &Screen) -> Option<CompileCache> {
    match CompileCache::open(dir) {
        Ok(cache) => Some(cache),
        Err(error) => {
            screen.warning(&format!("components are compiled anew at every start: {error}"));
            None
        }
    }
}

struct Notes<'a>(&'a Screen);

impl Observer for Notes<'_> {
    fn note(&mut self, note: &Note) {
        match note {
            Note::Warning(warning) => self.0.warning(warning),
            Note::Listening { node, address } => self.0.note(&format!("`{node}` listens at {address}")),
            Note::Failed { replica, failure } => {
                self.0.error(&format!("`{replica}` failed: {}", failure.summary), failure.stack.as_deref());
            }
            Note::Restarting { replica, after, attempt, max } => {
                self.0.note(&format!("`{replica}` starts again in {after:.1?}: restart {attempt} of {max}"));
            }
            Note::GivenUp { replica, max, window } => self.0.error(
                &format!("`{replica}` has ended too often: its `restart` allows {max} restarts within {window:?}"),
                None,
            ),
            Note::Stopping { signal, grace } => self
                .0
                .note(&format!("{signal}: asking every node to stop, for up to {grace:?}; once more to stop at once")),
            Note::Killing { replicas } => {
                self.0.note(&format!("dropping what has not ended: {}", replicas.join(", ")));
            }
        }
    }
}
