//! A replica of a component: instantiated, run and served.

use std::error::Error;
use std::sync::Arc;

use lp_base::replica::{Ended, Failure, ReplicaSpec};
use lp_courier::Mailbox;
use lp_runtime::{LinkedComponent, StartError};

use super::Change;

/// One life of the replica: until its mailbox is closed or its guest fails.
pub(super) async fn live(
    linked: &LinkedComponent,
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
