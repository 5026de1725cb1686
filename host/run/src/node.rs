//! The life of one replica, whatever kind of node it is of: what happens to it, as events.

mod component;
mod double;
mod interfered;
mod replay;

use std::sync::{Arc, Mutex, PoisonError};

pub use double::{Double, DoubleError};
use lp_base::plan::ReplicaId;
use lp_base::replica::{CRASHED, Ended, Failure, LINE_BYTES_MAX, ReplicaSpec};
use lp_courier::{CallError, Mailbox};
use lp_runtime::LinkedComponent;
pub use replay::Replay;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Something that happened to a replica.
#[derive(Debug)]
pub struct NodeEvent {
    /// The replica.
    pub replica: ReplicaId,
    /// What happened.
    pub change: Change,
}

/// A step in a replica's life.
#[derive(Debug, Serialize, Deserialize)]
pub enum Change {
    /// It is instantiated: its `run` starts and its calls are answered from here on.
    Started,
    /// Its `run` ended well. It goes on serving, if it has couriers.
    Ran,
    /// It ended, since the program did.
    Ended {
        /// The most memory that it had at once, in bytes.
        memory_peak: u64,
    },
    /// It failed and is gone.
    Failed {
        /// What the guest did.
        failure: Failure,
        /// The most memory that it had at once, in bytes.
        memory_peak: u64,
    },
}

impl Change {
    /// The same with no more text of the guest's than is passed on in one piece.
    pub(crate) fn cut(mut self) -> Self {
        if let Self::Failed { failure, .. } = &mut self {
            let cut = |text: &mut String| text.truncate(text.floor_char_boundary(LINE_BYTES_MAX));
            cut(&mut failure.summary);
            failure.stack.as_mut().map(cut);
        }
        self
    }
}

/// A node as its worker has prepared it, from which each of its replicas starts: one variant for each kind.
#[derive(Clone)]
pub enum Node {
    /// A component, with its imports bound.
    Component(Arc<LinkedComponent>),
    /// A stand-in for one.
    Double(Arc<Double>),
    /// The tables of a replay node.
    Replay(Arc<Replay>),
}

impl Node {
    /// One life of a replica, which answers the calls in `mailbox` and reports its steps but the last.
    async fn live(self, spec: Arc<ReplicaSpec>, mailbox: Arc<Mailbox>, report: impl Fn(Change) + Send + Sync) -> Ended {
        match self {
            Node::Component(linked) => component::live(&linked, spec, mailbox, report).await,
            Node::Double(double) => double::live(&double, &spec, &mailbox, report).await,
            Node::Replay(replay) => replay::live(&replay, &spec, &mailbox, report).await,
        }
    }

    /// Why calls of a replica wait, and for how long, if its kind knows.
    pub fn waits(&self, index: u32) -> Vec<String> {
        match self {
            Node::Component(_) | Node::Double(_) => Vec::new(),
            Node::Replay(replay) => replay.waits(index),
        }
    }
}

/// Runs a replica until its mailbox is closed or it fails, and reports every change of its life.
///
/// Where the node's restart policy, or a rebuild, lets the replica come back, its mailbox is only suspended, and this may be
/// called again.
///
/// Dropping the future drops the replica, wherever its guest is.
pub async fn run_replica(
    replica: ReplicaId,
    node: Node,
    spec: Arc<ReplicaSpec>,
    mailbox: Arc<Mailbox>,
    events: mpsc::UnboundedSender<NodeEvent>,
) {
    // The receiver lives as long as the worker; when it is gone, nobody is left to be told.
    let report = move |change| {
        let _ = events.send(NodeEvent { replica, change });
    };
    let ended = Arc::new(Mutex::new(None));
    let outcome = ended.clone();
    let life = {
        let (spec, mailbox, report) = (spec.clone(), mailbox.clone(), report.clone());
        async move {
            let ended = node.live(spec.clone(), mailbox.clone(), report).await;
            // Refuses what waits before the end is reported, so that no caller waits for a replica that is gone.
            leave(&spec, &mailbox, ended.failure.is_some());
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        }
    };
    let going = mailbox.pump().own(life);
    if spec.scheduler.interference().is_some() {
        let crashed = interfered::crashed(going, &spec).await;
        if crashed {
            let failure = Failure { summary: CRASHED.to_owned(), stack: None };
            *ended.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Ended { failure: Some(failure), exited: false, memory_peak: 0 });
        }
    } else {
        going.await;
    }
    let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
    let ended = ended.unwrap_or_else(|| Ended {
        failure: Some(Failure { summary: "the host panicked while it ran this replica".to_owned(), stack: None }),
        exited: false,
        memory_peak: 0,
    });
    // Once more, because a loop that panicked has not come to it.
    leave(&spec, &mailbox, ended.failure.is_some());
    report(match ended {
        Ended { failure: None, memory_peak, .. } => Change::Ended { memory_peak },
        Ended { failure: Some(failure), memory_peak, .. } => Change::Failed { failure, memory_peak },
    });
}

/// Leaves the mailbox of a replica that has ended: suspended where the replica may come back, else closed.
fn leave(spec: &ReplicaSpec, mailbox: &Mailbox, failed: bool) {
    let (restart, watched) = (spec.node.restart, spec.program.watched);
    match failed {
        true if restart.follows_failure() || watched => mailbox.suspend(),
        // One that was asked to stop, alone, is rebuilt.
        false if restart.follows_return() || (watched && spec.stop.is_requested()) => mailbox.suspend(),
        _ => mailbox.close(CallError::Unavailable),
    }
}
