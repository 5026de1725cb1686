//! A run until its program has ended: its journal, which is the log of the coordinator's Pod, and what the cluster says of its Pods.
//!
//! Only the journal's last record is the end of a program, or the same word that the coordinator has left with its Pod. A coordinator
//! that is gone without one has failed, whatever the cluster says of its Job.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use lp_engine::kubernetes::COORDINATOR;
use lp_run::supervise::Signal;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::api::{Cluster, is_passing, shown};
use super::log::Place;
use super::runs::Run;
use super::watch::Pods;
use super::{end, log};
use crate::cli::journal::{JournalView, Told};
use crate::cli::screen::{CliError, exit_code};

/// How long it is before a log that broke off is asked for again.
const LOG_PAUSE: Duration = Duration::from_millis(500);
/// How often in a row that is tried without anything new.
const LOG_TRIES_MAX: u32 = 20;

/// What a signal to this process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnSignal {
    /// The program is asked to stop; the second time, it is deleted. SIGHUP leaves it alone.
    Stop,
    /// The program goes on without being seen.
    Leave,
}

/// Until when a run is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// All nodes are up.
    Up,
    /// It has ended.
    End,
}

/// Why a run is not followed any more.
pub(super) enum Followed {
    Up,
    /// The program has ended, with that exit code.
    End(u8),
    /// A signal came for this process, and the program goes on.
    Left(Signal),
    /// A signal came, and the program was deleted.
    Cancelled(Signal),
}

/// Shows a run until that. With `replaces`, units whose machine is lost are deleted.
///
/// # Errors
/// If it has ended without saying how, or the cluster can't be asked.
pub(super) async fn follow(
    cluster: &Cluster,
    run: &Run,
    (until, on_signal, replaces): (Until, OnSignal, bool),
    view: &mut JournalView,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
) -> Result<Followed, CliError> {
    let mut pods = Pods::new(cluster, run.id());
    let mut told = Waiting::default();
    // The Pod whose log is read, by a future that goes on while other things happen.
    let (begun_tx, begun) = mpsc::channel(1);
    let mut journal = std::pin::pin!(journal(cluster, begun, until, view));
    let mut stops = 0;
    loop {
        tokio::select! {
            biased;
            Some(signal) = signals.recv() => {
                if on_signal == OnSignal::Leave || signal == Signal::Hangup {
                    return Ok(Followed::Left(signal));
                }
                stops += 1;
                let coordinator = pods.known.values().find(|pod| end::group(pod) == COORDINATOR && end::has_begun(pod));
                match coordinator {
                    Some(coordinator) if stops == 1 => {
                        cluster.screen.note("asking the program to stop; a second signal deletes it");
                        cluster.stop(coordinator).await?;
                    }
                    _ => {
                        cluster.delete_root(run.id()).await?;
                        return Ok(Followed::Cancelled(signal));
                    }
                }
            }
            followed = &mut journal => match followed? {
                Some(followed) => return Ok(followed),
                None => return without_end(cluster, run, &mut pods).await,
            },
            changed = pods.changed() => {
                changed?;
                told.look(cluster, &pods.known, replaces).await?;
                let coordinator = pods.known.iter().find(|(_, pod)| end::group(pod) == COORDINATOR);
                match coordinator {
                    Some((name, pod)) if end::has_begun(pod) || end::is_over(pod) => {
                        told.coordinator = true;
                        // It is told once; afterwards there is no room.
                        let _ = begun_tx.try_send(name.clone());
                    }
                    Some(_) => {}
                    None if told.coordinator => {}
                    None => told.look_for_root(cluster, run).await?,
                }
            }
        }
    }
}

