//! Programs on Kubernetes, from the machine where they are launched: submitted, followed, and found again.

mod api;
mod doctor;
mod end;
mod follow;
mod launch;
mod log;
mod runs;
mod verbs;
mod watch;

use api::Cluster;
pub(super) use doctor::findings;
use follow::{Followed, OnSignal, Until, follow};
use launch::Prepared;
use lp_run::observe::{LineFormat, Printer};
use lp_run::supervise::Signal;
use runs::Run;
pub(super) use runs::{find, states};
use serde_json::json;
use tokio::sync::mpsc;
pub(super) use verbs::{attach, logs, stop};

use super::journal::{JournalView, until_written};
use super::screen::{CliError, Screen, exit_code};
use super::to_launch::ToLaunch;
use super::{runs as local, signals};

/// What is said of launches on Kubernetes alone.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "On Kubernetes")]
pub(super) struct Args {
    /// The image of lp-host in a registry of the cluster, as `lp-host image` makes one; `$LP_HOST_IMAGE` if it is not said
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// The Secret with which the image is pulled, if it needs one
    #[arg(long, value_name = "NAME")]
    pull_secret: Option<String>,
    /// The namespace; that of the kubeconfig if it is not said
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// The queue of Kueue that admits the program
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Make one JobSet of the program, if the cluster has JobSet
    #[arg(long)]
    job_set: bool,
    /// Delete units whose machine is lost at once, so that they are replaced before it is known what became of it: what may still
    /// run there ends with its lease
    #[arg(long)]
    force_replace: bool,
}

/// Submits a program, and shows it until it ends, or is up if it is detached.
pub(super) fn run(launch: ToLaunch<'_>, args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let prepared = Prepared::new(&launch, args)?;
    if launch.is_dry_run {
        screen.data(&prepared.to_yaml()?);
        return Ok(0);
    }
    local::block_on(submit(prepared, launch, args, screen))?
}

async fn submit(prepared: Prepared, launch: ToLaunch<'_>, args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let mut signals = signals::signals().map_err(|error| CliError::new(exit_code::NOT_LAUNCHED, error))?;
    let cluster = Cluster::connect(args.namespace.as_deref(), screen).await?;
    let mut submitting = std::pin::pin!(prepared.submit(&cluster));
    let run = tokio::select! {
        biased;
        run = &mut submitting => run?,
        Some(signal) = signals.recv() => {
            // What was applied has an owner, which goes with all of it.
            cluster.delete_root(prepared.id()).await?;
            return Ok(128 + signal.number());
        }
    };
    screen.note(&format!("`{}` is in the namespace `{}`", run.id(), cluster.namespace));
    let plan = launch.plan;
    let labels: Vec<_> = plan.replicas().map(|replica| plan.label(replica)).collect();
    let until = if launch.is_detached { Until::Up } else { Until::End };
    let replaces = args.force_replace;
    let view = (launch.format, launch.printer, labels);
    let code = show(&cluster, &run, (until, OnSignal::Stop, replaces), view, &mut signals, screen).await?;
    if !launch.is_detached {
        cluster.delete_root(run.id()).await?;
    }
    Ok(code)
}

/// Shows a run, and gives the exit code of this process.
async fn show(
    cluster: &Cluster,
    run: &Run,
    (until, on_signal, replaces): (Until, OnSignal, bool),
    (format, printer, labels): (LineFormat, Printer, Vec<String>),
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    terminal: &Screen,
) -> Result<u8, CliError> {
    let screen = terminal.printed_by(printer.clone());
    let cluster = &cluster.shown_on(&screen);
    let labels = labels.iter().map(String::as_str);
    let mut view = JournalView::new(format, printer.clone(), screen.clone(), labels);
    let followed = follow(cluster, run, (until, on_signal, replaces), &mut view, signals).await;
    let (id, left) = (run.id(), format!("`{0}` goes on; `lp-host stop {0}` ends it", run.id()));
    let (code, is_left) = match followed {
        Ok(Followed::End(code)) => (code, false),
        Ok(Followed::Up) => {
            // The lines of the program that came until now are not shown, and this is.
            match format {
                LineFormat::Json => terminal.data(&format!("{}\n", json!({ "type": "detached", "run": id }))),
                _ => local::show_id(terminal, id, &format!("`{id}` runs on the cluster")),
            }
            (0, false)
        }
        Ok(Followed::Left(signal)) => {
            screen.note(&format!("detached: {left}"));
            (128 + signal.number(), true)
        }
        Ok(Followed::Cancelled(signal)) => {
            screen.note(&format!("`{id}` was deleted"));
            (128 + signal.number(), true)
        }
        Err(failure) => {
            screen.failure(&failure);
            (failure.code(), false)
        }
    };
    Ok(until_written(&printer, is_left, signals).await.unwrap_or(code))
}
