//! What the replicas of a run on a cluster do, as its journal tells it.

use std::time::Duration;

use lp_engine::journal::Record;
use lp_run::launch::RunId;
use lp_run::observe::{Printer, StandardStream};
use lp_run::supervise::ReplicaStatus;

use crate::cli::runs;
use crate::cli::screen::CliError;

/// How often it is looked at what the replicas do.
const STATE_INTERVAL: Duration = Duration::from_secs(1);

/// After so many looks at a run in which nothing has changed, its figures are told anyway.
const LOOKS_MAX: u32 = 10;

/// Tells what the replicas do, whenever that changes, until the run is not there any more.
pub(super) async fn tell_states(run: RunId, name: String, printer: Printer) {
    let told = async {
        let registry = runs::registry()?;
        let Some(mut client) = runs::connect(&registry, &run).await? else { return Ok(()) };
        let (mut before, mut looks) = (Vec::new(), 0);
        loop {
            let mut status = client.status().await?;
            let now: Vec<_> = status.replicas.iter().map(shape).collect();
            looks += 1;
            if now != before || looks >= LOOKS_MAX {
                (before, looks) = (now, 0);
                status.id.clone_from(&name);
                let status = serde_json::to_value(&status).unwrap_or_default();
                printer.line(StandardStream::Stdout, Record::State { status }.to_line());
            }
            tokio::time::sleep(STATE_INTERVAL).await;
        }
    };
    // It ends with the run.
    let _: Result<(), CliError> = told.await;
}

/// What is told of a replica when it changes; its figures always do.
fn shape(replica: &ReplicaStatus) -> String {
    format!("{} {:?} {:?} {:?}", replica.label(), replica.state, replica.restarts, replica.host)
}
