//! `lp-host run`: a program from its file to its end.

mod announced;
mod front;
mod launching;
mod notes;
mod on_cluster;
mod output;
mod states;
mod tmux;
mod watch;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
pub(super) use front::Front;
use launching::run_printed;
pub(super) use launching::{Beside, Cluster, Launching, run_for_journal, run_plan};
use lp_base::plan::{LaunchType, Secrets};
use lp_build::Compile;
use output::printer;

use super::cluster::{self, Launch};
use super::hosts::{self, launcher_key, placed};
use super::plan::launch_type;
use super::screen::{CliError, Screen, exit_code};
use super::{ProgramArgs, build, check, secrets};

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
    launch_type: Option<Launch>,
    /// The file of the hosts that the nodes run on, each by its agent; `$LP_HOST_HOSTS` if it is not said. `lp-host plan` shows
    /// where each goes
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// Return when the program is up, and leave it running in the background
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    cluster: cluster::ClusterArgs,
    #[command(flatten)]
    display: Display,
}

/// What becomes of output.
#[derive(Debug, clap::Args)]
struct Display {
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
    /// The records of a journal
    #[value(skip)]
    Journal,
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

impl Args {
    /// Whether a launcher is to go on in the background. On a cluster, it is the program that does.
    pub(super) fn is_detached(&self) -> bool {
        self.detach && !matches!(self.launch_type, Some(Launch::On(_)))
    }

    /// Whether what is shown is for programs.
    pub(super) fn is_json(&self) -> bool {
        self.display.format == Format::Json
    }

    /// Refuses what needs a terminal as long as the program runs.
    pub(super) fn check_detached(&self) -> Result<(), CliError> {
        let refused = |what: &str, hint: &str| {
            let error = format!("`{what}` needs a terminal, which a detached run has not");
            Err(CliError::new(exit_code::WRONG_USAGE, error).hint(hint))
        };
        match (self.watch, self.display.terminal) {
            (true, _) => refused("--watch", "leave out `--detach`, or build once by `--build`"),
            (false, Terminal::Tmux) => refused("--terminal tmux", "leave it out: `lp-host attach` shows the output"),
            (false, Terminal::Current) => Ok(()),
        }
    }
}

/// Runs a program: for the `lp-host run --detach` at the other end of `front`, or else in this terminal.
pub(super) fn run(args: Args, front: Option<Front>, screen: &mut Screen) -> Result<u8, CliError> {
    let is_json = args.is_json() && front.is_none();
    let result = launch(args, front, screen);
    if let (true, Err(CliError::Program(problems))) = (is_json, &result) {
        screen.data(&format!("{}\n", check::invalid_to_json(problems)));
    }
    result
}

fn launch(mut args: Args, front: Option<Front>, screen: &mut Screen) -> Result<u8, CliError> {
    let asked = match args.launch_type {
        Some(Launch::On(engine)) => return on_cluster::run(engine, &args, screen),
        Some(Launch::Here(launch_type)) => Some(launch_type),
        None => None,
    };
    let launch_type = launch_type(asked, args.hosts.is_some());
    args.hosts = hosts::file(args.hosts, launch_type);
    check_hosts(&args, launch_type)?;
    let (watch, linked) = match args.watch {
        true => {
            let (watch, linked) = watch::build(&args.program, launch_type, args.display.log_dir.as_deref(), screen)?;
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
    if args.display.terminal == Terminal::Tmux {
        tmux::check().map_err(|error| {
            not_launched(error).hint("install tmux, or leave out `--terminal tmux`, for the output in this terminal")
        })?;
    }
    let secrets = match launch_type {
        // Each host has its own.
        LaunchType::Remote => Secrets::default(),
        LaunchType::Threads | LaunchType::Processes => secrets::read(&plan).map_err(not_launched)?,
    };
    let printer = printer(&args.display, front.as_ref(), screen).map_err(not_launched)?;
    let cluster = None;
    let launching = Launching { plan, components, secrets, hosts, watch, front, cluster };
    run_printed(&args.display, launching, &printer, &screen.printed_by(printer.clone()))
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

fn not_launched(error: impl Into<Box<dyn Error + Send + Sync>>) -> CliError {
    CliError::new(exit_code::NOT_LAUNCHED, error)
}
