//! Asks the nodes of a test for the tests that they have.

use lp_base::plan::LaunchType;
use lp_base::shown;
use lp_program::program::{BadTests, Test};

use crate::report::{Came, Report};
use crate::run::{Error, Options};
use crate::trial::Trial;

/// Why the tests of a test's nodes can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// The nodes can't be run.
    #[error(transparent)]
    Run(#[from] Error),
    /// A node did not answer.
    #[error("the tests can't be listed: {}", .0.problems.join("; "))]
    Failed(Box<Report>),
    /// What a node answered names no tests.
    #[error(transparent)]
    Bad(#[from] BadTests),
}

/// The tests that stand in for `test`: those that its nodes list, or itself if they have none.
///
/// The nodes are asked in a simulated run, whatever the launch type, in which all others are silent.
///
/// # Errors
/// If a node can't be asked, or lists what can't be tests.
pub fn listed(test: Test, options: &Options) -> Result<Vec<Test>, ListingError> {
    let Some(listing) = &test.listing else { return Ok(vec![test]) };
    let options = Options {
        launch_type: LaunchType::Threads,
        dir: options.dir.clone(),
        cache: options.cache.clone(),
        worker: options.worker.clone(),
        goes_on: false,
        lines_max: options.lines_max,
        secrets: options.secrets,
    };
    let report = Trial::of_seed(0).run(listing, &options)?.report;
    if !report.passed() {
        return Err(ListingError::Failed(Box::new(report)));
    }
    let names: Vec<_> = report.answers.iter().map(|answer| texts(&answer.came)).collect();
    Ok(test.listed(&names)?)
}

/// The texts of a list. What a guest says may be anything, and is shown if it is wrong.
fn texts(came: &Came) -> Vec<String> {
    let Came::Result { json, .. } = came else { return Vec::new() };
    let texts = json.as_array().into_iter().flatten().filter_map(|text| text.as_str());
    texts.map(|text| shown::line(text).into_owned()).collect()
}
