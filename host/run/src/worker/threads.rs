//! The threads of a worker's guests, apart from those of whoever commands the worker: a guest that holds a thread delays
//! no signal and no question about the run.

use std::num::NonZero;

use lp_base::plan::{NodeKind, Plan};
use lp_base::scheduler::Scheduler;
use tokio::runtime::{Builder, Handle, Runtime};

/// How many polls come between two looks at timers and sockets: a few, since a guest's poll may take a millisecond before
/// it counts as long. More often, looking would cost calls that are short.
const POLLS_BETWEEN_LOOKS: u32 = 16;

/// A tokio runtime of its own. Dropping it drops the guests, at the latest when they next yield.
pub(super) struct Threads {
    handle: Handle,
    /// None in a simulation, all of which is on one thread.
    own: Option<Runtime>,
}

impl Threads {
    /// Starts so many, as [`Self::wanted`] says. A simulation has its guests on the runtime that this is called on.
    pub(super) fn start(count: usize, scheduler: &Scheduler) -> std::io::Result<Self> {
        if scheduler.is_simulated() {
            return Ok(Self { handle: Handle::current(), own: None });
        }
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(count).enable_all().thread_name("guests").event_interval(POLLS_BETWEEN_LOOKS);
        let own = builder.build()?;
        Ok(Self { handle: own.handle().clone(), own: Some(own) })
    }

    /// The threads that worker number `index` of `plan` can use: one for each guest, up to one for each core.
    ///
    /// A guest is on one thread at a time. Would its worker have more, what comes from a connection would be handed from one to
    /// the other on the way to it and back, at several times the price of a call. Those who wait for a guest that takes
    /// long are polled by another thread all the same: see [`Pump`](lp_courier::Pump).
    pub(super) fn wanted(plan: &Plan, index: usize) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let count = |node: usize| match plan.nodes[node].kind {
            NodeKind::Component(_) | NodeKind::Double(_) => 1,
            // Its clients are served beside each other.
            NodeKind::Replay(_) => cores,
        };
        let wanted: usize = plan.workers[index].replicas.iter().map(|replica| count(replica.node.0 as usize)).sum();
        wanted.clamp(1, cores)
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Guests may be in the middle of a step; they are not waited for.
        if let Some(runtime) = self.own.take() {
            runtime.shutdown_background();
        }
    }
}
