//! `lp-host run --watch`: the watch of a program, as its user sees it.

use std::io::{stderr, stdout};
use std::path::Path;
use std::sync::Arc;

use lp_base::plan::LaunchType;
use lp_build::watch::{Event, FileId, Observer, Obstacle, Watch, WatchError, WatchOptions};
use lp_build::{Note, Task, Work};
use lp_program::program::Linked;
use lp_run::observe::{LineOutputs, Recorded};
use lp_run::worker::Compiling;

use super::not_launched;
use super::notes::{Notes, Severity};
use crate::cli::ProgramArgs;
use crate::cli::build::{Builds, environment};
use crate::cli::compile::Compilation;
use crate::cli::screen::{CliError, Screen, with_causes};

/// Builds and links a program, which writes to `log_dir` later and whose changes are watched from here on.
pub(super) fn build(
    args: &ProgramArgs,
    launch_type: LaunchType,
    log_dir: Option<&Path>,
    screen: &Screen,
) -> Result<(Watch, Linked), CliError> {
    let setting = WatchOptions {
        file: &args.program,
        overrides: &args.overrides,
        launch_type,
        policy: args.policy.as_deref(),
        log_dir,
        // The output of this process may go to a file among the source.
        own_files: [FileId::of(stdout()), FileId::of(stderr())].into_iter().flatten().collect(),
        environment: &environment(screen)?,
    };
    Ok(Watch::build(&setting, &Watching { screen, builds: Builds::new(screen), outputs: None })?)
}

impl From<WatchError> for CliError {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Build(error) => error.into(),
            WatchError::Stopped(signal) => CliError::new(128 + signal.number(), error),
            WatchError::Files(_) | WatchError::System(_) => not_launched(error),
        }
    }
}

/// Shows what a watch does, and records it among the output of the program, if that runs.
pub(super) struct Watching<'a> {
    screen: &'a Screen,
    builds: Builds<'a>,
    outputs: Option<Arc<Recorded<LineOutputs>>>,
}

impl<'a> Watching<'a> {
    /// Shows the watch of a program that runs.
    pub(super) fn of_run(screen: &'a Screen, outputs: Arc<Recorded<LineOutputs>>) -> Self {
        Self { screen, builds: Builds::amid_output(screen), outputs: Some(outputs) }
    }

    fn say(&self, severity: Severity, node: &str, text: &str) {
        let Some(outputs) = &self.outputs else { return severity.show(text, None, self.screen) };
        let compilation = Compilation::default();
        Notes { screen: self.screen, outputs, compilation, when_up: None }.say(severity, node, text, None);
    }
}

impl lp_build::Observer for Watching<'_> {
    fn begun(&self, work: &Work) -> Box<dyn Task> {
        self.builds.begun(work)
    }

    fn note(&self, note: Note<'_>) {
        self.builds.note(note);
    }

    fn compiling(&self, compiling: &Compiling) {
        self.builds.compiling(compiling);
    }
}

impl Observer for Watching<'_> {
    fn event(&self, event: Event<'_>) {
        let note = |node, text: &str| self.say(Severity::Note, node, text);
        match event {
            Event::Failed(error) => self.screen.failure(&error.into()),
            Event::NotWatched(error) => self.screen.warning(&error.to_string()),
            Event::Waiting => self.screen.note("waiting for a change"),
            Event::ProgramChanged { file } => note("", &format!("`{file}` has changed, which is for the next run")),
            Event::Unwatched { file } => {
                note("", &format!("`{file}` changes with every build, so it is not watched any more"));
            }
            Event::Unchanged { node } => note(node, &format!("`{node}` is the same as before")),
            Event::NotCopied(error) => self.say(Severity::Error, "", &format!("failed to copy a component: {error}")),
            // Each host says what it lacks in a line.
            Event::NotCompiled(error) => {
                with_causes(&error).lines().for_each(|line| self.say(Severity::Error, "", line));
            }
            Event::Kept { node, obstacle } => {
                let why = match obstacle {
                    Obstacle::Build => "was not rebuilt",
                    Obstacle::Fit => "does not fit the program any more",
                    Obstacle::Copy => "was not replaced",
                    Obstacle::Compile => "can't be run",
                };
                note(node, &format!("`{node}` {why}: it goes on as it was"));
            }
        }
    }
}
