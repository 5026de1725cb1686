//! All that a user sees: notes and errors on stderr, data on stdout, coloured only where that can be shown.

mod progress;

use std::error::Error;
use std::io::{IsTerminal, Write, stderr, stdout};

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use lp_base::shown;
use lp_program::program::Problems;
use lp_run::observe::{Printer, StandardStream};
use progress::Progress;
pub(super) use progress::Task;

/// Exit codes beside 0 for success and 128 + n for signal n.
pub(super) mod exit_code {
    /// What the command line asks for can't be done as it stands.
    pub(crate) const WRONG_USAGE: u8 = 2;
    /// A node failed.
    pub(crate) const NODE_FAILED: u8 = 1;
    /// The output could not be written.
    pub(crate) const NOT_WRITTEN: u8 = 1;
    /// The program file or a component is wrong.
    pub(crate) const WRONG_PROGRAM: u8 = 3;
    /// The program could not be launched.
    pub(crate) const NOT_LAUNCHED: u8 = 4;
    /// A panic: a bug of lp-host, whatever it was given.
    pub(crate) const BUG: u8 = 70;
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    /// Where the stream is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Options of every verb.
#[derive(Debug, Args)]
pub(super) struct GlobalArgs {
    /// When to colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    color: ColorWhen,
    /// Say nothing but errors and what the nodes print
    #[arg(long, short, global = true, help_heading = "Global options")]
    quiet: bool,
}

/// The terminal.
#[derive(Clone)]
pub(super) struct Screen {
    color: ColorWhen,
    quiet: bool,
    progress: Progress,
    /// What writes, where the work does not wait for the terminal.
    printer: Option<Printer>,
}

/// Why a verb did not do its work.
pub(super) enum CliError {
    /// The program file has problems, shown as they are.
    Program(Box<Problems>),
    /// Something else, with the exit code that says what kind of thing and at most one hint.
    Other {
        code: u8,
        error: Box<dyn Error + Send + Sync>,
        hint: Option<String>,
        /// What a child process that failed has printed.
        output: Vec<u8>,
    },
}

impl CliError {
    pub(super) fn new(code: u8, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other { code, error: error.into(), hint: None, output: Vec::new() }
    }

    /// The same with the line or command that mends it.
    pub(super) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Other { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// The same with what a child process has printed before it failed.
    pub(super) fn output(mut self, printed: Vec<u8>) -> Self {
        if let Self::Other { output, .. } = &mut self {
            *output = printed;
        }
        self
    }

    /// What it says, in plain text.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Program(problems) => problems.to_string(),
            Self::Other { error, .. } => with_causes(&**error),
        }
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Program(_) => exit_code::WRONG_PROGRAM,
            Self::Other { code, .. } => *code,
        }
    }
}

impl From<Problems> for CliError {
    fn from(problems: Problems) -> Self {
        Self::Program(Box::new(problems))
    }
}

/// An error and what led to it, in one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// A size as people read it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes < 1 << 10 => format!("{bytes} B"),
        bytes if bytes < 1 << 20 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        bytes => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();
const YELLOW: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow))).bold();
const CYAN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan))).bold();

impl Screen {
    /// Says of a panic, which has printed itself, whose fault it is.
    pub(super) fn panicked() {
        eprintln!("error: this is a bug in lp-host; please report it with the lines above");
    }

    pub(super) fn new(args: &GlobalArgs) -> Self {
        let progress = Progress::new(!args.quiet && stderr().is_terminal());
        Self { color: args.color, quiet: args.quiet, progress, printer: None }
    }

    /// The same terminal, written to by `printer`, so that nothing waits for it.
    pub(super) fn printed_by(&self, printer: Printer) -> Self {
        let progress = self.progress.drawn_by(printer.clone());
        Self { color: self.color, quiet: self.quiet, progress, printer: Some(printer) }
    }

