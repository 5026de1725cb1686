//! `lp-host test`: runs the tests of programs.

mod chance;
mod files;
mod queue;
mod report;
mod search;
mod selection;
mod update;
mod watch;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) use chance::Chance;
use clap::ValueEnum;
use files::Suite;
use lp_base::plan::LaunchType;
use lp_build::Compile;
use lp_program::program::Override;
use lp_testing::{LINES_SHOWN_MAX, Options};
use selection::Filter;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::screen::{CliError, Screen, exit_code};
use super::{build, caches, compile, secrets, worker};

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
    /// Build the nodes and run the tests; run those of a program again when it changes, until a signal ends this
    #[arg(long, conflicts_with = "list")]
    watch: bool,
    /// Build the nodes first, as `lp-host build` does
    #[arg(long)]
    build: bool,
    /// Replace a value of the program file, such as `nodes.worker.replicas=8`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<Override>,
    /// Hold the program to the policy in this file: what it may ask for at most, whatever it says itself
    #[arg(long, value_name = "FILE", visible_alias = "limits")]
    policy: Option<PathBuf>,
    /// Write the results of calls into the files of tests where they differ from the expected ones; a test that fails for
    /// another reason is left alone
    #[arg(long, conflicts_with_all = ["list", "seeds", "time", "replay", "chaos"])]
    update: bool,
    /// How to write what came of the tests
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write a report in the format of JUnit to this file as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
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

/// What tests are run with.
struct Bench<'a> {
    args: &'a Args,
    screen: &'a Screen,
    runtime: Runtime,
    options: Arc<Options>,
    /// All that tests write is in here, so that nothing is left of one that did not end.
    _dir: TempDir,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    if args.watch {
        return watch::run(args, screen);
    }
    let suites = files::find(&args.paths)?;
    run_once(args, &suites.iter().collect::<Vec<_>>(), screen)
}

/// Runs the tests of these files that are meant.
fn run_once(args: &Args, suites: &[&Suite], screen: &Screen) -> Result<u8, CliError> {
    let filter = Filter::new(&args.names, suites);
    if args.build || args.watch {
        build_all(args, suites, screen)?;
    }
    let dir = tempfile::Builder::new().prefix("lp-").tempdir().map_err(not_run)?;
    let bench = Bench {
        args,
        screen,
        runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(not_run)?,
        options: Arc::new(options(args, dir.path(), screen)?),
        _dir: dir,
    };
    let code = bench.run(suites, &filter);
    bench.runtime.shutdown_background();
    code
}

impl Bench<'_> {
    fn run(&self, suites: &[&Suite], filter: &Filter<'_>) -> Result<u8, CliError> {
        if self.args.list {
            return selection::list(self, suites, filter);
        }
        let mut tests = match selection::select(self, suites, filter)? {
            Ok(tests) => tests,
            Err(signal) => return Ok(128 + signal.number()),
        };
        if tests.is_empty() {
            let failure = CliError::new(exit_code::WRONG_USAGE, "no test has such a name");
            return Err(failure.hint("`lp-host test --list` shows the names"));
        }
        chance::leave_out(self.args, self.screen, &mut tests);
        chance::check(self.args, &tests)?;
        let (code, updates) = queue::run_all(self, tests)?;
        updates.write(suites)?;
        Ok(code)
    }
}

fn not_run(error: impl Into<Box<dyn Error + Send + Sync>>) -> CliError {
    CliError::new(exit_code::NOT_LAUNCHED, error)
}

/// Builds the nodes of every program, those that only tests have among them, each once.
fn build_all(args: &Args, suites: &[&Suite], screen: &Screen) -> Result<(), CliError> {
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
        goes_on: args.update,
        lines_max: LINES_SHOWN_MAX,
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

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|error| {
        CliError::new(exit_code::NOT_WRITTEN, format!("`{}` can't be written: {error}", path.display()))
    })
}
