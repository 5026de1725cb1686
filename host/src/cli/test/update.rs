//! `--update`: writes what came of calls into the files of tests.

use std::collections::BTreeMap;

use lp_program::program::{CallUpdate, Test};
use lp_testing::{Came, Report};

use super::files::Suite;
use crate::cli::replace::replace;
use crate::cli::screen::{CliError, exit_code};

/// Call errors that a test may well expect. Of the others, `failed` is a trap, and `deadline-exceeded` mostly a test that hangs.
const EXPECTABLE: [&str; 5] = ["unavailable", "cancelled", "denied", "overloaded", "too-large"];

/// What is to be written, by the file.
#[derive(Default)]
pub(super) struct Updates(BTreeMap<String, BTreeMap<(String, usize), String>>);

impl Updates {
    /// Takes what came of the calls of a test that expected something else, if nothing else made it fail. Returns how many
    /// calls that are; 0 if it stays a failure.
    pub(super) fn take(&mut self, suite: &str, test: &Test, report: &Report) -> usize {
        let changed: Vec<_> = report.answers.iter().filter(|answer| !answer.is_expected).collect();
        let outcomes = changed.iter().map(|answer| Some((answer.place?, outcome(&answer.came)?)));
        let Some(outcomes) = outcomes.collect::<Option<Vec<_>>>() else { return 0 };
        if report.problems.len() != changed.len() {
            return 0;
        }
        let of_file = self.0.entry(suite.to_owned()).or_default();
        let name = test.name.split('/').next().unwrap_or_default();
        for (place, outcome) in outcomes {
            // Tests that nodes list share the calls of their test: what came first stays, and the next run shows it if it varies.
            of_file.entry((name.to_owned(), place)).or_insert(outcome);
        }
        changed.len()
    }

    /// Writes the files.
    pub(super) fn write(self, suites: &[&Suite]) -> Result<(), CliError> {
        for suite in suites {
            let Some(changes) = self.0.get(&suite.shown()).filter(|changes| !changes.is_empty()) else { continue };
            let updates = changes.iter().map(|((test, place), outcome)| CallUpdate {
                test: test.clone(),
                place: *place,
                outcome: outcome.clone(),
            });
            if std::fs::read_to_string(suite.path()).ok().as_deref() != Some(suite.file.text()) {
                let message = format!("`{}` has changed since its tests were begun, and is not updated", suite.shown());
                return Err(CliError::new(exit_code::NOT_WRITTEN, message).hint("run the tests again"));
            }
            replace(suite.path(), &suite.file.updated(&updates.collect::<Vec<_>>())).map_err(|error| {
                CliError::new(exit_code::NOT_WRITTEN, format!("`{}` can't be written: {error}", suite.shown()))
            })?;
        }
        Ok(())
    }
}

/// What a test says that expects this.
fn outcome(came: &Came) -> Option<String> {
    match came {
        Came::Result { wave, .. } => Some(format!("-> {wave}")),
        Came::Nothing => Some(String::new()),
        Came::Error { case, .. } => EXPECTABLE.contains(case).then(|| format!("fails {case}")),
    }
}
