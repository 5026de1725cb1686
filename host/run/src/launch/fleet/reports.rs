//! What comes from a worker, read and judged: other processes of the same user, or a guest that broke out of its sandbox, may
//! write there too, so no more is believed than this worker may say.

use std::collections::HashMap;
use std::sync::Arc;

use lp_base::calls::ReplicaIndex;
use lp_base::plan::{Plan, ReplicaId};
use lp_base::replica::{LINE_BYTES_MAX, LineSink, LineSource, Outputs};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::launch::protocol::Report;

/// The longest report, without what it has for each replica: the longest line, each of its characters escaped, with room to
/// spare.
const REPORT_BYTES_MAX: u64 = 1 << 20;
/// What a report has at most for each replica of the program: whom the calls wait for that it works on.
const REPLICA_BYTES_MAX: u64 = 16 << 10;

/// The reports of one worker.
pub(super) struct Reports<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    bytes_max: u64,
    own: Own,
    is_loaded: bool,
}

/// What a worker may speak of.
struct Own {
    replicas: Vec<ReplicaId>,
    /// Every replica of the program, in the order of the numbers by which calls know them.
    numbered: Vec<ReplicaId>,
    is_watched: bool,
    index: usize,
    workers: usize,
}

/// A report that a worker can't have made in earnest.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Forged {
    #[error("it reported more than {0} bytes at once")]
    TooLong(u64),
    #[error("it reported something that is no report")]
    NoReport,
    #[error("it reported about a replica that runs elsewhere")]
    OfOthers,
    #[error("it reported twice that it had loaded")]
    LoadedTwice,
    #[error("it reported that nodes were not rebuilt, and none can be")]
    NotWatched,
}

impl<R: AsyncRead + Unpin> Reports<R> {
    /// Those of worker number `index` of `plan`.
    pub fn new(reader: R, plan: &Plan, index: usize) -> Self {
        let numbered: Vec<_> = plan.replicas().collect();
        let bytes_max = REPORT_BYTES_MAX + REPLICA_BYTES_MAX * numbered.len() as u64;
        let (replicas, workers) = (plan.workers[index].replicas.clone(), plan.workers.len());
        let own = Own { replicas, numbered, is_watched: plan.watched, index, workers };
        Self { reader: BufReader::new(reader), line: Vec::new(), bytes_max, own, is_loaded: false }
    }

    /// The next report, or `None` when there will be no more.
    pub async fn next(&mut self) -> Result<Option<Report>, Forged> {
        self.line.clear();
        let read = (&mut self.reader).take(self.bytes_max).read_until(b'\n', &mut self.line).await;
        match read {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) if self.line.last() == Some(&b'\n') => {}
            Ok(read) if read as u64 >= self.bytes_max => return Err(Forged::TooLong(self.bytes_max)),
            // The worker ended in the middle of it.
            Ok(_) => return Ok(None),
        }
        let report = serde_json::from_slice(&self.line).map_err(|_| Forged::NoReport)?;
        self.own.check(&report)?;
        if let Report::Loaded { .. } | Report::NotLoaded { .. } = report
            && std::mem::replace(&mut self.is_loaded, true)
        {
            return Err(Forged::LoadedTwice);
        }
        Ok(Some(report))
    }
}

impl Own {
    fn check(&self, report: &Report) -> Result<(), Forged> {
        let is_own = |replica: &ReplicaId| self.replicas.contains(replica);
        let is_own_number = |number: ReplicaIndex| self.numbered.get(number.0 as usize).is_some_and(is_own);
        let is_known = match report {
            Report::Node { replica, .. } => is_own(replica),
            Report::Stats(stats) => is_own(&stats.replica),
            Report::Blocked { holds, .. } => holds.iter().all(|hold| {
                // A worker sees a call from one of its ends.
                is_own_number(hold.caller) || is_own_number(hold.callee)
            }),
            Report::Standing { standing, crowds, .. } => {
                standing.iter().all(|standing| is_own_number(standing.replica))
                    && crowds.iter().all(|crowd| is_own_number(crowd.caller) || is_own_number(crowd.callee))
            }
            // A worker that is no process of this machine has a port, and calls others by theirs.
            Report::Unreachable { worker, .. } => *worker < self.workers && *worker != self.index,
            Report::Stranger { .. } => true,
            Report::NotRebuilt { .. } if !self.is_watched => return Err(Forged::NotWatched),
            // A line is judged by the sinks that the worker has.
            Report::Line { .. } => true,
            Report::Loaded { .. } | Report::NotLoaded { .. } | Report::NotRebuilt { .. } => true,
            Report::StatsTold | Report::StopRequested => true,
        };
        if is_known { Ok(()) } else { Err(Forged::OfOthers) }
    }
}

/// The sinks of a worker's replicas, by their labels.
pub(super) struct Sinks(HashMap<String, Arc<dyn LineSink>>);

impl Sinks {
    /// Those of worker number `index` of `plan`.
    pub fn new(outputs: &dyn Outputs, plan: &Plan, index: usize) -> Self {
        let labels = plan.workers[index].replicas.iter().map(|&replica| plan.label(replica));
        Self(labels.map(|label| (label.clone(), outputs.sink(&label))).collect())
    }

    /// Writes a line of the replica called `label`, or of the host about it, in pieces that are not too long.
    pub fn line(&self, label: &str, stream: LineSource, line: &str) -> Result<(), Forged> {
        let sink = self.0.get(label).ok_or(Forged::OfOthers)?;
        let mut rest = line;
        loop {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(LINE_BYTES_MAX));
            sink.line(stream, piece.as_bytes());
            if after.is_empty() {
                return Ok(());
            }
            rest = after;
        }
    }
}
