//! `lp-host test`: runs the tests of programs.

mod files;
mod report;
mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use files::Suite;
use lp_base::plan::LaunchType;
use lp_base::scheduler::Scheduler;
use lp_build::Compile;
use lp_program::program::{Override, Test, parse_duration};
use lp_testing::{Happenings, Options, Order, Report, STEPS, Trial, Tried};
use report::{Done, Reporter};
use search::Search;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::screen::{CliError, Screen, exit_code};
use super::{build, caches, compile, secrets, signals, worker};

/// How long a test takes, in real time, before that is said of it.
const SLOW_TIME: Duration = Duration::from_secs(60);

/// How often tests are looked at that take long.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Runs the tests of programs, each in a sandbox of its own
///
/// The tests of `program.toml` are in `program.test.toml` beside it: calls with expected results, nodes that drive the
/// program, doubles in place of nodes, and what must have become of it. A test has no sockets, no HTTP requests and no
/// secrets unless it asks for them, and writes to copies. Exits with 0 if all tests passed, with 1 if one failed, with 3 if
/// a program or a test is wrong.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Programs, files of tests, or folders in which every `*.test.toml` is looked for
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// Run only the test of this name, or those whose names have this text in them; may be given several times
    #[arg(long = "name", short = 'n', value_name = "TEXT")]
    names: Vec<String>,
    /// Show the tests instead of running them
    #[arg(long)]
    list: bool,
    /// Go on after a test has failed
    #[arg(long)]
    no_fail_fast: bool,
    /// How many tests run at the same time [default: as many as there are cores]
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// What the nodes of a test run as
    #[arg(long, value_enum, value_name = "TYPE", default_value_t = Launch::TestThreads)]
    launch_type: Launch,
    #[command(flatten)]
    chance: Chance,
    /// Run in real time, with the threads and the chance of this machine; `test-processes` always does
    #[arg(long)]
    no_deterministic: bool,
    /// Build the nodes first, as `lp-host build` does
    #[arg(long)]
    build: bool,
    /// Replace a value of the program file, such as `nodes.worker.replicas=8`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<Override>,
    /// Hold the program to the policy in this file: what it may ask for at most, whatever it says itself
    #[arg(long, value_name = "FILE", visible_alias = "limits")]
    policy: Option<PathBuf>,
    /// How to write what came of the tests
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write a report in the format of JUnit to this file as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// What deterministic runs follow from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Deterministic runs")]
pub(super) struct Chance {
    /// What decides on everything that is left to chance in a deterministic run
    #[arg(long, value_name = "NUMBER", default_value_t = 0, conflicts_with = "no_deterministic")]
    seed: u64,
    /// Run each test with that many seeds, from `--seed` on, and shrink the first run that fails
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["no_deterministic", "replay"], value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Run each test with seed after seed for that time, such as `60s`; with `--seeds`, for whichever ends first
    #[arg(long = "for", value_name = "TIME", conflicts_with_all = ["no_deterministic", "replay"], value_parser = duration)]
    time: Option<Duration>,
    /// How it is picked which task or message goes on
    #[arg(long, value_enum, default_value_t = Strategy::Pct)]
    strategy: Strategy,
    /// About how many steps a run has; a search counts those of its first run
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Have a few faults happen that the seed draws, beside those of the test
    #[arg(long, conflicts_with = "no_deterministic")]
    chaos: bool,
    /// Have happen what a search has printed and nothing else
    #[arg(long, value_name = "HAPPENINGS", conflicts_with = "no_deterministic")]
    replay: Option<Happenings>,
    /// Draw what happened in the run of one test, or in the one that a search has found, as an SVG file
    #[arg(long, value_name = "FILE", conflicts_with = "no_deterministic")]
    timeline: Option<PathBuf>,
}

/// How it is picked which task or message of a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Strategy {
    /// Each with the same chance
    Uniform,
    /// By priorities, of which a few change: probabilistic concurrency testing
    Pct,
}

