//! Which tests are meant: those of the files, and those that their nodes list.

use lp_program::program::Test;
use lp_run::supervise::Signal;
use lp_testing::{ListingError, listed};

use super::files::Suite;
use super::queue::{Chosen, wait_for};
use super::{Args, Bench};
use crate::cli::screen::{CliError, exit_code};

/// Picks tests by their names. Those that nodes list are named after the test of the file, `TEST/NAME`.
pub(super) struct Filter<'a> {
    /// The texts that `--name` gives, each with whether it names a test of a file, or one of those that its nodes have.
    texts: Vec<(&'a str, bool)>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(names: &'a [String], suites: &[&Suite]) -> Self {
        // A whole name is no part of another one, so that a command can name one test.
        let is_whole = |text: &str| {
            let name = text.split_once('/').map_or(text, |(test, _)| test);
            suites.iter().any(|suite| suite.file.names().any(|known| known == name))
        };
        Self { texts: names.iter().map(|text| (text.as_str(), is_whole(text))).collect() }
    }

    /// Whether the test of that name is meant.
    fn has(&self, name: &str) -> bool {
        let fits = |(text, is_whole): &(&str, bool)| match is_whole {
            true => name.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            false => name.contains(text),
        };
        self.texts.is_empty() || self.texts.iter().any(fits)
    }

    /// Whether tests are meant that nodes of the test of that name may list.
    fn has_below(&self, name: &str) -> bool {
        let fits =
            |(text, is_whole): &(&str, bool)| !is_whole || text.split_once('/').is_some_and(|(test, _)| test == name);
        self.has(name) || self.texts.iter().any(fits)
    }
}

/// Shows the names of the tests that are meant.
pub(super) fn list(bench: &Bench<'_>, suites: &[&Suite], filter: &Filter<'_>) -> Result<u8, CliError> {
    let show = |suite: &Suite, name: &str| bench.screen.shown_data(&format!("{} {name}\n", suite.shown()));
    for suite in suites {
        for name in suite.file.names() {
            if !has_own_nodes(bench.args, suite, name) {
                if filter.has(name) {
                    show(suite, name);
                }
                continue;
            }
            if !filter.has_below(name) {
                continue;
            }
            let test = suite.file.test(name, &bench.args.overrides, bench.args.policy.as_deref())?;
            match expand(bench, suite, test)? {
                Ok(tests) => {
                    tests.iter().filter(|test| filter.has(&test.name)).for_each(|test| show(suite, &test.name));
                }
                Err(signal) => return Ok(128 + signal.number()),
            }
        }
    }
    Ok(0)
}

/// The tests that are meant, each checked; or the signal that ended the search for them.
pub(super) fn select(
    bench: &Bench<'_>,
    suites: &[&Suite],
    filter: &Filter<'_>,
) -> Result<Result<Vec<Chosen>, Signal>, CliError> {
    let args = bench.args;
    let mut read = Vec::new();
    let mut wrong = None;
    for suite in suites {
        let may_have = |name: &&str| filter.has(name) || (filter.has_below(name) && has_own_nodes(args, suite, name));
        for name in suite.file.names().filter(may_have) {
            match suite.file.test(name, &args.overrides, args.policy.as_deref()) {
                Ok(test) => read.push((suite, test)),
                // What is wrong with one test says nothing of the others.
                Err(problems) => {
                    if let Some(before) = wrong.replace(CliError::from(problems)) {
                        bench.screen.failure(&before);
                    }
                }
            }
        }
    }
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let mut chosen = Vec::new();
    for (suite, test) in read {
        let tests = match expand(bench, suite, test)? {
            Ok(tests) => tests,
            Err(signal) => return Ok(Err(signal)),
        };
        let tests = tests.into_iter().filter(|test| filter.has(&test.name));
        chosen.extend(tests.map(|test| Chosen { suite: suite.shown(), test }));
    }
    Ok(Ok(chosen))
}

fn has_own_nodes(args: &Args, suite: &Suite, name: &str) -> bool {
    suite.file.has_own_nodes(name, &args.overrides, args.policy.as_deref())
}

/// A test, or those that its nodes list.
fn expand(bench: &Bench<'_>, suite: &Suite, test: Test) -> Result<Result<Vec<Test>, Signal>, CliError> {
    if test.listing.is_none() {
        return Ok(Ok(vec![test]));
    }
    let shown = format!("{} {}", suite.shown(), test.name);
    let options = bench.options.clone();
    let listing = wait_for(bench, &format!("the listing of {shown}"), move || listed(test, &options))?;
    match listing {
        Err(signal) => Ok(Err(signal)),
        Ok(Ok(tests)) => Ok(Ok(tests)),
        Ok(Err(error)) => {
            let code = match error {
                ListingError::Run(_) => exit_code::NOT_LAUNCHED,
                ListingError::Failed(_) | ListingError::Bad(_) => exit_code::WRONG_PROGRAM,
            };
            let output = match &error {
                ListingError::Failed(report) => &report.output[..],
                ListingError::Run(_) | ListingError::Bad(_) => &[],
            };
            let lines = output
                .iter()
                .flat_map(|replica| replica.lines.iter().map(|line| format!("\n  {} │ {line}", replica.replica)));
            Err(CliError::new(code, format!("{shown}: {error}{}", lines.collect::<String>())))
        }
    }
}
