//! Runs tests, as many at a time as there are jobs, and reports each as it is done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use lp_base::scheduler::Scheduler;
use lp_program::program::Test;
use lp_run::supervise::Signal;
use lp_testing::{Options, Report, Trial, Tried};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::report::{Done, Reporter, slow};
use super::search::Search;
use super::update::Updates;
use super::{Bench, not_run, write};
use crate::cli::screen::{CliError, exit_code, with_causes};
use crate::cli::signals;

/// How long a test takes, in real time, before that is said of it.
const SLOW_TIME: Duration = Duration::from_secs(60);

/// How often tests are looked at that take long.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Runs the tests on as many threads as there are jobs. What has not ended when this returns ends with the process.
pub(super) fn run_all(bench: &Bench<'_>, tests: Vec<Chosen>) -> Result<(u8, Updates), CliError> {
    let args = bench.args;
    let jobs = args.jobs.map_or_else(|| available_parallelism().map_or(1, usize::from), usize::from);
    let mut reporter = Reporter::new(args.format, bench.screen, tests.len());
    // A search has all cores work on one test.
    let threads = if args.searches() { 1 } else { jobs.min(tests.len()) };
    let mut updates = Updates::default();
    let (results, mut done) = mpsc::unbounded_channel();
    let queue = Arc::new(Queue {
        tests,
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        running: Mutex::default(),
        options: bench.options.clone(),
        trial: args.is_deterministic().then(|| args.chance.trial()),
        search: args.searches().then(|| Search::new(args, jobs)),
        runtime: bench.runtime.handle().clone(),
    });
    for _ in 0..threads {
        let (queue, results) = (queue.clone(), results.clone());
        std::thread::Builder::new().name("test".to_owned()).spawn(move || queue.work(&results)).map_err(not_run)?;
    }
    drop(results);
    let signal = bench.runtime.block_on(async {
        let mut signals = signals::signals().map_err(not_run)?;
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            let (place, report) = tokio::select! {
                _ = looks.tick() => {
                    queue.slow().iter().for_each(|name| reporter.slow(name));
                    continue;
                }
                done = done.recv() => match done {
                    Some(done) => done,
                    None => return Ok(None),
                },
                Some(signal) = signals.recv() => return Ok::<_, CliError>(Some(signal)),
            };
            let Chosen { suite, test } = &queue.tests[place];
            let updated = if args.update { updates.take(suite, test, &report) } else { 0 };
            let failed = !report.passed() && updated == 0;
            if let (Some(path), Some(timeline)) = (&args.chance.timeline, &report.timeline) {
                write(path, &timeline.svg(&report.name))?;
            }
            reporter.done(Done { suite: suite.clone(), report, updated });
            if failed && !args.no_fail_fast && !args.update {
                return Ok(None);
            }
        }
    })?;
    queue.stopped.store(true, Ordering::Relaxed);
    if let Some(signal) = signal {
        reporter.stopped(signal);
        return Ok((128 + signal.number(), Updates::default()));
    }
    reporter.finish();
    if let Some(path) = &args.junit {
        write(path, &reporter.junit())?;
    }
    // A test that ended without a report has not passed.
    Ok((if reporter.all_passed() { 0 } else { exit_code::NODE_FAILED }, updates))
}

/// Does something that may take long on a thread of its own, and says so if it does. A signal ends the wait for it.
pub(super) fn wait_for<T: Send + 'static>(
    bench: &Bench<'_>,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Result<T, Signal>, CliError> {
    let (done, result) = oneshot::channel();
    let work = move || {
        // Nobody waits for it after a signal.
        let _ = done.send(work());
    };
    std::thread::Builder::new().name("listing".to_owned()).spawn(work).map_err(not_run)?;
    bench.runtime.block_on(async {
        let mut signals = signals::signals().map_err(not_run)?;
        let mut result = std::pin::pin!(result);
        loop {
            tokio::select! {
                result = &mut result => return Ok(Ok(result.map_err(not_run)?)),
                Some(signal) = signals.recv() => return Ok(Err(signal)),
                () = tokio::time::sleep(SLOW_TIME) => bench.screen.note(&slow(what)),
            }
        }
    })
}

/// A test that is to be run.
pub(super) struct Chosen {
    /// The file that it is in.
    pub(super) suite: String,
    pub(super) test: Test,
}

/// The tests that are to be run.
struct Queue {
    tests: Vec<Chosen>,
    next: AtomicUsize,
    stopped: AtomicBool,
    /// When those that run were begun, until it is said of them that they take long.
    running: Mutex<BTreeMap<usize, Instant>>,
    options: Arc<Options>,
    /// What deterministic runs follow from.
    trial: Option<Trial>,
    search: Option<Search>,
    runtime: Handle,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Instant>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tests that have taken long by now, each once. In virtual time a guest that computes for ever never times out.
    fn slow(&self) -> Vec<String> {
        let slow: Vec<usize> = {
            let mut running = self.lock();
            let slow = running.extract_if(.., |_, begun| begun.elapsed() >= SLOW_TIME);
            slow.map(|(place, _)| place).collect()
        };
        slow.into_iter().map(|place| format!("{} {}", self.tests[place].suite, self.tests[place].test.name)).collect()
    }

    /// Runs one test after the other, as long as there are any, and reports each with its place.
    fn work(&self, results: &mpsc::UnboundedSender<(usize, Report)>) {
        while !self.stopped.load(Ordering::Relaxed) {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(Chosen { suite, test }) = self.tests.get(place) else { return };
            if self.search.is_none() {
                self.lock().insert(place, Instant::now());
            }
            let result = match &self.trial {
                Some(trial) => match &self.search {
                    Some(search) => search.run(suite, test, &self.options, trial),
                    None => trial.run(test, &self.options).map(Tried::into_report),
                },
                None => self.runtime.block_on(lp_testing::run(test, &self.options, Scheduler::default())),
            };
            self.lock().remove(&place);
            if results.send((place, result.unwrap_or_else(|error| unrun(test, &error)))).is_err() {
                return;
            }
        }
    }
}

/// The report of a test that could not be run: a failure like any other, and the next one may run.
fn unrun(test: &Test, error: &lp_testing::Error) -> Report {
    Report {
        name: test.name.clone(),
        problems: vec![with_causes(error)],
        output: Vec::new(),
        answers: Vec::new(),
        elapsed: Duration::ZERO,
        seeds: 0,
        found: None,
        timeline: None,
    }
}