impl Chance {
    fn trial(&self) -> Trial {
        Trial {
            order: match self.strategy {
                Strategy::Uniform => Order::Uniform,
                Strategy::Pct => Order::Pct,
            },
            steps: self.steps.unwrap_or(STEPS),
            chaos: self.chaos,
            happenings: self.replay.clone(),
            ..Trial::of_seed(self.seed)
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a number and a unit are expected, such as `60s`; units: ms, s, m, h".to_owned())
}

/// What the nodes of a test run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Launch {
    /// Threads of this process
    #[value(alias = "test_mt")]
    TestThreads,
    /// Processes of their own
    #[value(alias = "test_mp")]
    TestProcesses,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line for each test, and what was wrong with those that failed
    Text,
    /// One JSON object a line on stdout: each test, then a summary
    Json,
    /// As text, with an annotation for GitHub for each test that failed
    Github,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let suites = files::find(&args.paths)?;
    // A whole name is no part of another one, so that a command can name one test.
    let is_whole = |text: &str| suites.iter().any(|suite| suite.file.names().any(|name| name == text));
    let fits = |text: &str, name: &str| if is_whole(text) { name == text } else { name.contains(text) };
    let wanted = |name: &str| args.names.is_empty() || args.names.iter().any(|text| fits(text, name));
    if args.list {
        for suite in &suites {
            suite.file.names().filter(|name| wanted(name)).for_each(|name| {
                screen.shown_data(&format!("{} {name}\n", suite.shown()));
            });
        }
        return Ok(0);
    }
    if args.build {
        build_all(args, &suites, screen)?;
    }
    let mut tests = Vec::new();
    let mut wrong = None;
    for suite in &suites {
        for name in suite.file.names().filter(|name| wanted(name)) {
            match suite.file.test(name, &args.overrides, args.policy.as_deref()) {
                Ok(test) => tests.push((suite.shown(), test)),
                // What is wrong with one test says nothing of the others.
                Err(problems) => {
                    if let Some(before) = wrong.replace(CliError::from(problems)) {
                        screen.failure(&before);
                    }
                }
            }
        }
    }
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    if tests.is_empty() {
        let failure = CliError::new(exit_code::WRONG_USAGE, "no test has such a name");
        return Err(failure.hint("`lp-host test --list` shows the names"));
    }
    check_chance(args, &tests)?;
    run_all(args, tests, screen)
}

/// Refuses what no run can be.
fn check_chance(args: &Args, tests: &[(String, Test)]) -> Result<(), CliError> {
    let Chance { timeline, replay, .. } = &args.chance;
    if (timeline.is_some() || replay.is_some()) && tests.len() > 1 {
        let failure = CliError::new(exit_code::WRONG_USAGE, format!("{} tests are one too many for that", tests.len()));
        return Err(failure.hint("`--timeline` and `--replay` take one test, which `--name` picks"));
    }
    if args.is_deterministic() {
        return Ok(());
    }
    let wants = args.chance.seeds.is_some() || args.chance.time.is_some() || args.chance.chaos;
    let wants = wants || timeline.is_some() || replay.is_some();
    let faulty = tests.iter().find(|(_, test)| !test.faults.is_empty()).map(|(_, test)| format!("`{}`", test.name));
    let Some(wanting) = faulty.or(wants.then(|| "a search".to_owned())) else { return Ok(()) };
    let failure = CliError::new(exit_code::WRONG_USAGE, format!("{wanting} needs a deterministic run"));
    Err(failure
        .hint("leave out `--no-deterministic` and `--launch-type test-processes`; `--name` picks tests without faults"))
}

fn not_run(error: impl Into<Box<dyn Error + Send + Sync>>) -> CliError {
    CliError::new(exit_code::NOT_LAUNCHED, error)
}

/// Builds the nodes of every program, those that only tests have among them, each once.
fn build_all(args: &Args, suites: &[Suite], screen: &Screen) -> Result<(), CliError> {
    let mut built: BTreeSet<(PathBuf, PathBuf, Option<String>)> = BTreeSet::new();
    for suite in suites {
        for name in suite.file.names() {
            let program = suite.file.program_of(name, &args.overrides, args.policy.as_deref())?;
            let key =
                |node: &lp_program::program::Node| (program.dir.clone(), node.component.clone(), node.build.clone());
            let nodes = program.nodes.iter().filter(|node| node.build.is_some() && !built.contains(&key(node)));
            let names: Vec<_> = nodes.map(|node| node.name.clone()).collect();
            if !names.is_empty() {
                build::build(&program, &names, Compile::No, screen)?;
            }
            built.extend(program.nodes.iter().map(key));
        }
    }
    Ok(())
}

/// Runs the tests on as many threads as there are jobs. What has not ended when this returns ends with the process.
fn run_all(args: &Args, tests: Vec<(String, Test)>, screen: &Screen) -> Result<u8, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(not_run)?;
    // All that tests write is in here, so that nothing is left of one that did not end.
    let dir = tempfile::Builder::new().prefix("lp-").tempdir().map_err(not_run)?;
    let jobs = args.jobs.map_or_else(|| available_parallelism().map_or(1, usize::from), usize::from);
    let mut reporter = Reporter::new(args.format, screen, tests.len());
    // A search has all cores work on one test.
    let threads = if args.searches() { 1 } else { jobs.min(tests.len()) };
    let (results, mut done) = mpsc::unbounded_channel();
    let queue = Arc::new(Queue {
        tests,
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        running: Mutex::default(),
        options: options(args, dir.path(), screen)?,
        trial: args.is_deterministic().then(|| args.chance.trial()),
        search: args.searches().then(|| Search::new(&args.chance, jobs)),
        runtime: runtime.handle().clone(),
    });
    for _ in 0..threads {
        let (queue, results) = (queue.clone(), results.clone());
        std::thread::Builder::new().name("test".to_owned()).spawn(move || queue.work(&results)).map_err(not_run)?;
    }
    drop(results);
    let signal = runtime.block_on(async {
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
            let failed = !report.passed();
            if let (Some(path), Some(timeline)) = (&args.chance.timeline, &report.timeline) {
                write(path, &timeline.svg(&report.name))?;
            }
            reporter.done(Done { suite: queue.tests[place].0.clone(), report });
            if failed && !args.no_fail_fast {
                return Ok(None);
            }
        }
    })?;
    queue.stopped.store(true, Ordering::Relaxed);
    runtime.shutdown_background();
    if let Some(signal) = signal {
        reporter.stopped(signal);
        return Ok(128 + signal.number());
    }
    reporter.finish();
    if let Some(path) = &args.junit {
        write(path, &reporter.junit())?;
    }
    // A test that ended without a report has not passed.
    Ok(if reporter.all_passed() { 0 } else { exit_code::NODE_FAILED })
}

