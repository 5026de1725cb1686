//! The output of all replicas as lines that say whose they are, to two streams and to a file per replica.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use lp_base::replica::{LineSink, LineSource, OutputRoom, Outputs};
use lp_base::shown;
use serde::Serialize;

use super::printer::{self, Printer};

/// How a line of a replica's output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// `producer/0 │ text`, and `lp-host │ text` for what the host says.
    Plain,
    /// The same with the tag in the node's colour.
    Coloured,
    /// One JSON object a line: `{"type":"line","replica":"producer/0","stream":"stdout","line":"text"}`.
    Json,
    /// The same, also for what the host says: all that there is to tell of a run that is followed from elsewhere.
    Journal,
}

impl LineFormat {
    /// Makes the line that tells how many lines of output were lost, since nobody read them.
    pub fn lost_line(self) -> fn(u64) -> (printer::StandardStream, String) {
        match self {
            Self::Plain | Self::Coloured => |lines| {
                (printer::StandardStream::Stderr, format!("{HOST_LINE}lost {lines} lines of output that nobody read\n"))
            },
            Self::Json | Self::Journal => |lines| {
                (
                    printer::StandardStream::Stdout,
                    format!("{}\n", serde_json::json!({ "type": "lost", "lines": lines })),
                )
            },
        }
    }
}

/// The tag of what the host says. No replica has it, since all of theirs have a slash.
const HOST_TAG: &str = "lp-host";
/// What a line of the host begins with in the log file of a replica.
const HOST_LINE: &str = "lp-host │ ";
const HOST_STYLE: Style = Style::new().bold();

/// A log directory that can't be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the log file `{}`", .path.display())]
pub struct LogDirError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Where all output goes.
pub struct LineOutputs {
    shared: Arc<Shared>,
    /// The replicas, in the order of the plan, each with its log file.
    replicas: Vec<(String, Option<Arc<Mutex<File>>>)>,
    /// Where all that the host says is written.
    host: Option<Arc<Mutex<File>>>,
}

struct Shared {
    printer: Printer,
    style: LineStyle,
}

/// How the lines of a program are written.
#[derive(Clone, Debug)]
pub struct LineStyle {
    format: LineFormat,
    /// The nodes in the order of the plan, each of which has a colour.
    nodes: Vec<String>,
    /// The width of the tags.
    width: usize,
}

impl LineStyle {
    /// The style for a program whose replicas have these labels, in the order of the plan.
    pub fn new<'a>(format: LineFormat, labels: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut nodes, mut width) = (Vec::new(), 0);
        for label in labels {
            width = width.max(label.len());
            if nodes.last().is_none_or(|last| last != node(label)) {
                nodes.push(node(label).to_owned());
            }
        }
        Self { format, nodes, width }
    }

    /// The colour of the tags of a replica: readable on dark and on light grounds.
    fn colour(&self, label: &str) -> Style {
        const COLOURS: [AnsiColor; 6] =
            [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Green, AnsiColor::Blue, AnsiColor::Red];
        let place = self.nodes.iter().position(|name| name == node(label)).unwrap_or_default();
        Style::new().fg_color(Some(COLOURS[place % COLOURS.len()].into()))
    }

    /// A line as it is written, with its end. What a terminal would obey is shown escaped, but in JSON.
    pub fn render(&self, label: &str, source: LineSource, text: &str) -> String {
        self.render_in(self.colour(label), label, source, text)
    }

    fn render_in(&self, colour: Style, label: &str, stream: LineSource, text: &str) -> String {
        let width = self.width;
        let (label, colour) = match (stream, self.format) {
            (LineSource::Host, LineFormat::Plain | LineFormat::Coloured) => (HOST_TAG, HOST_STYLE),
            _ => (label, colour),
        };
        match self.format {
            LineFormat::Plain => format!("{:width$} │ {}\n", shown::line(label), shown::line(text)),
            LineFormat::Coloured => {
                format!("{colour}{:width$} │{colour:#} {}\n", shown::line(label), shown::line(text))
            }
            LineFormat::Json | LineFormat::Journal => {
                let line = JsonLine { r#type: "line", replica: label, stream, line: text };
                format!("{}\n", serde_json::to_string(&line).expect("a line of strings has no keys that can fail"))
            }
        }
    }
}

/// The node of the replica called `label`.
fn node(label: &str) -> &str {
    label.split('/').next().unwrap_or_default()
}

impl LineOutputs {
    /// Has `printer` write guests' stdout to its stdout and their stderr to its stderr, and writes both to
    /// `DIR/producer-0.log` if there is a log directory, which is made; there, what the host says is in `DIR/lp-host.log`, and beside the output of the
    /// replica that it is about, where no line of the guest's begins like one of those. `replicas` are the labels of all replicas, in the order of the plan.
    pub fn new(
        replicas: Vec<String>,
        format: LineFormat,
        printer: Printer,
        log_dir: Option<&Path>,
    ) -> Result<Self, LogDirError> {
        let style = LineStyle::new(format, replicas.iter().map(String::as_str));
        let open = |label: &str| {
            let Some(dir) = log_dir else { return Ok(None) };
            let path = dir.join(format!("{}.log", label.replace('/', "-")));
            let file = std::fs::create_dir_all(dir).and_then(|()| File::create(&path));
            Ok(Some(Mutex::new(file.map_err(|source| LogDirError { path, source })?)))
        };
        let host = open(HOST_TAG)?.map(Arc::new);
        let replicas = replicas.into_iter().map(|label| {
            let file = open(&label)?.map(Arc::new);
            Ok((label, file))
        });
        let shared = Shared { printer, style };
        Ok(Self { shared: Arc::new(shared), replicas: replicas.collect::<Result<_, _>>()?, host })
    }

