//! What the verbs for runs do with one on Kubernetes.

use std::time::Duration;

use lp_engine::journal::Reader;
use lp_run::observe::{LineFormat, Printer};
use lp_run::supervise::ReplicaStatus;
use tokio::time::sleep;

use super::api::ApiError;
use super::end;
use super::follow::{OnSignal, Until, not_read};
use super::log::{self, Place};
use super::runs::Run;
use crate::cli::journal::LogView;
use crate::cli::screen::{CliError, Screen, exit_code};
use crate::cli::signals;

/// How often it is looked at whether a coordinator has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Shows a run from its beginning to its end.
pub(in crate::cli) async fn attach(
    run: &Run,
    format: LineFormat,
    printer: Printer,
    screen: &Screen,
) -> Result<u8, CliError> {
    if run.coordinator().await?.is_none() && !run.cluster.has_jobs(run.id()).await? {
        let error =
            format!("the output of `{}` is gone: its Jobs were deleted, as they are a day after their end", run.id());
        let error = CliError::new(exit_code::WRONG_USAGE, error);
        return Err(error.hint(format!("`lp-host stop {}` deletes what is left of it", run.id())));
    }
    let mut signals = signals::signals().map_err(not_read)?;
    let view = (format, printer, Vec::new());
    super::show(&run.cluster, run, (Until::End, OnSignal::Leave, false), view, &mut signals, screen).await
}

/// Shows the output of a run until now, or to its end; of one node or replica if one is named.
pub(in crate::cli) async fn logs(
    run: &Run,
    (node, follows): (Option<&str>, bool),
    format: LineFormat,
    screen: &Screen,
) -> Result<(), CliError> {
    let Some(pod) = run.coordinator().await? else { return Err(gone(run)) };
    let labels: Vec<_> = run.status(&pod).await.map(|status| status.replicas).unwrap_or_default();
    let labels: Vec<_> = labels.iter().map(ReplicaStatus::label).collect();
    let view = LogView::new(node, format, &labels, screen);
    let name = pod.metadata.name.clone().unwrap_or_default();
    let (mut place, mut reader, mut is_over) = (Place::default(), Reader::default(), false);
    loop {
        let read = log::read(&run.cluster, &name, &mut place, follows, async |line| {
            is_over = is_over || reader.read(line).into_iter().any(|record| view.show(record).is_break());
            Ok(!is_over)
        });
        read.await.map_err(|error| CliError::new(exit_code::WRONG_USAGE, error))?;
        if is_over || !follows || run.coordinator().await?.is_none_or(|pod| end::is_over(&pod)) {
            return Ok(());
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// Stops a run, and deletes what is left of it when its coordinator has ended.
pub(in crate::cli) async fn stop(run: &Run, now: bool) -> Result<(), CliError> {
    let living = run.coordinator().await?.filter(|pod| !now && end::has_begun(pod) && !end::is_over(pod));
    if let Some(pod) = living {
        run.cluster.stop(&pod).await?;
        while run.coordinator().await?.is_some_and(|pod| !end::is_over(&pod)) {
            sleep(LOOK_INTERVAL).await;
        }
    }
    run.cluster.delete_root(run.id()).await?;
    let (api, root) = (run.cluster.roots(), run.root());
    while run.cluster.ask("the program", || api.get_opt(&root)).await?.is_some() {
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

fn gone(run: &Run) -> CliError {
    let what = "the log of the program".to_owned();
    let message = format!("`{}` has no coordinator", run.id());
    ApiError::Refused { what, code: 0, message }.into()
}