fn options(args: &Args, dir: &Path, screen: &Screen) -> Result<Options, CliError> {
    let (cache_dir, bytes_max) = (caches::compiled(), caches::compiled_bytes_max()?);
    Ok(Options {
        launch_type: match args.launch_type {
            Launch::TestThreads => LaunchType::Threads,
            Launch::TestProcesses => LaunchType::Processes,
        },
        dir: dir.to_owned(),
        cache: cache_dir.as_deref().and_then(|dir| compile::open_cache(dir, bytes_max, screen)),
        worker: worker::command(cache_dir.as_deref(), bytes_max).map_err(not_run)?,
        secrets: |plan| secrets::read(plan).map_err(|missing| missing.to_string()),
    })
}

impl Args {
    fn searches(&self) -> bool {
        self.chance.seeds.is_some() || self.chance.time.is_some()
    }

    fn is_deterministic(&self) -> bool {
        self.launch_type == Launch::TestThreads && !self.no_deterministic
    }
}

/// The tests that are to be run.
struct Queue {
    /// Each with its file.
    tests: Vec<(String, Test)>,
    next: AtomicUsize,
    stopped: AtomicBool,
    /// When those that run were begun, until it is said of them that they take long.
    running: Mutex<BTreeMap<usize, Instant>>,
    options: Options,
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
        slow.into_iter().map(|place| format!("{} {}", self.tests[place].0, self.tests[place].1.name)).collect()
    }

    /// Runs one test after the other, as long as there are any, and reports each with its place.
    fn work(&self, results: &mpsc::UnboundedSender<(usize, Report)>) {
        while !self.stopped.load(Ordering::Relaxed) {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((suite, test)) = self.tests.get(place) else { return };
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

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|error| {
        CliError::new(exit_code::NOT_WRITTEN, format!("`{}` can't be written: {error}", path.display()))
    })
}

/// The report of a test that could not be run: a failure like any other, and the next one may run.
fn unrun(test: &Test, error: &lp_testing::Error) -> Report {
    Report {
        name: test.name.clone(),
        problems: vec![super::screen::with_causes(error)],
        output: Vec::new(),
        calls: 0,
        elapsed: Duration::ZERO,
        seeds: 0,
        found: None,
        timeline: None,
    }
}
