//! A replica of a component: started, served, and its mailbox closed or suspended behind it.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use lp_base::plan::ReplicaId;
use lp_base::replica::{Failure, ReplicaSpec};
use lp_courier::{CallError, Mailbox};
use lp_runtime::{Ended, Linked, StartError};
use tokio::sync::mpsc;

use super::{Change, NodeEvent};

/// Runs a replica until its mailbox is closed or its guest fails, and reports every change of its life.
///
/// Where the node's restart policy, or a rebuild, lets the replica come back, its mailbox is only suspended, and this may be called
/// again.
///
/// Dropping the future drops the replica's store, wherever its guest is.
pub async fn run_component(
    replica: ReplicaId,
    linked: Arc<Linked>,
    spec: Arc<ReplicaSpec>,
    mailbox: Arc<Mailbox>,
    events: mpsc::UnboundedSender<NodeEvent>,
) {
    // The receiver lives as long as the worker; when it is gone, nobody is left to be told.
    let report = move |change| {
        let _ = events.send(NodeEvent { replica, change });
    };
    let (restart, watched, stop) = (spec.node.restart, spec.program.watched, spec.stop.clone());
    let leave = move |mailbox: &Mailbox, failed: bool| match failed {
        true if restart.follows_failure() || watched => mailbox.suspend(),
        // One that was asked to stop, alone, is rebuilt.
        false if restart.follows_return() || (watched && stop.is_requested()) => mailbox.suspend(),
        _ => mailbox.close(CallError::Unavailable),
    };
    let ended = Arc::new(Mutex::new(None));
    let outcome = ended.clone();
    let life = {
        let (mailbox, report, leave) = (mailbox.clone(), report.clone(), leave.clone());
        async move {
            let ended = live(&linked, spec, mailbox.clone(), report).await;
            // Refuses what waits before the end is told, so that no caller waits for a replica that is gone.
            leave(&mailbox, ended.failure.is_some());
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        }
    };
    mailbox.pump().own(life).await;
    let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
    let ended = ended.unwrap_or_else(|| Ended {
        failure: Some(Failure { summary: "the host panicked while it ran this replica".to_owned(), stack: None }),
        exited: false,
        memory_peak: 0,
    });
    // Once more, because a loop that panicked has not come to it.
    leave(&mailbox, ended.failure.is_some());
    report(match ended {
        Ended { failure: None, memory_peak, .. } => Change::Ended { memory_peak },
        Ended { failure: Some(failure), memory_peak, .. } => Change::Failed { failure, memory_peak },
    });
}

async fn live(
    linked: &Linked,
    spec: Arc<ReplicaSpec>,
    mailbox: Arc<Mailbox>,
    report: impl Fn(Change) + Send + Sync,
) -> Ended {
    let replica = match linked.start(spec.clone()).await {
        Ok(replica) => replica,
        Err(StartError::Guest(failure)) => return failed_to_start(failure),
        Err(error) => return failed_to_start(Failure { summary: with_cause(&error), stack: None }),
    };
    mailbox.open();
    report(Change::Started);
    let ran = || {
        // A replica that starts again ends first. When everything stops it goes on serving, as others do.
        if spec.node.restart.follows_return() && !spec.stop_requested() {
            mailbox.drain();
        }
        report(Change::Ran);
    };
    let ended = replica.serve(mailbox.clone(), &ran).await;
    if ended.exited {
        report(Change::Ran);
    }
    ended
}

fn with_cause(error: &StartError) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn failed_to_start(mut failure: Failure) -> Ended {
    failure.summary = format!("failed to start: {}", failure.summary);
    Ended { failure: Some(failure), exited: false, memory_peak: 0 }
}
