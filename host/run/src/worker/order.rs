//! The orders of a launcher to a worker: the same within a process and across processes.

use lp_base::calls::ReplicaIndex;
use lp_base::plan::{ComponentFiles, NodeId, NodePlan, ReplicaId};
use lp_courier::Blocked;
use lp_courier::Presence;
use serde::{Deserialize, Serialize};

use super::{Worker, WorkerError};

/// An order of a launcher to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Order {
    /// Something about one replica of the worker.
    Replica {
        /// The replica.
        replica: ReplicaId,
        /// The order.
        order: ReplicaOrder,
    },
    /// A replica of another worker has come or gone.
    Presence {
        /// The replica.
        replica: ReplicaId,
        /// Where it is in its life.
        presence: Presence,
    },
    /// Another worker is to be found somewhere else from here on, or nowhere until the next of these orders.
    Located {
        /// The worker, by its index in the plan.
        worker: usize,
        /// Its host and port.
        address: Option<String>,
    },
    /// Fail the call behind a hold, which is one of a ring.
    BreakHold {
        /// The hold.
        blocked: Blocked,
        /// How many calls wait for each other.
        calls: u32,
    },
    /// Fail a call that has not begun and never would: full replicas wait for each other.
    FailCall {
        /// Who made it.
        caller: ReplicaIndex,
        /// Whom it is to.
        callee: ReplicaIndex,
        /// Whether it waits in the queue of its callee, or else for room at its caller.
        queued: bool,
        /// Why it fails.
        reason: String,
    },
    /// Nodes have other components: their replicas, which have all ended or been dropped, start as these plans say from
    /// here on.
    Rebuild {
        /// The nodes.
        nodes: Vec<(NodeId, NodePlan)>,
        /// Where the machine of the launcher has the components of the program. A worker process has them in the directory of
        /// its run.
        components: ComponentFiles,
    },
    /// The program has been asked to stop.
    Stop,
    /// No more calls will come: replicas that only serve end at once, others when their `run` does.
    Close,
}

/// An order about one replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicaOrder {
    /// It does not run, and starts: for the first time or again.
    Start,
    /// It is asked to stop, alone, while the program goes on.
    Stop,
    /// It ends without taking another call; queued calls go to its next life.
    Pause,
    /// It is dropped wherever its guest is, and starts again later. No event reports its end.
    Drop,
    /// It is dropped wherever its guest is, for good. No event reports its end.
    Kill,
    /// It will not run again: calls to it are refused.
    Close,
}

impl Order {
    /// Whether a worker that obeys it may compile components, which takes its thread for seconds.
    pub fn compiles(&self) -> bool {
        matches!(self, Self::Rebuild { .. })
    }
}

impl ReplicaOrder {
    /// The order as one to `replica`.
    pub fn to(self, replica: ReplicaId) -> Order {
        Order::Replica { replica, order: self }
    }
}

impl Worker {
    /// Obeys an order. One about a replica of another worker changes at most the presence that this worker knows of it.
    ///
    /// [`Order::Rebuild`] compiles what the cache does not have, on the calling thread.
    ///
    /// # Errors
    /// If rebuilt nodes can't be loaded; the worker is then as it was.
    pub fn obey(&mut self, order: Order) -> Result<(), WorkerError> {
        match order {
            Order::Replica { replica, order } => match order {
                ReplicaOrder::Start => self.start_replica(replica),
                ReplicaOrder::Stop => self.stop_replica(replica),
                ReplicaOrder::Pause => self.pause_replica(replica),
                ReplicaOrder::Drop => self.drop_replica(replica),
                ReplicaOrder::Kill => self.kill_replica(replica),
                ReplicaOrder::Close => self.close_replica(replica),
            },
            Order::Presence { replica, presence } => self.set_presence(replica, presence),
            Order::Located { worker, address } => self.peers.locate(worker, address),
            Order::BreakHold { blocked, calls } => self.break_hold(blocked, calls),
            Order::Rebuild { nodes, components } => self.rebuild(nodes, &components)?,
            Order::FailCall { caller, callee, queued, reason } => self.fail_call(caller, callee, queued, &reason),
            Order::Stop => self.stop.request(),
            Order::Close => self.close(),
        }
        Ok(())
    }
}
