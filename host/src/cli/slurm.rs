//! Programs on Slurm, from the machine where they are launched: submitted, followed, and found again.

pub(super) mod commands;
mod doctor;
mod follow;
mod launch;
mod runs;
mod shared;
mod verbs;

use std::path::Path;

pub(super) use doctor::findings;
use follow::{Followed, Job, OnSignal, Until, follow};
use launch::Rendered;
pub(super) use launch::{UNITS, steps};
use lp_run::observe::{LineFormat, Printer};
use lp_run::supervise::Signal;
pub(super) use runs::{all, find};
use serde_json::json;
use tokio::sync::mpsc;
pub(super) use verbs::{attach, logs, stop};

use super::journal::{JournalView, until_written};
use super::screen::{CliError, Screen, exit_code};
use super::to_launch::ToLaunch;
use super::{runs as local, signals};

/// Submits a program, and shows it until it ends, or is up if it is detached.
pub(super) fn run(launch: ToLaunch<'_>, shared_dir: Option<&Path>, screen: &Screen) -> Result<u8, CliError> {
    let rendered = Rendered::new(launch.plan, shared::dir(shared_dir)?)?;
    for warning in rendered.warnings() {
        screen.warning(warning);
    }
    if launch.is_dry_run {
        screen.data(rendered.script());
        return Ok(0);
    }
    local::block_on(submit(rendered, launch, screen))?
}

async fn submit(rendered: Rendered, launch: ToLaunch<'_>, screen: &Screen) -> Result<u8, CliError> {
    let mut signals = signals::signals().map_err(|error| CliError::new(exit_code::NOT_LAUNCHED, error))?;
    let job = tokio::select! {
        biased;
        job = rendered.submit(launch.plan, launch.components, screen) => job?,
        Some(signal) = signals.recv() => return Ok(128 + signal.number()),
    };
    let Job { id, number, .. } = &job;
    screen.note(&format!("`{id}` is job {number} of Slurm"));
    let plan = launch.plan;
    let labels: Vec<_> = plan.replicas().map(|replica| plan.label(replica)).collect();
    let until = if launch.is_detached { Until::Up } else { Until::End };
    let view = (launch.format, launch.printer, labels);
    show(&job, (until, OnSignal::Stop), view, &mut signals, screen).await
}

/// Shows a job, and gives the exit code of this process.
async fn show(
    job: &Job,
    (until, on_signal): (Until, OnSignal),
    (format, printer, labels): (LineFormat, Printer, Vec<String>),
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    screen: &Screen,
) -> Result<u8, CliError> {
    let terminal = screen;
    let screen = screen.printed_by(printer.clone());
    let labels = labels.iter().map(String::as_str);
    let mut view = JournalView::new(format, printer.clone(), screen.clone(), labels);
    let followed = follow(job, (until, on_signal), &mut view, signals, &screen).await;
    let (id, left) = (&job.id, format!("`{}` goes on; `lp-host stop {}` ends it", job.id, job.id));
    let (code, is_left) = match followed {
        Ok(Followed::End(end)) => (end.exit_code, false),
        Ok(Followed::Up) => {
            // Of what was shown until now, stdout had nothing: it is for the id.
            printer.written().await;
            match format {
                LineFormat::Json => {
                    terminal.data(&format!("{}\n", json!({ "type": "detached", "run": id, "job": job.number })))
                }
                _ => local::show_id(terminal, id, &format!("`{id}` runs on the cluster")),
            }
            (0, false)
        }
        Ok(Followed::Left(signal)) => {
            screen.note(&format!("detached: {left}"));
            (128 + signal.number(), true)
        }
        Ok(Followed::Cancelled(signal)) => {
            screen.note(&format!("job {} was cancelled before it ran", job.number));
            (128 + signal.number(), true)
        }
        Err(failure) => {
            screen.failure(&failure);
            (failure.code(), false)
        }
    };
    Ok(until_written(&printer, is_left, signals).await.unwrap_or(code))
}
