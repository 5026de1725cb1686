//! What deterministic runs follow from, as the command line says it.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use lp_program::program::parse_duration;
use lp_testing::{Happenings, Order, STEPS, Trial};

use super::Args;
use super::queue::Chosen;
use crate::cli::screen::{CliError, Screen, exit_code};

/// What deterministic runs follow from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Deterministic runs")]
pub(in crate::cli) struct Chance {
    /// What decides on everything that is left to chance in a deterministic run
    #[arg(long, value_name = "NUMBER", default_value_t = 0, conflicts_with = "no_deterministic")]
    pub(super) seed: u64,
    /// Run each test with that many seeds, from `--seed` on, and shrink the first run that fails
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["no_deterministic", "replay"], value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) seeds: Option<u64>,
    /// Run each test with seed after seed for that time, such as `60s`; with `--seeds`, for whichever ends first
    #[arg(long = "for", value_name = "TIME", conflicts_with_all = ["no_deterministic", "replay"], value_parser = duration)]
    pub(super) time: Option<Duration>,
    /// How it is picked which task or message goes on
    #[arg(long, value_enum, default_value_t = Strategy::Pct)]
    pub(super) strategy: Strategy,
    /// About how many steps a run has; a search counts those of its first run
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) steps: Option<u64>,
    /// Have a few faults happen that the seed draws, beside those of the test
    #[arg(long, conflicts_with = "no_deterministic")]
    pub(super) chaos: bool,
    /// Have happen what a search has printed and nothing else
    #[arg(long, value_name = "HAPPENINGS", conflicts_with = "no_deterministic")]
    pub(super) replay: Option<Happenings>,
    /// Draw what happened in the run of one test, or in the one that a search has found, as an SVG file
    #[arg(long, value_name = "FILE", conflicts_with = "no_deterministic")]
    pub(super) timeline: Option<PathBuf>,
}

/// How it is picked which task or message of a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Strategy {
    /// Each with the same chance
    Uniform,
    /// By priorities, of which a few change: probabilistic concurrency testing
    Pct,
}

impl Chance {
    pub(super) fn trial(&self) -> Trial {
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

/// Leaves out the tests with faults where a run can't have any, unless they were asked for by name or there are no others.
pub(super) fn leave_out(args: &Args, screen: &Screen, tests: &mut Vec<Chosen>) {
    let faulty = tests.iter().filter(|chosen| !chosen.test.faults.is_empty()).count();
    if args.is_deterministic() || !args.names.is_empty() || faulty == 0 || faulty == tests.len() {
        return;
    }
    tests.retain(|chosen| chosen.test.faults.is_empty());
    screen.note(&format!("tests with faults are left out, as they need a deterministic run: {faulty}"));
}

/// Refuses what no run can be.
pub(super) fn check(args: &Args, tests: &[Chosen]) -> Result<(), CliError> {
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
    let faulty = tests.iter().map(|chosen| &chosen.test).find(|test| !test.faults.is_empty());
    let faulty = faulty.map(|test| format!("`{}`", test.name));
    let Some(wanting) = faulty.or(wants.then(|| "a search".to_owned())) else { return Ok(()) };
    let failure = CliError::new(exit_code::WRONG_USAGE, format!("{wanting} needs a deterministic run"));
    Err(failure
        .hint("leave out `--no-deterministic` and `--launch-type test-processes`; `--name` picks tests without faults"))
}
