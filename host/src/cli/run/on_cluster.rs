//! A program that an engine of a cluster runs: the same as here up to its plan.

use std::io;

use lp_base::plan::LaunchType;
use lp_build::Compile;
use lp_run::observe::Printer;

use super::output::line_format;
use super::{Args, Terminal, not_launched};
use crate::cli::cluster::Engine;
use crate::cli::screen::{CliError, Screen, exit_code};
use crate::cli::to_launch::ToLaunch;
use crate::cli::{build, kubernetes, slurm};

pub(super) fn run(engine: Engine, args: &Args, screen: &Screen) -> Result<u8, CliError> {
    check(engine, args)?;
    if args.build {
        build::build(&args.program.load()?, &[], Compile::No, screen)?;
    }
    let linked = args.program.link_elsewhere()?;
    screen.warnings(&linked.warnings);
    let (plan, components) = lp_program::lower(&linked, LaunchType::Remote);
    let format = line_format(&args.display, screen);
    // Of a program that goes on unseen, only what the host says of its launch is shown.
    let stdout: Box<dyn io::Write + Send> = if args.detach { Box::new(io::sink()) } else { Box::new(io::stdout()) };
    let printer = Printer::start(stdout, Box::new(io::stderr()), format.lost_line()).map_err(not_launched)?;
    let launch = ToLaunch {
        plan: &plan,
        components: &components,
        is_dry_run: args.cluster.dry_run,
        is_detached: args.detach,
        format,
        printer,
    };
    match engine {
        Engine::Slurm => slurm::run(launch, args.cluster.shared_dir.as_deref(), screen),
        Engine::Kubernetes => kubernetes::run(launch, &args.cluster.kubernetes, screen),
    }
}

/// Refuses what only a launcher that goes on beside the program can do.
fn check(engine: Engine, args: &Args) -> Result<(), CliError> {
    let refused = [
        (args.watch, "--watch", "run it here while you edit, as launch type `threads`"),
        (args.hosts.is_some(), "--hosts", "the engine has its own machines"),
        (args.display.terminal == Terminal::Tmux, "--terminal tmux", "`lp-host logs RUN NODE --follow` shows one node"),
        (args.display.log_dir.is_some(), "--log-dir", "`lp-host logs RUN NODE` shows the output of one node"),
    ];
    match refused.into_iter().find(|(is_asked, ..)| *is_asked) {
        None => Ok(()),
        Some((_, option, hint)) => {
            let error = format!("`{option}` is not for launch type `{engine}`");
            Err(CliError::new(exit_code::WRONG_USAGE, error).hint(hint))
        }
    }
}