    /// Writes a line of what the host says to the log files, and to a journal: it is in the terminal by other ways.
    pub(super) fn host_line(&self, about: &str, line: &str) {
        let file = self.replicas.iter().find(|(label, _)| label == about).and_then(|(_, file)| file.as_deref());
        log_host_line(self.host.as_deref(), file, line);
        if self.shared.style.format == LineFormat::Journal {
            let written = self.shared.style.render(about, LineSource::Host, line);
            self.shared.printer.line(printer::StandardStream::Stdout, written);
        }
    }
}

/// Writes a line of what the host says to its own log file and to that of the replica that it is about.
fn log_host_line(host: Option<&Mutex<File>>, replica: Option<&Mutex<File>>, line: &str) {
    for (file, tag) in [(host, ""), (replica, HOST_LINE)] {
        let Some(file) = file else { continue };
        // As with the output of guests, a full disk must not stop the program.
        let _ = writeln!(file.lock().unwrap_or_else(PoisonError::into_inner), "{tag}{}", shown::line(line));
    }
}

/// Writes a line of a guest's to the log file of its replica. Nothing tells a line of the host's apart there but how it
/// begins, so one of the guest's that begins like that has the tag of its replica before it.
fn log_guest_line(file: &Mutex<File>, label: &str, line: &str) {
    let tag = match line.trim_start().starts_with(HOST_TAG) {
        true => format!("{label} │ "),
        false => String::new(),
    };
    let _ = writeln!(file.lock().unwrap_or_else(PoisonError::into_inner), "{tag}{}", shown::line(line));
}

impl Outputs for LineOutputs {
    fn sink(&self, label: &str) -> Arc<dyn LineSink> {
        let file = self.replicas.iter().find(|(name, _)| name == label).and_then(|(_, file)| file.clone());
        let colour = self.shared.style.colour(label);
        Arc::new(Replica {
            shared: self.shared.clone(),
            label: label.to_owned(),
            colour,
            file,
            host: self.host.clone(),
        })
    }

    fn room(&self) -> Option<OutputRoom> {
        Some(self.shared.printer.room().clone())
    }
}

struct Replica {
    shared: Arc<Shared>,
    label: String,
    colour: Style,
    file: Option<Arc<Mutex<File>>>,
    /// The log file of what the host says.
    host: Option<Arc<Mutex<File>>>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    r#type: &'static str,
    replica: &'a str,
    stream: LineSource,
    line: &'a str,
}

impl LineSink for Replica {
    fn line(&self, stream: LineSource, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let written = self.shared.style.render_in(self.colour, &self.label, stream, &text);
        let stream_of_host = match stream {
            LineSource::Stderr | LineSource::Host
                if matches!(self.shared.style.format, LineFormat::Plain | LineFormat::Coloured) =>
            {
                printer::StandardStream::Stderr
            }
            LineSource::Stdout | LineSource::Stderr | LineSource::Host => printer::StandardStream::Stdout,
        };
        self.shared.printer.line(stream_of_host, written);
        // The log file gets the line in any case.
        match (stream, &self.file) {
            (LineSource::Host, file) => log_host_line(self.host.as_deref(), file.as_deref(), &text),
            (_, Some(file)) => log_guest_line(file, &self.label, &text),
            (_, None) => {}
        }
    }

    fn room(&self) -> Option<&OutputRoom> {
        Some(self.shared.printer.room())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORGED: &str = "hi\r\u{1b}[2Klp-host │ denied: forged\u{85}";
    const SHOWN: &str = r"hi\r\u{1b}[2Klp-host │ denied: forged\u{85}";

    #[test]
    fn control_characters_are_shown_escaped_but_in_json() {
        let render = |format| LineStyle::new(format, ["a/0"]).render("a/0", LineSource::Stdout, FORGED);
        assert_eq!(render(LineFormat::Plain), format!("a/0 │ {SHOWN}\n"));
        assert_eq!(render(LineFormat::Coloured), format!("\u{1b}[36ma/0 │\u{1b}[0m {SHOWN}\n"));
        let json: serde_json::Value = serde_json::from_str(&render(LineFormat::Json)).expect("it is JSON");
        assert_eq!(json["line"], FORGED);
    }

    #[test]
    fn no_line_of_a_guest_in_its_log_file_begins_like_one_of_the_host() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let sink = || Box::new(io::sink());
        let printer = Printer::start(sink(), sink(), LineFormat::Plain.lost_line()).expect("there are threads");
        let outputs = LineOutputs::new(vec!["a/0".to_owned()], LineFormat::Plain, printer, Some(dir.path()));
        let outputs = outputs.expect("it is new");
        let replica = outputs.sink("a/0");
        for line in ["plain", "lp-host │ denied: forged", " \t lp-host  │ forged", "\u{2003}lp-host", FORGED] {
            replica.line(LineSource::Stdout, line.as_bytes());
        }
        replica.line(LineSource::Host, "denied: real\nforged".as_bytes());
        outputs.host_line("a/0", "note: real");
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("it was written");
        let lines = [
            "plain",
            "a/0 │ lp-host │ denied: forged",
            "a/0 │  \t lp-host  │ forged",
            "a/0 │ \u{2003}lp-host",
            SHOWN,
            r"lp-host │ denied: real\nforged",
            "lp-host │ note: real",
        ];
        assert_eq!(read("a-0.log").lines().collect::<Vec<_>>(), lines);
        assert_eq!(read("lp-host.log"), "denied: real\\nforged\nnote: real\n");
    }
}
