//! Lines at the end of a terminal that say what is being done, and go when it is done.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lp_base::shown;
use lp_run::observe::Printer;

/// How often a line moves, so that one sees that work goes on.
const TICK: Duration = Duration::from_millis(100);

/// The lines of one terminal.
#[derive(Clone)]
pub(super) struct Progress {
    lines: MultiProgress,
    is_shown: bool,
    /// What draws, where the work does not wait for the terminal.
    printer: Option<Printer>,
}

/// A line, or nothing where there is no terminal. Dropping it removes it.
pub(in crate::cli) struct Task {
    bar: ProgressBar,
    text: String,
    is_shown: bool,
    printer: Option<Printer>,
}

/// Does what may wait for the terminal: here, or where `printer` does so.
fn draw(printer: Option<&Printer>, draw: impl FnOnce() + Send + 'static) {
    match printer {
        Some(printer) => printer.run(draw),
        None => draw(),
    }
}

impl Progress {
    pub(super) fn new(is_shown: bool) -> Self {
        let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let lines = MultiProgress::with_draw_target(target);
        // Asked once, because a line that is being drawn keeps the answer waiting.
        let is_shown = !lines.is_hidden();
        Self { lines, is_shown, printer: None }
    }

    /// The same lines, drawn by `printer`.
    pub(super) fn drawn_by(&self, printer: Printer) -> Self {
        Self { printer: Some(printer), ..self.clone() }
    }

    /// Whether the lines are not to be seen.
    pub(super) fn is_hidden(&self) -> bool {
        !self.is_shown
    }

    /// Adds a line below the others.
    pub(super) fn task(&self, text: &str) -> Task {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}");
        bar.set_style(style.expect("the template is well-formed"));
        let text = shown::line(text).into_owned();
        bar.set_message(text.clone());
        if self.is_shown {
            let (lines, bar) = (self.lines.clone(), bar.clone());
            draw(self.printer.as_ref(), move || lines.add(bar).enable_steady_tick(TICK));
        }
        Task { bar, text, is_shown: self.is_shown, printer: self.printer.clone() }
    }

    /// Does what writes to the terminal while the lines are out of its way.
    pub(super) fn suspend(&self, write: impl FnOnce() + Send + 'static) {
        let lines = self.lines.clone();
        draw(self.printer.as_ref(), move || lines.suspend(write));
    }
}

impl Task {
    /// Shows the last line of what a child process has just printed.
    pub(in crate::cli) fn says(&self, output: &[u8]) {
        if !self.is_shown {
            return;
        }
        let output = anstream::adapter::strip_bytes(output).into_vec();
        let output = String::from_utf8_lossy(&output);
        let mut lines = output.split(['\n', '\r']).map(str::trim);
        if let Some(line) = lines.rfind(|line| !line.is_empty()) {
            let message = format!("{} · {}", self.text, shown::line(line));
            let bar = self.bar.clone();
            draw(self.printer.as_ref(), move || bar.set_message(message));
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let bar = self.bar.clone();
        draw(self.printer.as_ref(), move || bar.finish_and_clear());
    }
}
