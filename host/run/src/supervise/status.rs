//! What the replicas of a running program are doing at this moment, for whoever asks while it runs.

use std::collections::HashMap;

use lp_base::plan::{Plan, ReplicaId};
use lp_base::scheduler::{Scheduler, Stopwatch};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::outcome::ReplicaState;
use super::state::{Replica, Supervision};
use crate::launch::{Hardened, Workers};
use crate::node::Change;

/// A replica at the moment of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// The node's name.
    pub node: String,
    /// The replica's place among those of its node.
    #[serde(rename = "replica")]
    pub index: u32,
    /// Where it is in its life.
    pub state: ReplicaState,
    /// The process that it runs in; `None` if it does not at the moment.
    pub pid: Option<u32>,
    /// The host on which that process is, if it is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where that process takes calls there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The walls around that process, if it is a worker's own.
    pub hardening: Option<Hardened>,
    /// How often it was started again.
    pub restarts: u32,
    /// How long ago it was started, in milliseconds; `None` if it isn't up.
    pub uptime_ms: Option<u64>,
    /// The calls that it answered with a response.
    pub calls: u64,
    /// The calls that it answered with an error.
    pub errors: u64,
    /// How large its memories are.
    pub memory_bytes: u64,
    /// Why calls of a replay node wait, and for how long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<String>,
}

impl ReplicaStatus {
    /// What the replica is called in logs and tables, such as `producer/0`.
    pub fn label(&self) -> String {
        format!("{}/{}", self.node, self.index)
    }
}

/// Asks the loop that supervises a program for its replicas, in the order of the plan.
pub struct StatusRequest(oneshot::Sender<Vec<ReplicaStatus>>);

impl StatusRequest {
    /// A request and where its answer arrives, unless the program ends first.
    pub fn new() -> (Self, oneshot::Receiver<Vec<ReplicaStatus>>) {
        let (tx, rx) = oneshot::channel();
        (Self(tx), rx)
    }

    pub(super) fn answer(self, replicas: Vec<ReplicaStatus>) {
        // Whoever asked may have gone away.
        let _ = self.0.send(replicas);
    }
}

/// When each replica was last started, of those that were.
#[derive(Default)]
pub(super) struct Starts(HashMap<ReplicaId, Stopwatch>);

impl Starts {
    pub(super) fn on(&mut self, replica: ReplicaId, change: &Change, scheduler: &Scheduler) {
        if matches!(change, Change::Started) {
            self.0.insert(replica, scheduler.stopwatch());
        }
    }
}

/// The replicas as they are now. Before the launch is through there is no worker.
pub(super) fn replica_statuses(
    plan: &Plan,
    supervision: &Supervision,
    starts: &Starts,
    workers: Option<&Workers>,
) -> Vec<ReplicaStatus> {
    let status = |(id, replica): (ReplicaId, &Replica)| {
        let state = replica.state;
        let stats = workers.and_then(|workers| workers.stats(id));
        let is_up = matches!(state, ReplicaState::Running | ReplicaState::Ran);
        let start = starts.0.get(&id);
        let there = workers.filter(|_| is_up || state == ReplicaState::Starting);
        let place = there.and_then(|workers| workers.place(id));
        ReplicaStatus {
            node: plan.node(id.node).name.clone(),
            index: id.index,
            state,
            pid: place.as_ref().map(|place| place.process),
            address: place.as_ref().and_then(|place| place.address.clone()),
            host: place.and_then(|place| place.host),
            hardening: workers.filter(|_| is_up).and_then(|workers| workers.hardened(id)),
            restarts: replica.restarts,
            uptime_ms: start.filter(|_| is_up).map(|start| {
                u64::try_from(start.elapsed().as_millis()).expect("no process is as old as 2^64 milliseconds")
            }),
            calls: stats.as_ref().map_or(0, |stats| stats.served.calls),
            errors: stats.as_ref().map_or(0, |stats| stats.served.errors),
            memory_bytes: stats.as_ref().filter(|_| is_up).map_or(0, |stats| stats.memory_bytes),
            waits: stats.filter(|_| is_up).map_or_else(Vec::new, |stats| stats.waits),
        }
    };
    supervision.states().map(status).collect()
}
