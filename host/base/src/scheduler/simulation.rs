//! Runs whose time is virtual and whose chance follows from a seed, on one thread.

mod turns;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};
use turns::{Party, Place, Turns};
pub use turns::{Picks, Strategy};

use super::interference::Interference;
use super::{Entropy, Scheduler};

/// The time of day at which every simulation starts, in seconds since 1970: the beginning of the year 2000.
const START_UNIX_S: u64 = 946_684_800;

/// How long work beside a simulation is waited for, in the system's time.
const ASIDE_TIME: Duration = Duration::from_secs(10);

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

/// The threads on which work goes on beside the simulation, such as reading a file. No time passes meanwhile.
#[derive(Default)]
struct Aside {
    threads: Mutex<Threads>,
    ended: Condvar,
}

#[derive(Default)]
struct Threads {
    running: usize,
    /// Those that did not end in time, and are not waited for any more: they may wait for the simulation themselves.
    stuck: usize,
}

impl Aside {
    /// Notes that a thread is started, and names it.
    fn begin(&self) -> String {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).running += 1;
        "simulation".to_owned()
    }

    fn end(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.running -= 1;
        threads.stuck = threads.stuck.min(threads.running);
        self.ended.notify_one();
    }

    /// Waits until no thread works that may end by itself, and says whether there was any.
    fn wait(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.running <= threads.stuck {
            return false;
        }
        let works = |threads: &mut Threads| threads.running > threads.stuck;
        let waited = self.ended.wait_timeout_while(threads, ASIDE_TIME, works);
        let (mut threads, _) = waited.unwrap_or_else(PoisonError::into_inner);
        threads.stuck = threads.running;
        true
    }
}

/// A task that does nothing. Whoever is woken may have nothing to do, and then the thread would park for ever: this task has it
/// look for the next one.
#[derive(Default)]
struct Nudge(Mutex<Option<Waker>>);

impl Nudge {
    fn register(&self, waker: &Waker) -> Poll<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        Poll::Pending
    }

    fn wake(&self) {
        if let Some(waker) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake_by_ref();
        }
    }
}

/// The waker of the future that a simulation runs: knows whether that can run.
#[derive(Default)]
struct Root {
    awake: AtomicBool,
    thread: Mutex<Option<Waker>>,
}

