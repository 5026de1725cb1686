//! The journal of a run on a cluster, shown as a run in this terminal would be.

use std::io;

use lp_base::replica::LineSource;
use lp_engine::journal::{Reader, Record};
use lp_run::observe::{LineFormat, LineStyle, Printer, RunEnd, RunStatus, StandardStream};
use lp_run::supervise::ReplicaStatus;

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
