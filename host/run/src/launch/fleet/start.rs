//! How the workers of a fleet are started: the seam between what is true of all of them and what a launch type adds.

use std::future::ready;
use std::io;

use futures::FutureExt;
use futures::future::BoxFuture;
use lp_base::plan::{ComponentFiles, NodeId, NodePlan};
use lp_courier::grpc::Address;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::worker::WorkerError;

/// Starts the workers of a plan, and starts one again that has ended. Each launch type whose workers run elsewhere has one.
pub trait Start: Send + Sync {
    /// Starts worker number `index` of the plan.
    ///
    /// # Errors
    /// If it can't be started.
    fn start(&self, index: usize) -> io::Result<Started>;

    /// Where the replicas of worker number `index` can be called from this process, if anywhere.
    fn address(&self, index: usize) -> Option<Address>;

    /// Ends whatever there is beside workers, which have ended or are to be ended with it. It does not take long.
    fn end(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }

    /// Sees to it that workers that run these nodes can be ordered to run them with these components.
    ///
    /// # Errors
    /// If they can't; nothing has changed then.
    fn prepare(&self, _rebuilt: Rebuilt) -> BoxFuture<'static, Result<(), WorkerError>> {
        ready(Ok(())).boxed()
    }

    /// Has workers that are started from here on run these nodes with these components, which were prepared.
    fn rebuilt(&self, _rebuilt: &Rebuilt) {}

    /// The host on which worker number `index` runs, or ran last, if that is not this one.
    fn host(&self, _index: usize) -> Option<String> {
        None
    }
}

/// Nodes as they are with other components, and where this machine has those.
pub type Rebuilt = (Vec<(NodeId, NodePlan)>, ComponentFiles);

/// A worker that was started.
pub struct Started {
    /// Takes commands, each a line of JSON. Closing it tells the worker to end.
    pub commands: Box<dyn AsyncWrite + Send + Unpin>,
    /// Gives reports, each a line of JSON, until the worker has ended.
    pub reports: Box<dyn AsyncRead + Send + Unpin>,
    /// The worker itself.
    pub life: Box<dyn Life>,
    /// Where other workers find it in this life of it, once that is known: its host and port. It is asked for while the
    /// worker lives. `None` where each of its lives is at the same place, which all know.
    pub located: Option<BoxFuture<'static, Option<String>>>,
}

/// A started worker until its end. Dropping it ends the worker at once.
pub trait Life: Send {
    /// Where it runs, once that is known.
    fn place(&self) -> Option<Place>;

    /// Ends it at once, wherever its guests are.
    fn kill(&mut self);

    /// How it ended, as the failure of the replicas that ran in it; `None` while it has not.
    fn ended(&mut self) -> Option<String>;
}

/// Where a worker runs, as a user would look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The id of the process.
    pub process: u32,
    /// The host on which it is, if that is not this one.
    pub host: Option<String>,
    /// Where it takes calls there.
    pub address: Option<String>,
}

impl Place {
    /// A process of this machine.
    pub fn here(process: u32) -> Self {
        Self { process, host: None, address: None }
    }
}