impl Root {
    /// Notes that the future is polled, on a thread that `waker` wakes.
    fn sleep(&self, waker: &Waker) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        self.awake.store(false, Ordering::SeqCst);
    }

    fn is_awake(&self) -> bool {
        self.awake.load(Ordering::SeqCst)
    }
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.awake.store(true, Ordering::SeqCst);
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use tokio::sync::Notify;
    use tokio::task::JoinSet;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn nothing_is_left_of_a_simulation_that_has_ended() {
        let simulation = simulate(1, async |scheduler| {
            let waiting = scheduler.clone();
            // It still waits when the run ends.
            let task = scheduler.spawn(async move { waiting.sleep(HOUR).await });
            assert_eq!(scheduler.timeout(HOUR / 2, task).await.map(drop), Err(super::super::Elapsed));
            scheduler.simulation.as_ref().map(Arc::downgrade).expect("it is one")
        });
        assert_eq!(simulation.expect("it has an output").strong_count(), 0);
    }

    #[test]
    fn time_skips_to_the_next_timer_and_stands_still_while_anything_runs() {
        let simulated = simulate(1, async |scheduler| {
            let started = scheduler.stopwatch();
            let day = scheduler.wall();
            let later = scheduler.clone();
            let hour = scheduler.spawn(async move { later.sleep(HOUR).await });
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(started.elapsed(), Duration::ZERO);
            assert_eq!(scheduler.timeout(HOUR / 2, hour).await.map(drop), Err(super::super::Elapsed));
            assert_eq!(started.elapsed(), HOUR / 2);
            let mut interval = scheduler.interval(HOUR);
            interval.tick().await;
            interval.tick().await;
            assert_eq!(scheduler.wall().duration_since(day).ok(), Some(HOUR + HOUR / 2));
        });
        simulated.expect("it comes to an end");
    }

    #[test]
    fn no_time_passes_while_a_thread_of_tokio_works() {
        let simulated = simulate(1, async |scheduler| {
            let started = scheduler.stopwatch();
            for _ in 0..3 {
                let work = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(20)));
                scheduler.timeout(HOUR, work).await.expect("it ends in no time").expect("it does not panic");
            }
            assert_eq!(started.elapsed(), Duration::ZERO);
            scheduler.sleep(HOUR).await;
        });
        simulated.expect("it comes to an end");
    }

    #[test]
    fn a_ticker_counts_the_periods_that_time_skips() {
        let ticks = Arc::new(AtomicU64::new(0));
        let counted = ticks.clone();
        let simulated = simulate(1, async |scheduler| {
            let tick = move |periods| {
                counted.fetch_add(periods, Ordering::Relaxed);
            };
            let ticking = scheduler.every("ticks", Duration::from_millis(10), tick).expect("it needs no thread");
            scheduler.sleep(Duration::from_millis(95)).await;
            assert_eq!(ticks.load(Ordering::Relaxed), 9);
            scheduler.pass(Duration::from_millis(5));
            assert_eq!(ticks.load(Ordering::Relaxed), 10);
            drop(ticking);
            scheduler.sleep(HOUR).await;
            let after = ticks.load(Ordering::Relaxed);
            scheduler.sleep(HOUR).await;
            assert_eq!(ticks.load(Ordering::Relaxed), after);
        });
        simulated.expect("it comes to an end");
    }

    /// The order in which ten tasks that are ready at once run.
    fn order(seed: u64) -> Vec<u8> {
        let ran = Arc::new(Mutex::new(Vec::new()));
        let simulated = simulate(seed, async |scheduler| {
            let mut tasks = JoinSet::new();
            for number in 0..10 {
                let ran = ran.clone();
                scheduler.spawn_in(&mut tasks, async move { ran.lock().expect("no task panics").push(number) });
            }
            tasks.join_all().await;
        });
        simulated.expect("it comes to an end");
        ran.lock().expect("no task panics").clone()
    }

    #[test]
    fn the_seed_decides_on_the_order_of_tasks() {
        assert_eq!(order(1), order(1));
        let others = (2..12).filter(|&seed| order(seed) != order(1)).count();
        assert_eq!(others, 10, "ten tasks have millions of orders");
    }

    #[test]
    fn the_seed_decides_on_the_random_numbers_of_each_stream_alone() {
        let drawn = |seed, streams: &[&str]| {
            let drawn = simulate(seed, async |scheduler| {
                streams
                    .iter()
                    .map(|stream| scheduler.entropy(stream).expect("a simulation has some"))
                    .collect::<Vec<_>>()
            });
            drawn.expect("it comes to an end")
        };
        let [a, b, again] = drawn(1, &["a", "b", "a"])[..] else { panic!("it draws three times") };
        assert!(a != b && a != again && b != again);
        assert_eq!(drawn(1, &["a", "a"]), [a, again], "whatever other streams gave meanwhile");
        assert_ne!(drawn(2, &["a"]), [a]);
    }

    #[test]
    fn a_simulation_in_which_nothing_can_happen_ends_with_an_error() {
        let simulated = simulate(1, async |_| Notify::new().notified().await);
        assert!(matches!(simulated, Err(SimulationError::Stalled)), "{simulated:?}");
    }

    #[test]
    fn the_systems_scheduler_keeps_real_time_and_draws_other_numbers_each_time() {
        let scheduler = Scheduler::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be made");
        runtime.block_on(async {
            let started = scheduler.stopwatch();
            scheduler.sleep(Duration::from_millis(5)).await;
            assert!(started.elapsed() >= Duration::from_millis(5));
            assert_eq!(
                scheduler.timeout(Duration::ZERO, std::future::pending::<()>()).await,
                Err(super::super::Elapsed)
            );
            assert_eq!(scheduler.spawn(async { 7 }).await.expect("it does not panic"), 7);
        });
        let [a, b] = [(); 2].map(|()| scheduler.entropy("a").expect("the system has randomness"));
        assert_ne!(a, b);
    }
}
