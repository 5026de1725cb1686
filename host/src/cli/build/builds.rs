//! Builds as their user sees them: a line for each on a terminal while it goes on, and notes elsewhere.

use std::sync::{Mutex, PoisonError};

use lp_build::{Note, Observer, Work};
use lp_run::worker::Compiling;

use crate::cli::compile::{self, Compilation};
use crate::cli::screen::{Screen, Task};

/// Shows builds.
pub(in crate::cli) struct Builds<'a> {
    screen: &'a Screen,
    /// Whether nodes print meanwhile, with which lines that show progress would be mixed.
    amid_output: bool,
    compilation: Mutex<Compilation>,
}

impl<'a> Builds<'a> {
    /// Shows builds that nothing else goes on beside.
    pub(in crate::cli) fn new(screen: &'a Screen) -> Self {
        Self { screen, amid_output: false, compilation: Mutex::default() }
    }

    /// Shows builds of a program that runs.
    pub(in crate::cli) fn amid_output(screen: &'a Screen) -> Self {
        Self { amid_output: true, ..Self::new(screen) }
    }
}

impl Observer for Builds<'_> {
    fn begun(&self, work: &Work) -> Box<dyn lp_build::Task> {
        let text = beginning(work);
        let line = match self.amid_output {
            true => {
                self.screen.note(&text);
                None
            }
            false => Some(self.screen.task(&text)),
        };
        Box::new(Line(line))
    }

    fn note(&self, note: Note<'_>) {
        match note {
            Note::Built { nodes, elapsed } => {
                self.screen.note(&format!("built {} in {:.1} s", listed(nodes), elapsed.as_secs_f64()));
            }
            Note::HandlesWritten { file, interface } => {
                self.screen.note(&format!("rewrote `{file}`, since `{interface}` has changed"));
            }
            Note::HandlesStale { file, interface } => self.screen.warning(&format!(
                "`{file}` is stale, and has more than the handles of `{interface}`: update it by hand"
            )),
            Note::NoCache(error) => compile::warn_of_no_cache(&error, self.screen),
        }
    }

    fn compiling(&self, compiling: &Compiling) {
        self.compilation.lock().unwrap_or_else(PoisonError::into_inner).on(compiling, self.screen);
    }
}

/// The line of a terminal that shows some work, if there is one.
struct Line(Option<Task>);

impl lp_build::Task for Line {
    fn printed(&self, output: &[u8]) {
        if let Some(task) = &self.0 {
            task.says(output);
        }
    }
}

fn beginning(work: &Work) -> String {
    match work {
        Work::Build { nodes, by } => format!("building {}: {by}", listed(nodes)),
        Work::Install { packages, title, .. } => format!("installing {} for {title}, once", packages.join(", ")),
        Work::AwaitInstall { packages } => {
            format!("waiting for another build, which installs {}", packages.join(", "))
        }
        Work::AddTarget { target, line } => {
            format!("adding the target `{target}` to Rust, since a build needs it: {line}")
        }
        Work::Compile => "compiling the components for this machine".to_owned(),
    }
}

/// Names of nodes, as a list.
pub(super) fn listed(nodes: &[String]) -> String {
    nodes.iter().map(|node| format!("`{node}`")).collect::<Vec<_>>().join(", ")
}
