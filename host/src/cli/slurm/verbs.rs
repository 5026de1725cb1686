//! What the verbs for runs do with one on Slurm.

use std::time::Duration;

use lp_engine::journal::Reader;
use lp_engine::slurm::JobState;
use lp_run::observe::{LineFormat, Printer};
use lp_run::supervise::ReplicaStatus;
use tokio::time::sleep;

use super::commands;
use super::follow::{OnSignal, Tail, Until};
use super::runs::Run;
use super::shared::not_launched;
use crate::cli::journal::LogView;
use crate::cli::screen::{CliError, Screen, exit_code};
use crate::cli::signals;

/// How often it is looked at whether a job has ended, or has printed more.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Shows a run from its beginning to its end.
pub(in crate::cli) async fn attach(
    run: &Run,
    format: LineFormat,
    printer: Printer,
    screen: &Screen,
) -> Result<u8, CliError> {
    let mut signals = signals::signals().map_err(|error| CliError::new(exit_code::WRONG_USAGE, error))?;
    let view = (format, printer, labels(run));
    super::show(&run.job, (Until::End, OnSignal::Leave), view, &mut signals, screen).await
}

/// Shows the output of a run until now, or to its end; of one node or replica if one is named.
pub(in crate::cli) async fn logs(
    run: &Run,
    (node, follows): (Option<&str>, bool),
    format: LineFormat,
    screen: &Screen,
) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::new(exit_code::WRONG_USAGE, error);
    let labels = labels(run);
    let view = LogView::new(node, format, &labels, screen);
    let (mut tail, mut reader, mut is_over) = (Tail::new(run.job.dir.join("journal")), Reader::default(), !follows);
    loop {
        let piece = tail.next().map_err(failed)?;
        if piece.is_empty() && is_over {
            return Ok(());
        }
        if piece.is_empty() {
            sleep(LOOK_INTERVAL).await;
            is_over = is_ended(&run.job.number).await?;
        }
        if reader.read(&piece).into_iter().any(|record| view.show(record).is_break()) {
            return Ok(());
        }
    }
}

/// Stops a run, and waits until its job is over.
pub(in crate::cli) async fn stop(run: &Run, now: bool) -> Result<(), CliError> {
    let job = &run.job.number;
    let waits = run.status.as_ref().is_some_and(|status| status.state() == JobState::Waiting);
    let asked = if now || waits { commands::cancel(job).await } else { commands::signal(job, "TERM").await };
    if let Err(error) = asked
        && !is_ended(job).await?
    {
        return Err(not_launched(error));
    }
    while !is_ended(job).await? {
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

async fn is_ended(job: &str) -> Result<bool, CliError> {
    let status = commands::status(job).await.map_err(not_launched)?;
    Ok(status.is_none_or(|status| status.state() == JobState::Ended))
}

fn labels(run: &Run) -> Vec<String> {
    let replicas = run.replicas().map(|status| status.replicas).unwrap_or_default();
    replicas.iter().map(ReplicaStatus::label).collect()
}