/// Shows the journal from its Pod's log, once that has begun. `None` if the log has an end and the run has not.
async fn journal(
    cluster: &Cluster,
    mut begun: mpsc::Receiver<String>,
    until: Until,
    view: &mut JournalView,
) -> Result<Option<Followed>, CliError> {
    let Some(pod) = begun.recv().await else { return Ok(None) };
    let (mut place, mut tries) = (Place::default(), 0);
    loop {
        let (mut followed, mut has_more) = (None, false);
        let read = log::read(cluster, &pod, &mut place, true, async |line| {
            has_more = true;
            for told in view.show(line).await? {
                match told {
                    Told::End(end) => followed = Some(Followed::End(end.exit_code)),
                    Told::Up if until == Until::Up => followed = Some(Followed::Up),
                    Told::Up | Told::State => {}
                }
            }
            Ok(followed.is_none())
        });
        let read = read.await;
        if followed.is_some() {
            return Ok(followed);
        }
        tries = if has_more { 0 } else { tries + 1 };
        match read {
            // A log ends with its container, or with the connection: it is asked for again, to know.
            Ok(()) if tries >= 2 && !has_more => match cluster.pods().get_opt(&pod).await {
                Ok(Some(pod)) if !end::is_over(&pod) => {}
                Ok(_) => return Ok(None),
                Err(error) if is_passing(&error) => {}
                Err(_) => return Ok(None),
            },
            Ok(()) => {}
            // The Pod is gone, or its machine.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            Err(error) if tries == 1 => {
                cluster.screen.warning(&format!("{}: the log of the program is asked for again", shown(&error)));
            }
            Err(_) => {}
        }
        if tries >= LOG_TRIES_MAX {
            let error = format!("the log of the Pod `{pod}`, which is the program's journal, can't be read any more");
            return Err(CliError::new(exit_code::NODE_FAILED, error).hint("the program may go on: `lp-host attach`"));
        }
        sleep(LOG_PAUSE).await;
    }
}

/// The end of a run whose journal has none: the word that its coordinator has left, or the failure that this is.
async fn without_end(cluster: &Cluster, run: &Run, pods: &mut Pods<'_>) -> Result<Followed, CliError> {
    // What the watch has seen may be older than the end of the log.
    let kept = pods.known.values().find(|pod| end::group(pod) == COORDINATOR).cloned();
    let name = kept.as_ref().and_then(|pod| pod.metadata.name.clone()).unwrap_or_default();
    let api = cluster.pods();
    let now = match name.is_empty() {
        true => None,
        false => cluster.ask("the Pod of the coordinator", || api.get_opt(&name)).await?,
    };
    if let Some(code) = now.as_ref().or(kept.as_ref()).and_then(end::exit_code) {
        cluster.screen.warning("the end of the log is lost; the exit code is the one that the coordinator has left");
        return Ok(Followed::End(code));
    }
    let says = now.as_ref().or(kept.as_ref()).map_or_else(|| "it is gone".to_owned(), end::ending);
    let words = now.as_ref().map(end::last_words).unwrap_or_default();
    let error = format!(
        "the coordinator of `{}` ended without a report of the program's end: the cluster says {says}",
        run.id()
    );
    Err(CliError::new(exit_code::NODE_FAILED, error).output(words))
}

/// What was said of Pods.
#[derive(Default)]
struct Waiting {
    /// Whether the coordinator has been there.
    coordinator: bool,
    /// What each group waits for.
    reasons: BTreeMap<String, String>,
    lost: BTreeSet<String>,
}

impl Waiting {
    /// Says what is new: what groups wait for, and which units are lost.
    async fn look(&mut self, cluster: &Cluster, pods: &BTreeMap<String, Pod>, replaces: bool) -> Result<(), CliError> {
        for (name, pod) in pods {
            let group = end::group(pod);
            if let Some(reason) = end::waits_for(pod).filter(|_| !end::is_over(pod))
                && self.reasons.get(group) != Some(&reason)
            {
                cluster.screen.note(&format!("the Pod `{name}` waits: {}", lp_base::shown::line(&reason)));
                self.reasons.insert(group.to_owned(), reason);
            }
            if end::is_lost(pod) && self.lost.insert(name.clone()) {
                let machine = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("unknown");
                let lost = format!("the Pod `{name}` is lost with its machine `{machine}`");
                if replaces {
                    cluster
                        .screen
                        .warning(&format!("{lost}; it is deleted, and what may run there ends with its lease"));
                    cluster.delete_pod(name, Some(0)).await?;
                } else {
                    cluster.screen.warning(&format!("{lost}, and replaced; `--force-replace` deletes such Pods"));
                }
            }
        }
        Ok(())
    }

    /// Fails if there is no coordinator because there is no run any more.
    async fn look_for_root(&mut self, cluster: &Cluster, run: &Run) -> Result<(), CliError> {
        let (api, name) = (cluster.roots(), run.root());
        if cluster.ask("the program", || api.get_opt(&name)).await?.is_none() {
            let error = format!("`{}` is not in the namespace `{}` any more", run.id(), cluster.namespace);
            return Err(CliError::new(exit_code::NODE_FAILED, error));
        }
        Ok(())
    }
}

/// For a journal that is only read.
pub(super) fn not_read(error: io::Error) -> CliError {
    CliError::new(exit_code::WRONG_USAGE, error)
}
