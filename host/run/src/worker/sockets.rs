//! The sockets of a worker, which its launcher bound.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use lp_base::lease::Lease;
use lp_base::plan::NodeId;

use super::credentials::WorkerCredentials;

/// The listening sockets of a worker. Whoever launched it bound them, so that they outlive it and are never missed.
#[derive(Default)]
pub struct Endpoints {
    /// How the workers of the program reach each other, if there are several.
    pub workers: Option<WorkerSockets>,
    /// The sockets of nodes that listen for clients outside of the program.
    pub nodes: Vec<(NodeId, TcpListener)>,
    /// Until when the worker may answer and make calls, if not for ever.
    pub lease: Option<Lease>,
}

impl Endpoints {
    /// Takes the socket of a node out, for one that serves its clients itself.
    pub(super) fn take(&mut self, node: NodeId) -> Option<TcpListener> {
        let place = self.nodes.iter().position(|(id, _)| *id == node)?;
        Some(self.nodes.swap_remove(place).1)
    }
}

/// How the workers of a program reach each other.
pub struct WorkerSockets {
    /// Where this worker listens, and how it finds the others.
    pub socket: WorkerSocket,
    /// By which they know each other.
    pub credentials: WorkerCredentials,
}

/// Where a worker listens for the others, and how it finds them.
pub enum WorkerSocket {
    /// All workers are on this machine.
    Unix {
        /// This worker's own socket.
        listener: UnixListener,
        /// The paths of all workers' sockets, by their index in the plan.
        paths: Vec<PathBuf>,
    },
    /// Workers are on several hosts, and know each other by [`WorkerCredentials::tls`]. Where the others are, orders say:
    /// [`Order::Located`](super::Order::Located).
    Tls(TcpListener),
}
