//! Lines at the end of a terminal that say what is being done, and go when it is done.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lp_base::shown;

/// How often a line moves, so that one sees that work goes on.
const TICK: Duration = Duration::from_millis(100);

/// The lines of one terminal.
pub(super) struct Progress(MultiProgress);

/// A line, or nothing where there is no terminal. Dropping it removes it.
pub(in crate::cli) struct Task {
    bar: ProgressBar,
    text: String,
}

impl Progress {
    pub(super) fn new(is_shown: bool) -> Self {
        let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self(MultiProgress::with_draw_target(target))
    }

    /// Whether the lines are not to be seen.
    pub(super) fn is_hidden(&self) -> bool {
        self.0.is_hidden()
    }

    /// Adds a line below the others.
    pub(super) fn task(&self, text: &str) -> Task {
        let bar = self.0.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}");
        bar.set_style(style.expect("the template is well-formed"));
        let text = shown::line(text).into_owned();
        bar.set_message(text.clone());
        if !self.0.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Task { bar, text }
    }

    /// Does what writes to the terminal while the lines are out of its way.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

impl Task {
    /// Shows the last line of what a child process has just printed.
    pub(in crate::cli) fn says(&self, output: &[u8]) {
        if self.bar.is_hidden() {
            return;
        }
        let output = anstream::adapter::strip_bytes(output).into_vec();
        let output = String::from_utf8_lossy(&output);
        let mut lines = output.split(['\n', '\r']).map(str::trim);
        if let Some(line) = lines.rfind(|line| !line.is_empty()) {
            self.bar.set_message(format!("{} · {}", self.text, shown::line(line)));
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