    fn coloured(&self, is_terminal: bool) -> bool {
        match self.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// Whether stdout is coloured.
    pub(super) fn stdout_coloured(&self) -> bool {
        self.coloured(stdout().is_terminal())
    }

    /// Whether stderr is coloured.
    pub(super) fn stderr_coloured(&self) -> bool {
        self.coloured(stderr().is_terminal())
    }

    /// Whether only errors are shown.
    /// The same one, for what should say nothing but errors.
    pub(super) fn silent(&self) -> Self {
        Self { quiet: true, ..self.clone() }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    fn stderr(&self, text: impl Into<String>) {
        let text = text.into();
        // With stderr gone there is nobody to tell.
        self.progress.suspend(move || drop(stderr().write_all(text.as_bytes())));
    }

    /// A message. What follows its first line is set in, so that nothing in it begins like another message, whoever chose
    /// the names in it.
    fn stderr_line(&self, style: Style, tag: &str, text: &str) {
        let text = shown::lines(text).replace('\n', "\n  ");
        self.stderr(match self.stderr_coloured() {
            true => format!("{style}{tag}{style:#}: {text}\n"),
            false => format!("{tag}: {text}\n"),
        });
    }

    /// Data for people, of which others have chosen a part: names in components, say.
    pub(super) fn shown_data(&self, text: &str) {
        self.data(&shown::lines(text));
    }

    /// Data as they are, for programs, or of this program alone.
    pub(super) fn data(&self, text: &str) {
        // A reader that has seen enough (`| head`) closes the pipe: no failure.
        let _ = self.next_data(text);
    }

    /// A piece of data of many. Fails when nobody reads them any more.
    pub(super) fn next_data(&self, text: &str) -> std::io::Result<()> {
        if let Some(printer) = &self.printer {
            printer.text(StandardStream::Stdout, text.to_owned());
            return Ok(());
        }
        let mut stdout = stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Something that started, changed or is worth knowing.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            self.stderr_line(CYAN, "note", text);
        }
    }

    /// Text for people, such as a table, that `--quiet` leaves out.
    pub(super) fn text(&self, text: &str) {
        if !self.quiet {
            self.stderr(format!("{}\n", shown::lines(text)));
        }
    }

    /// Work that takes a while: a line on a terminal until the task is dropped, a note elsewhere.
    pub(super) fn task(&self, text: &str) -> Task {
        if self.progress.is_hidden() {
            self.note(text);
        }
        self.brief_task(text)
    }

    /// The same for work that is done soon: without the note.
    pub(super) fn brief_task(&self, text: &str) -> Task {
        self.progress.task(text)
    }

    /// Something that is not as it should be, though the work goes on.
    pub(super) fn warning(&self, text: &str) {
        self.stderr_line(YELLOW, "warning", text);
    }

    /// The line or command that mends what was told of just before.
    pub(super) fn help(&self, text: &str) {
        self.stderr_line(CYAN, "help", text);
    }

    /// What went wrong, with details below it.
    pub(super) fn error(&self, text: &str, details: Option<&str>) {
        self.stderr_line(RED, "error", text);
        if let Some(details) = details {
            self.stderr(format!("{}\n", shown::lines(details.trim_end())));
        }
    }

    /// What is probably not as meant in a program, if anything.
    pub(super) fn warnings(&self, warnings: &Problems) {
        if !warnings.problems.is_empty() {
            self.problems(warnings);
        }
    }

    fn problems(&self, problems: &Problems) {
        let rendered = problems.render(self.stderr_coloured());
        self.stderr(format!("{}\n", rendered.trim_end()));
    }

    /// The end of a verb that failed.
    pub(super) fn failure(&self, failure: &CliError) {
        match failure {
            CliError::Program(problems) => self.problems(problems),
            CliError::Other { error, hint, output, .. } => {
                // Compilers colour what they print; they have no other business with the terminal.
                let printed = String::from_utf8_lossy(output).replace("\r\n", "\n");
                self.stderr(shown::styled_lines(&printed).into_owned());
                if output.last().is_some_and(|last| *last != b'\n') {
                    self.stderr("\n");
                }
                self.error(&with_causes(&**error), None);
                if let Some(hint) = hint {
                    self.help(hint);
                }
            }
        }
    }
}
