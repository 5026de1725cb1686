//! `--watch`: runs tests again when what they test has changed.

use std::collections::BTreeSet;
use std::io::{stderr, stdout};
use std::path::PathBuf;

use lp_build::Environment;
use lp_build::watch::{FileId, Sources, Subject};
use lp_program::program::Program;

use super::files::{self, Suite};
use super::{Args, run_once};
use crate::cli::build::{Builds, environment};
use crate::cli::screen::{CliError, Screen};

/// What codes from here on say: a signal ended the tests.
const SIGNALLED: u8 = 128;

/// Runs all tests that are meant, and then those of each program that changes, until a signal comes.
pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let environment = environment(screen)?;
    let mut suites = files::find(&args.paths)?;
    let mut sources = watch(args, &suites, &environment, screen)?;
    let mut concerned: BTreeSet<PathBuf> = suites.iter().map(|suite| suite.path().to_owned()).collect();
    loop {
        let chosen: Vec<_> = suites.iter().filter(|suite| concerned.contains(suite.path())).collect();
        match if chosen.is_empty() { Ok(0) } else { run_once(args, &chosen, screen) } {
            Ok(code) if code > SIGNALLED => return Ok(code),
            Ok(_) => {}
            Err(error) => screen.failure(&error),
        }
        screen.note("waiting for a change");
        let changes = match sources.next(&environment)? {
            Ok(changes) => changes,
            Err(signal) => return Ok(SIGNALLED + signal.number()),
        };
        concerned = changes.subjects.iter().map(|place| suites[*place].path().to_owned()).collect();
        if changes.is_structural {
            // With a mistake in a file, what was watched before is watched on.
            match files::find(&args.paths).and_then(|suites| {
                let sources = watch(args, &suites, &environment, screen)?;
                Ok((suites, sources))
            }) {
                Ok(read) => (suites, sources) = read,
                Err(error) => {
                    screen.failure(&error);
                    concerned.clear();
                }
            }
        }
    }
}

/// Watches the programs of these files of tests from here on.
fn watch(args: &Args, suites: &[Suite], environment: &Environment, screen: &Screen) -> Result<Sources, CliError> {
    let programs = suites.iter().map(|suite| program(args, suite)).collect::<Result<Vec<_>, CliError>>()?;
    let subjects: Vec<_> = suites
        .iter()
        .zip(&programs)
        .map(|(suite, program)| Subject { program, file: &suite.file.program, beside: suite.path() })
        .collect();
    // The output of this process may go to a file among the source.
    let own_files = [FileId::of(stdout()), FileId::of(stderr())].into_iter().flatten().collect();
    Ok(Sources::new(&subjects, own_files, environment, &Builds::new(screen))?)
}

/// A program with the nodes of all of its tests.
fn program(args: &Args, suite: &Suite) -> Result<Program, CliError> {
    let mut all: Option<Program> = None;
    for name in suite.file.names() {
        let program = suite.file.program_of(name, &args.overrides, args.policy.as_deref())?;
        let Some(all) = &mut all else {
            all = Some(program);
            continue;
        };
        for node in program.nodes {
            if !all.nodes.iter().any(|known| (&known.component, &known.build) == (&node.component, &node.build)) {
                all.nodes.push(node);
            }
        }
    }
    Ok(all.expect("a file of tests has a test"))
}
