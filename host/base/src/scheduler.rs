//! Time, randomness and tasks, as the command line gives them to a worker: the system's, or those of a [`simulate`]d run.
//!
//! No other module below the command line reads a clock, draws a random number or starts a task or thread by itself.
//! `clippy.toml` lists the functions that this module replaces.

#![allow(clippy::disallowed_methods, reason = "every other module calls these functions through this one")]

mod interference;
mod simulation;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

pub use interference::{Interference, Travelling, Way};
pub use simulation::{CallTurns, Picks, SimulationError, SimulationOptions, Strategy, simulate, simulate_with};
use tokio::task::{AbortHandle, JoinError, JoinHandle, JoinSet};

use self::simulation::Simulation;

/// Ends when its time has come.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// Random bytes, enough for the seed of a cryptographic generator.
pub type Entropy = [u8; 32];

/// A source of time, randomness and tasks. A clone is the same source and costs next to nothing.
///
/// The default is the system's: the clocks of the machine, its random numbers, and the tokio runtime that a method is called
/// on. [`simulate`] makes the other one.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    simulation: Option<Arc<Simulation>>,
}

impl Scheduler {
    /// The time of a clock that never goes back.
    #[inline]
    pub fn now(&self) -> Instant {
        match &self.simulation {
            None => Instant::now(),
            Some(simulation) => simulation.now(),
        }
    }

    /// The time of day.
    pub fn wall(&self) -> SystemTime {
        match &self.simulation {
            None => SystemTime::now(),
            Some(simulation) => simulation.wall(),
        }
    }

    /// The time since the machine started, while it slept too: the same in all of its processes, set by nobody.
    pub fn boot_time(&self) -> Duration {
        match &self.simulation {
            None => {
                let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                Duration::try_from(time).unwrap_or_default()
            }
            Some(simulation) => simulation.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
        }
    }

