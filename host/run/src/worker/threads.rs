//! The threads of a worker's guests, apart from those of whoever commands the worker: a guest that holds a thread delays
//! no signal and no question about the run.

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
    /// Starts them. A simulation has its guests on the runtime that this is called on.
    pub(super) fn start(scheduler: &Scheduler) -> std::io::Result<Self> {
        if scheduler.is_simulated() {
            return Ok(Self { handle: Handle::current(), own: None });
        }
        let mut builder = Builder::new_multi_thread();
        let own = builder.enable_all().thread_name("guests").event_interval(POLLS_BETWEEN_LOOKS).build()?;
        Ok(Self { handle: own.handle().clone(), own: Some(own) })
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
