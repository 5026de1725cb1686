//! The journal of a run on a cluster, shown as a run in this terminal would be.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use lp_base::replica::LineSource;
use lp_engine::journal::{Reader, Record};
use lp_run::observe::{LineFormat, LineStyle, Printer, RunEnd, RunStatus, StandardStream};
use lp_run::supervise::{ReplicaStatus, Signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::screen::Screen;

/// What is shown of a journal.
pub(super) struct JournalView {
    reader: Reader,
    printer: Printer,
    screen: Screen,
    format: LineFormat,
    style: LineStyle,
}

/// What a journal tells beside what is shown.
pub(super) enum Told {
    /// Every worker has loaded what it runs.
    Up,
    /// What the run is doing.
    State,
    /// The run has ended, and no more will come.
    End(Box<RunEnd>),
}

impl JournalView {
    /// Shows records by `printer`. `labels` are those of the replicas, as far as they are known.
    pub(super) fn new<'a>(
        format: LineFormat,
        printer: Printer,
        screen: Screen,
        labels: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self { reader: Reader::default(), printer, screen, format, style: LineStyle::new(format, labels) }
    }

    /// Shows what has come of the journal. It waits while the terminal stands still.
    ///
    /// # Errors
    /// If the last record is none.
    pub(super) async fn show(&mut self, piece: &[u8]) -> io::Result<Vec<Told>> {
        let mut told = Vec::new();
        for record in self.reader.read(piece) {
            self.printer.room().until(true).await;
            match record {
                Ok(Record::Line { replica, stream, line }) => self.line(&replica, stream, &line),
                Ok(Record::Lost { lines }) => {
                    self.screen.warning(&format!("{lines} lines of output were lost: they could not be written"));
                }
                Ok(Record::Up {}) => told.push(Told::Up),
                Ok(Record::State { status }) => {
                    let status: RunStatus = serde_json::from_value(status)?;
                    let labels: Vec<_> = status.replicas.iter().map(ReplicaStatus::label).collect();
                    self.style = LineStyle::new(self.format, labels.iter().map(String::as_str));
                    told.push(Told::State);
                }
                Ok(Record::End { end }) => {
                    let end: RunEnd = serde_json::from_value(end)?;
                    self.end(&end);
                    told.push(Told::End(Box::new(end)));
                }
                // Somebody else's, such as an engine's: it may say what went wrong.
                Err(line) => self.line("", LineSource::Host, &line),
            }
        }
        Ok(told)
    }

    fn line(&self, replica: &str, source: LineSource, line: &str) {
        let stream = match (self.format, source) {
            (LineFormat::Json | LineFormat::Journal, _) | (_, LineSource::Stdout) => StandardStream::Stdout,
            (_, LineSource::Stderr | LineSource::Host) => StandardStream::Stderr,
        };
        self.printer.line(stream, self.style.render(replica, source, line));
    }

    fn end(&self, end: &RunEnd) {
        match self.format {
            LineFormat::Json | LineFormat::Journal => self.screen.data(&format!("{}\n", end.report)),
            LineFormat::Plain | LineFormat::Coloured => self.screen.text(&end.table),
        }
    }
}

/// How long a terminal that stands still has to show the last lines after a signal.
const WRITE_TIME: Duration = Duration::from_secs(1);

/// Waits until everything is written; for a moment only if a signal has ended what was shown. Gives the exit code of a signal that
/// ends the wait.
pub(super) async fn until_written(
    printer: &Printer,
    is_left: bool,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
) -> Option<u8> {
    if is_left {
        let _ = timeout(WRITE_TIME, printer.written()).await;
        return None;
    }
    tokio::select! {
        biased;
        () = printer.written() => None,
        Some(signal) = signals.recv() => Some(128 + signal.number()),
    }
}

/// The lines of a journal that `lp-host logs` shows.
pub(super) struct LogView<'a> {
    node: Option<&'a str>,
    style: LineStyle,
    screen: &'a Screen,
}

impl<'a> LogView<'a> {
    /// Those of a node or replica, or all. `labels` are those of the replicas, as far as they are known.
    pub(super) fn new(node: Option<&'a str>, format: LineFormat, labels: &[String], screen: &'a Screen) -> Self {
        Self { node, style: LineStyle::new(format, labels.iter().map(String::as_str)), screen }
    }

    /// Shows a record, if it is such a line. Breaks off at the end of the run, and when nobody reads any more.
    pub(super) fn show(&self, record: Result<Record, String>) -> ControlFlow<()> {
        let (replica, source, line) = match record {
            Ok(Record::Line { replica, stream, line }) => (replica, stream, line),
            Ok(Record::End { .. }) => return ControlFlow::Break(()),
            Ok(_) => return ControlFlow::Continue(()),
            Err(line) => (String::new(), LineSource::Host, line),
        };
        let is_of = |node| replica == node || replica.rsplit_once('/').is_some_and(|(of, _)| of == node);
        if !self.node.is_none_or(is_of) {
            return ControlFlow::Continue(());
        }
        match self.screen.next_data(&self.style.render(&replica, source, &line)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}
