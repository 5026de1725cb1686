//! A replica of a component: started, served, and its mailbox closed behind it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{Change, NodeEvent};
use crate::courier::CallError;
use crate::plan::ReplicaId;
use crate::runtime::{Ended, Failure, Linked, ReplicaSpec, StartError};

/// Runs a replica until its mailbox is closed or its guest fails, and reports every change of its life.
///
/// Dropping the future drops the replica's store, wherever its guest is.
pub async fn run_component(
    replica: ReplicaId,
    linked: Arc<Linked>,
    spec: Arc<ReplicaSpec>,
    events: mpsc::UnboundedSender<NodeEvent>,
) {
    // The receiver lives as long as the worker; when it is gone, nobody is left to be told.
    let report = move |change| {
        let _ = events.send(NodeEvent { replica, change });
    };
    let mailbox = spec.mailbox.clone();
    let ended = Arc::new(Mutex::new(None));
    let outcome = ended.clone();
    let life = {
        let (mailbox, report) = (mailbox.clone(), report.clone());
        async move {
            let ended = live(&linked, spec, report).await;
            // Refuses what waits before the end is told, so that no caller waits for a replica that is gone.
            mailbox.close(CallError::Unavailable);
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        }
    };
    mailbox.pump().own(life).await;
    mailbox.close(CallError::Unavailable);
    let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
    let ended = ended.unwrap_or_else(|| Ended {
        failure: Some(Failure { summary: "the host panicked while it ran this replica".to_owned(), stack: None }),
        exited: false,
        memory_peak: 0,
    });
    report(match ended {
        Ended { failure: None, memory_peak, .. } => Change::Ended { memory_peak },
        Ended { failure: Some(failure), memory_peak, .. } => Change::Failed { failure, memory_peak },
    });
}

async fn live(linked: &Linked, spec: Arc<ReplicaSpec>, report: impl Fn(Change) + Send + Sync) -> Ended {
    let mailbox = spec.mailbox.clone();
    let replica = match linked.start(spec.clone()).await {
        Ok(replica) => replica,
        Err(StartError::Guest(failure)) => return failed_to_start(failure),
        Err(error) => return failed_to_start(Failure { summary: error.to_string(), stack: None }),
    };
    mailbox.open();
    report(Change::Started);
    let ended = replica.serve(mailbox, || report(Change::Ran)).await;
    if ended.exited {
        report(Change::Ran);
    }
    ended
}

fn failed_to_start(mut failure: Failure) -> Ended {
    failure.summary = format!("failed to start: {}", failure.summary);
    Ended { failure: Some(failure), exited: false, memory_peak: 0 }
}
