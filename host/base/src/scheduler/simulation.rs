//! Runs whose time is virtual and whose chance follows from a seed, on one thread.

mod thread;
mod turns;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};
use thread::{Aside, Nudge, Root};
use turns::{Party, Place, Turns};
pub use turns::{Picks, Strategy};

use super::interference::Interference;
use super::{Entropy, Scheduler};

/// The time of day at which every simulation starts, in seconds since 1970: the beginning of the year 2000.
const START_UNIX_S: u64 = 946_684_800;

/// Why a simulation has no output.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// Its thread can't be set up.
    #[error("failed to set up the simulation")]
    Runtime(#[source] io::Error),
    /// Everything waits, and no timer is set.
    #[error(
        "the simulation stands still: everything in it waits and no timer is set, so nothing can happen any more; a node \
         that serves for ever needs one that ends the program by `stop`"
    )]
    Stalled,
}

/// Runs the future that `run` makes of a simulated [`Scheduler`], on this thread, and returns its output.
///
/// Time stands still while anything can run, and then skips to the next timer. Random numbers, and the order in which tasks
/// that are ready run, follow from `seed`. So a run is the same each time, as far as it uses nothing but its scheduler and
/// what other tasks do: sockets, other processes and threads are not part of a simulation. Guests compute in no time, but
/// for a microsecond each time they read a clock; one that computes for ever needs `limits.fuel` to come to an end.
///
/// # Errors
/// If everything waits for ever.
pub fn simulate<F: Future>(seed: u64, run: impl FnOnce(Scheduler) -> F) -> Result<F::Output, SimulationError> {
    simulate_with(SimulationOptions { seed, strategy: Strategy::Uniform, interference: None }, run).0
}

/// What a simulation depends on.
#[derive(Clone, Debug)]
pub struct SimulationOptions {
    /// What random numbers and the order of tasks follow from.
    pub seed: u64,
    /// How that picks which of the tasks that are ready goes on. One runs at a time, until it waits.
    pub strategy: Strategy,
    /// What happens to calls and replicas. Where there is one, requests and answers wait for their turn as tasks do.
    pub interference: Option<Arc<dyn Interference>>,
}

/// The same as [`simulate`] with a strategy and an interference, and what the strategy picked.
///
/// # Errors
/// The output is one if everything waits for ever.
pub fn simulate_with<F: Future>(
    options: SimulationOptions,
    run: impl FnOnce(Scheduler) -> F,
) -> (Result<F::Output, SimulationError>, Picks) {
    let simulation = Arc::new(Simulation::new(options));
    let output = run_on_this_thread(&simulation, run);
    let picks = simulation.turns().picks();
    (output, picks)
}

fn run_on_this_thread<F: Future>(
    simulation: &Arc<Simulation>,
    run: impl FnOnce(Scheduler) -> F,
) -> Result<F::Output, SimulationError> {
    // Whoever waits in a simulation holds a part of its runtime, and the simulation holds whom to wake: so the runtime must not
    // hold the simulation.
    let (parked, begun, ended) = (Arc::downgrade(simulation), Arc::downgrade(simulation), Arc::downgrade(simulation));
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().on_thread_park(move || parked.upgrade().iter().for_each(|simulation| simulation.skip()));
    // wasmtime-wasi reads files on tokio's blocking threads. tokio asks for the name of such a thread before it starts it.
    builder.thread_keep_alive(Duration::from_micros(1));
    builder.thread_name_fn(move || begun.upgrade().map_or_else(String::new, |simulation| simulation.aside.begin()));
    builder.on_thread_stop(move || ended.upgrade().iter().for_each(|simulation| simulation.aside.end()));
    let runtime = builder.build().map_err(SimulationError::Runtime)?;
    runtime.block_on(async {
        let nudged = simulation.clone();
        let _nudge = tokio::spawn(std::future::poll_fn(move |cx| nudged.nudge.register(cx.waker())));
        let mut future = pin!(run(Scheduler { simulation: Some(simulation.clone()) }));
        let waker = Waker::from(simulation.root.clone());
        std::future::poll_fn(|cx| {
            if simulation.stalled.load(Ordering::Relaxed) {
                return Poll::Ready(Err(SimulationError::Stalled));
            }
            simulation.root.sleep(cx.waker());
            future.as_mut().poll(&mut Context::from_waker(&waker)).map(Ok)
        })
        .await
    })
}