    /// A stopwatch that starts now.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch { scheduler: self.clone(), start: self.now() }
    }

    /// Lets simulated time pass, for a guest that waits by reading its clock. The system's time passes by itself.
    pub fn pass(&self, time: Duration) {
        if let Some(simulation) = &self.simulation {
            simulation.pass(time);
        }
    }

    /// Sleeps until `at`.
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        match &self.simulation {
            None => Box::pin(tokio::time::sleep_until(at.into())),
            Some(simulation) => Box::pin(simulation.sleep(at.saturating_duration_since(simulation.now()))),
        }
    }

    /// Sleeps for `time`.
    pub fn sleep(&self, time: Duration) -> Sleep {
        match &self.simulation {
            None => Box::pin(tokio::time::sleep(time)),
            Some(simulation) => Box::pin(simulation.sleep(time)),
        }
    }

    /// The output of `future`, if it comes within `time`.
    ///
    /// # Errors
    /// If it does not. The future is dropped.
    pub async fn timeout<F: Future>(&self, time: Duration, future: F) -> Result<F::Output, Elapsed> {
        match &self.simulation {
            None => tokio::time::timeout(time, future).await.map_err(|_| Elapsed),
            Some(simulation) => simulation.timeout(time, future).await.ok_or(Elapsed),
        }
    }

    /// Ticks now, and then each time that `period` has passed since the tick before was taken.
    pub fn interval(&self, period: Duration) -> Interval {
        Interval { scheduler: self.clone(), period, next: self.sleep(Duration::ZERO) }
    }

    /// Has `tick` called whenever `period` has passed, until the result is dropped: by a thread called `name`, or as simulated
    /// time passes. It gets the number of periods that have passed, which is 1 but where a simulation skips time.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn every(
        &self,
        name: &str,
        period: Duration,
        mut tick: impl FnMut(u64) + Send + 'static,
    ) -> io::Result<Ticking> {
        let stopped = Arc::new(AtomicBool::new(false));
        match &self.simulation {
            Some(simulation) => simulation.every(period, stopped.clone(), Box::new(tick)),
            None => {
                let stop = stopped.clone();
                self.thread(name, move || {
                    while !stop.load(Ordering::Relaxed) {
                        std::thread::sleep(period);
                        tick(1);
                    }
                })?;
            }
        }
        Ok(Ticking(stopped))
    }

    /// Random bytes that nobody can guess, for secrets and as the seeds of generators. In a simulation they follow from its
    /// seed, the name of the `stream`, and how often that was asked for before: no stream depends on another one.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn entropy(&self, stream: &str) -> io::Result<Entropy> {
        match &self.simulation {
            Some(simulation) => Ok(simulation.entropy(stream)),
            None => {
                let mut bytes = Entropy::default();
                getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
                Ok(bytes)
            }
        }
    }

    /// A generator of random numbers that nothing depends on being secret, such as those that spread retries.
    pub fn random(&self, stream: &str) -> fastrand::Rng {
        match &self.simulation {
            None => fastrand::Rng::new(),
            Some(simulation) => simulation.random(stream),
        }
    }

    /// Starts a task on the tokio runtime that this is called on.
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = match &self.simulation {
            None => tokio::spawn(future),
            Some(simulation) => tokio::spawn(simulation.ordered(future)),
        };
        Task { handle, detached: false }
    }

    /// Starts a task that belongs to `tasks`.
    pub fn spawn_in<F>(&self, tasks: &mut JoinSet<F::Output>, future: F) -> AbortHandle
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match &self.simulation {
            None => tasks.spawn(future),
            Some(simulation) => tasks.spawn(simulation.ordered(future)),
        }
    }

    /// Does work that takes a thread for long. A simulation does it at once, on its only thread.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match &self.simulation {
            Some(_) => work(),
            None => {
                let done = tokio::task::spawn_blocking(work).await;
                done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
            }
        }
    }

    /// Does work that takes this thread for long, while the tasks that it had go to others.
    pub fn block_in_place<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.simulation {
            Some(_) => work(),
            None => tokio::task::block_in_place(work),
        }
    }

    /// Starts a thread. Only what deals with other processes needs one; no simulated run does.
    ///
    /// # Errors
    /// If the system has none left.
    pub fn thread(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
    }

    /// What happens to calls and replicas beside what they do themselves, with the time since the run began. There is none
    /// but in a simulation, and not in each.
    pub fn interference(&self) -> Option<(&Arc<dyn Interference>, Duration)> {
        self.simulation.as_ref()?.interference()
    }

    /// The turns of a call that `caller` makes, the replica of that number, where there is an [`Self::interference`].
    pub fn call_turns(&self, caller: Option<u32>) -> Option<CallTurns> {
        Some(self.simulation.as_ref()?.call(caller))
    }

    /// Whether this is a simulation, in which nothing may wait for the world outside.
    pub fn is_simulated(&self) -> bool {
        self.simulation.is_some()
    }
}

/// Time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time ran out")]
pub struct Elapsed;

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}

/// Measures the time since it was made.
#[derive(Clone, Debug)]
pub struct Stopwatch {
    scheduler: Scheduler,
    start: Instant,
}

impl Stopwatch {
    /// The time since it was made.
    pub fn elapsed(&self) -> Duration {
        self.scheduler.now().saturating_duration_since(self.start)
    }
}

/// Ticks of a [`Scheduler::interval`].
pub struct Interval {
    scheduler: Scheduler,
    period: Duration,
    next: Sleep,
}

impl Interval {
    /// Waits for the next tick. A wait that is dropped loses nothing.
    pub async fn tick(&mut self) {
        self.next.as_mut().await;
        self.next = self.scheduler.sleep(self.period);
    }
}

/// Calls of a [`Scheduler::every`], until this is dropped.
#[derive(Debug)]
pub struct Ticking(Arc<AtomicBool>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A task that was started. Dropping it ends the task.
#[derive(Debug)]
pub struct Task<T> {
    handle: JoinHandle<T>,
    detached: bool,
}

impl<T> Task<T> {
    /// Lets the task go on until its own end. Whoever calls this knows what brings that about.
    pub fn detach(mut self) {
        self.detached = true;
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if !self.detached {
            self.handle.abort();
        }
    }
}

impl<T> Future for Task<T> {
    /// The output of the task, unless it panicked or its runtime has ended.
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(cx)
    }
}
