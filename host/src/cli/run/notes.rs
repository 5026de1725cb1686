//! What happens to a program, as its user reads it: in the terminal, and among the output for those who look later.

use lp_base::plan::ReplicaId;
use lp_base::shown;
use lp_run::node::Change;
use lp_run::observe::{LineOutputs, Recorded};
use lp_run::supervise::{Note, Observer};
use lp_run::worker::Compiling;

use crate::cli::compile::Compilation;
use crate::cli::screen::Screen;

/// Shows and records every note.
pub(super) struct Notes<'a> {
    pub(super) screen: &'a Screen,
    pub(super) outputs: &'a Recorded<LineOutputs>,
    pub(super) compilation: Compilation,
    /// Is done when the program is up.
    pub(super) when_up: Option<Box<dyn FnOnce() + 'a>>,
}

/// How much a message matters.
#[derive(Clone, Copy)]
pub(super) enum Severity {
    Note,
    Warning,
    Error,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// Shows a message, with details below it if it is an error.
    pub(super) fn show(self, text: &str, details: Option<&str>, screen: &Screen) {
        match self {
            Self::Note => screen.note(text),
            Self::Warning => screen.warning(text),
            Self::Error => screen.error(text, details),
        }
    }
}

impl Notes<'_> {
    /// Shows and records a message about a replica or node, or about none (empty), with details below it.
    ///
    /// A guest may have chosen names in it, but no end of its line.
    pub(super) fn say(&self, severity: Severity, about: &str, text: &str, details: Option<&str>) {
        let text = &shown::line(text);
        severity.show(text, details, self.screen);
        let details = details.map(|details| format!("\n{}", details.trim_end())).unwrap_or_default();
        self.outputs.host_message(about, &format!("{}: {text}{details}", severity.name()));
    }
}

impl Observer for Notes<'_> {
    fn change(&mut self, _: ReplicaId, _: &Change) {}

    fn compiling(&mut self, compiling: &Compiling) {
        if let Some(text) = self.compilation.on(compiling, self.screen) {
            self.outputs.host_message("", &format!("note: {text}"));
        }
    }

    fn launched(&mut self) {
        if let Some(when_up) = self.when_up.take() {
            when_up();
        }
    }

    fn note(&mut self, note: &Note) {
        let (severity, text) = message(note);
        let details = match note {
            Note::Failed { failure, .. } => failure.stack.as_deref(),
            _ => None,
        };
        self.say(severity, about(note), &text, details);
    }
}

/// The replica or node that a note is about, if it is about one.
fn about(note: &Note) -> &str {
    match note {
        Note::Failed { replica, .. } | Note::Restarting { replica, .. } | Note::GivenUp { replica, .. } => replica,
        Note::AwaitsRebuild { replica } => replica,
        Note::Listening { node, .. } | Note::Rebuilt { node } => node,
        Note::NotRebuilt { .. } | Note::Idle | Note::Over => "",
        Note::Warning(_) | Note::LaunchStopped(_) | Note::Stopping { .. } | Note::Killing { .. } => "",
    }
}

fn message(note: &Note) -> (Severity, String) {
    match note {
        Note::Warning(warning) => (Severity::Warning, warning.clone()),
        Note::Listening { node, address } => (Severity::Note, format!("`{node}` listens at {address}")),
        Note::Failed { replica, failure } => (Severity::Error, format!("`{replica}` failed: {}", failure.summary)),
        Note::Restarting { replica, after, attempt, max } => {
            (Severity::Note, format!("`{replica}` starts again in {after:.1?}: restart {attempt} of {max}"))
        }
        Note::GivenUp { replica, max, window } => (
            Severity::Error,
            format!("`{replica}` has ended too often: its `restart` allows {max} restarts within {window:?}"),
        ),
        Note::Rebuilt { node } => (Severity::Note, format!("`{node}` was rebuilt: restarting")),
        Note::NotRebuilt { error } => (Severity::Error, format!("what was rebuilt goes on as it was: {error}")),
        Note::AwaitsRebuild { replica } => (Severity::Note, format!("`{replica}` starts again when it is rebuilt")),
        Note::Idle => {
            (Severity::Note, "nothing is left to run: waiting for changes; Ctrl-C ends the program".to_owned())
        }
        Note::Over => (
            Severity::Note,
            "the program has ended: it starts again with the next change; Ctrl-C ends the wait".to_owned(),
        ),
        Note::LaunchStopped(signal) => (Severity::Note, format!("{signal}: the launch is given up")),
        Note::Stopping { signal, grace } => (
            Severity::Note,
            format!("{signal}: asking every node to stop, for up to {grace:?}; a second signal stops at once"),
        ),
        Note::Killing { replicas } => {
            (Severity::Note, format!("killing nodes that are still running: {}", replicas.join(", ")))
        }
    }
}
