//! Where the output of a run goes: to this terminal, to windows of tmux, or nowhere but to those who attach.

use std::io::{self, Write};

use lp_base::plan::Plan;
use lp_run::observe::{LineFormat, LineOutputs, Printer};

use super::announced::Announced;
use super::{Display, Format, Front, Terminal, not_launched, tmux};
use crate::cli::screen::{CliError, Screen};

pub(super) fn open_windows(run: &Announced, plan: &Plan, screen: &Screen) -> Result<tmux::Session, CliError> {
    let nodes = plan.nodes.iter().map(|node| node.name.clone());
    let session = tmux::Session::open(run.dir().id(), nodes).map_err(not_launched)?;
    screen.note(&format!("the output is shown by `{}`", session.attach_command()));
    Ok(session)
}

/// How lines are written.
pub(super) fn line_format(display: &Display, screen: &Screen) -> LineFormat {
    match display.format {
        Format::Json => LineFormat::Json,
        Format::Journal => LineFormat::Journal,
        Format::Text if screen.stdout_coloured() => LineFormat::Coloured,
        Format::Text => LineFormat::Plain,
    }
}

/// What writes to the terminal while the program runs.
pub(super) fn printer(display: &Display, front: Option<&Front>, screen: &Screen) -> io::Result<Printer> {
    // Lines of JSON are for a program that reads them, wherever people look.
    let is_elsewhere = front.is_some() || (display.terminal == Terminal::Tmux && display.format == Format::Text);
    let (stdout, stderr): (Box<dyn Write + Send>, Box<dyn Write + Send>) = match is_elsewhere {
        true => (Box::new(io::sink()), Box::new(io::sink())),
        false => (Box::new(io::stdout()), Box::new(io::stderr())),
    };
    Printer::start(stdout, stderr, line_format(display, screen).lost_line())
}

pub(super) fn outputs(
    display: &Display,
    plan: &Plan,
    printer: &Printer,
    screen: &Screen,
) -> Result<LineOutputs, CliError> {
    let labels = plan.workers.iter().flat_map(|worker| &worker.replicas).map(|&replica| plan.label(replica)).collect();
    let format = line_format(display, screen);
    LineOutputs::new(labels, format, printer.clone(), display.log_dir.as_deref()).map_err(not_launched)
}