/// Time, chance and the order of tasks of one [`simulate`].
pub(super) struct Simulation {
    seed: u64,
    start: Instant,
    state: Mutex<State>,
    tickers: Mutex<Vec<Ticker>>,
    turns: Mutex<Turns>,
    interference: Option<Arc<dyn Interference>>,
    nudge: Nudge,
    root: Arc<Root>,
    aside: Aside,
    stalled: AtomicBool,
}

struct State {
    /// The time since the start.
    now: Duration,
    /// Whom to wake when, by the number of the sleep where that is at the same time.
    timers: BTreeMap<(Duration, u64), Waker>,
    sleeps: u64,
    /// How often each stream of random numbers was asked for.
    streams: HashMap<String, u64>,
}

/// Something that is called as time passes.
struct Ticker {
    period: Duration,
    next: Duration,
    stopped: Arc<AtomicBool>,
    tick: Box<dyn FnMut(u64) + Send>,
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Simulation {
    fn new(SimulationOptions { seed, strategy, interference }: SimulationOptions) -> Self {
        let state = State { now: Duration::ZERO, timers: BTreeMap::new(), sleeps: 0, streams: HashMap::new() };
        Self {
            seed,
            start: Instant::now(),
            state: Mutex::new(state),
            tickers: Mutex::default(),
            turns: Mutex::new(Turns::new(strategy, generator(stream(seed, "order of tasks", 0)))),
            interference,
            nudge: Nudge::default(),
            root: Arc::default(),
            aside: Aside::default(),
            stalled: AtomicBool::new(false),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.start + self.lock().now
    }

    pub(super) fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(START_UNIX_S) + self.lock().now
    }

    pub(super) fn pass(&self, time: Duration) {
        let now = self.lock().now;
        self.pass_until(now.saturating_add(time));
    }

    /// Skips to the next timer, if nothing can run. Called when the thread has nothing left to do.
    fn skip(&self) {
        if self.root.is_awake() {
            return;
        }
        if self.aside.wait() {
            // What has ended may have woken a task.
            return self.root.wake_by_ref();
        }
        let next = self.turns().grant();
        if let Some(waker) = next {
            waker.wake();
            return self.nudge.wake();
        }
        let first = self.lock().timers.first_key_value().map(|(&(at, _), _)| at);
        match first {
            Some(at) => {
                self.pass_until(at);
                self.nudge.wake();
            }
            None => {
                self.stalled.store(true, Ordering::Relaxed);
                self.root.wake_by_ref();
            }
        }
    }

    /// Moves time on, and wakes all whose time has come.
    fn pass_until(&self, time: Duration) {
        let mut due = Vec::new();
        self.turns().begin_moment();
        {
            let mut state = self.lock();
            state.now = state.now.max(time);
            while let Some(entry) = state.timers.first_entry().filter(|entry| entry.key().0 <= time) {
                due.push(entry.remove());
            }
        }
        let mut tickers = self.tickers.lock().unwrap_or_else(PoisonError::into_inner);
        tickers.retain_mut(|ticker| {
            if ticker.next <= time {
                let periods = 1 + (time - ticker.next).as_nanos() / ticker.period.as_nanos().max(1);
                let periods = u64::try_from(periods).unwrap_or(u64::MAX);
                (ticker.tick)(periods);
                let passed = ticker.period.as_nanos().saturating_mul(u128::from(periods));
                let passed = u64::try_from(passed).map_or(Duration::MAX, Duration::from_nanos);
                ticker.next = ticker.next.saturating_add(passed);
            }
            !ticker.stopped.load(Ordering::Relaxed)
        });
        drop(tickers);
        due.into_iter().for_each(Waker::wake);
    }

    pub(super) fn sleep(self: &Arc<Self>, time: Duration) -> SimulatedSleep {
        let mut state = self.lock();
        state.sleeps += 1;
        let key = (state.now.saturating_add(time), state.sleeps);
        SimulatedSleep { simulation: self.clone(), key }
    }

    pub(super) async fn timeout<F: Future>(self: &Arc<Self>, time: Duration, future: F) -> Option<F::Output> {
        let mut sleep = self.sleep(time);
        let mut future = pin!(future);
        std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| None),
        })
        .await
    }

    pub(super) fn every(&self, period: Duration, stopped: Arc<AtomicBool>, tick: Box<dyn FnMut(u64) + Send>) {
        let next = self.lock().now.saturating_add(period);
        let mut tickers = self.tickers.lock().unwrap_or_else(PoisonError::into_inner);
        tickers.push(Ticker { period, next, stopped, tick });
    }

    pub(super) fn entropy(&self, name: &str) -> Entropy {
        let mut state = self.lock();
        let uses = state.streams.entry(name.to_owned()).or_default();
        *uses += 1;
        stream(self.seed, name, *uses)
    }

    pub(super) fn random(&self, name: &str) -> fastrand::Rng {
        generator(self.entropy(name))
    }

    /// A task that waits for its turn each time that it could go on.
    pub(super) fn ordered<F: Future + Send + 'static>(self: &Arc<Self>, future: F) -> Ordered<F::Output> {
        let party = self.turns().party();
        Ordered { turn: Turn::new(self.clone(), party), future: Box::pin(future) }
    }

    /// What happens to calls and replicas, with the time since the start.
    pub(super) fn interference(&self) -> Option<(&Arc<dyn Interference>, Duration)> {
        Some((self.interference.as_ref()?, self.lock().now))
    }

    pub(super) fn call(self: &Arc<Self>, caller: Option<u32>) -> CallTurns {
        let party = self.turns().begin_call(caller);
        CallTurns { simulation: self.clone(), caller, party }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes that a stream of random numbers starts from when it is asked for the time number `uses`.
fn stream(seed: u64, name: &str, uses: u64) -> Entropy {
    let hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(uses.to_le_bytes());
    hash.chain_update(name).finalize().into()
}

fn generator(entropy: Entropy) -> fastrand::Rng {
    let seed = entropy.first_chunk().expect("8 bytes are a part of them");
    fastrand::Rng::with_seed(u64::from_le_bytes(*seed))
}

/// A sleep in simulated time.
pub(super) struct SimulatedSleep {
    simulation: Arc<Simulation>,
    key: (Duration, u64),
}

impl Future for SimulatedSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.simulation.lock();
        if state.now >= self.key.0 {
            return Poll::Ready(());
        }
        state.timers.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for SimulatedSleep {
    fn drop(&mut self) {
        self.simulation.lock().timers.remove(&self.key);
    }
}

/// A task that goes on when it is its turn.
pub(super) struct Ordered<T> {
    turn: Turn,
    future: Pin<Box<dyn Future<Output = T> + Send>>,
}

impl<T> Future for Ordered<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        ready!(Pin::new(&mut self.turn).poll(cx));
        self.future.as_mut().poll(cx)
    }
}

/// Ends when it is the party's turn; may then be waited for again.
pub(super) struct Turn {
    simulation: Arc<Simulation>,
    party: Party,
    place: Option<Place>,
}

impl Turn {
    fn new(simulation: Arc<Simulation>, party: Party) -> Self {
        Self { simulation, party, place: None }
    }
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &self.place {
            Some(place) if place.is_granted() => {
                self.place = None;
                return Poll::Ready(());
            }
            Some(place) => self.simulation.turns().renew(place, cx.waker()),
            None => {
                let place = self.simulation.turns().wait(self.party, cx.waker());
                self.place = Some(place);
            }
        }
        Poll::Pending
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            self.simulation.turns().leave(place);
        }
    }
}

/// The turns of a call, whose requests and answers go on only then.
pub struct CallTurns {
    simulation: Arc<Simulation>,
    caller: Option<u32>,
    party: Party,
}

impl CallTurns {
    /// Waits until it is the call's turn.
    pub async fn wait(&self) {
        Turn::new(self.simulation.clone(), self.party).await;
    }
}

impl Drop for CallTurns {
    fn drop(&mut self) {
        self.simulation.turns().end_call(self.caller, self.party);
    }
}

#[cfg(test)]
mod tests;
