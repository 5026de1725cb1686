//! The output of all replicas as lines that say whose they are, to two streams and to a file per replica.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::runtime::{LineSink, Outputs, Stream};

/// How a line of a replica's output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// `producer/0 │ text`.
    Plain,
    /// The same with the tag in the node's colour.
    Coloured,
    /// One JSON object a line: `{"type":"line","replica":"producer/0","stream":"stdout","line":"text"}`.
    Json,
}

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
}

type Writer = Mutex<Box<dyn Write + Send>>;

struct Shared {
    stdout: Writer,
    stderr: Writer,
    format: LineFormat,
    width: usize,
}

impl LineOutputs {
    /// Writes guests' stdout to `stdout` and their stderr to `stderr`, and both to `DIR/producer-0.log` if there is a
    /// log directory, which is made. `replicas` are the labels of all replicas, in the order of the plan.
    pub fn new(
        replicas: Vec<String>,
        format: LineFormat,
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
        log_dir: Option<&Path>,
    ) -> Result<Self, LogDirError> {
        let width = replicas.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let open = |label: &str| {
            let Some(dir) = log_dir else { return Ok(None) };
            let path = dir.join(format!("{}.log", label.replace('/', "-")));
            let file = std::fs::create_dir_all(dir).and_then(|()| File::create(&path));
            let file = file.map_err(|source| LogDirError { path, source })?;
            Ok(Some(Arc::new(Mutex::new(file))))
        };
        let replicas = replicas.into_iter().map(|label| {
            let file = open(&label)?;
            Ok((label, file))
        });
        let shared = Shared { stdout: Mutex::new(stdout), stderr: Mutex::new(stderr), format, width };
        Ok(Self { shared: Arc::new(shared), replicas: replicas.collect::<Result<_, _>>()? })
    }
}

impl Outputs for LineOutputs {
    fn sink(&self, label: &str) -> Arc<dyn LineSink> {
        let node = |label: &str| label.split('/').next().unwrap_or_default().to_owned();
        let mut nodes: Vec<_> = self.replicas.iter().map(|(label, _)| node(label)).collect();
        nodes.dedup();
        let place = nodes.iter().position(|name| *name == node(label)).unwrap_or_default();
        let file = self.replicas.iter().find(|(name, _)| name == label).and_then(|(_, file)| file.clone());
        Arc::new(Replica { shared: self.shared.clone(), label: label.to_owned(), style: style(place), file })
    }
}

/// The colour of the tags of the node at `place` in the program: readable on dark and on light grounds.
fn style(place: usize) -> Style {
    const COLOURS: [AnsiColor; 6] =
        [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Green, AnsiColor::Blue, AnsiColor::Red];
    Style::new().fg_color(Some(COLOURS[place % COLOURS.len()].into()))
}

struct Replica {
    shared: Arc<Shared>,
    label: String,
    style: Style,
    file: Option<Arc<Mutex<File>>>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    r#type: &'static str,
    replica: &'a str,
    stream: &'static str,
    line: &'a str,
}

impl LineSink for Replica {
    fn line(&self, stream: Stream, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let (writer, name) = match stream {
            Stream::Stdout => (&self.shared.stdout, "stdout"),
            Stream::Stderr => (&self.shared.stderr, "stderr"),
        };
        let (label, style, width) = (&self.label, self.style, self.shared.width);
        let written = match self.shared.format {
            LineFormat::Plain => format!("{label:width$} │ {text}\n"),
            LineFormat::Coloured => format!("{style}{label:width$} │{style:#} {text}\n"),
            LineFormat::Json => {
                let line = JsonLine { r#type: "line", replica: label, stream: name, line: &text };
                format!("{}\n", serde_json::to_string(&line).expect("a line of strings has no keys that can fail"))
            }
        };
        let writer = if self.shared.format == LineFormat::Json { &self.shared.stdout } else { writer };
        // A reader that went away must not stop the program; the log file still gets the line.
        let _ = writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(written.as_bytes());
        if let Some(file) = &self.file {
            let _ = writeln!(file.lock().unwrap_or_else(PoisonError::into_inner), "{text}");
        }
    }
}
