//! `lp-host attach`: a run as if it had been started in this terminal, but that Ctrl-C leaves it alone.

use std::io::{self, Write, stderr, stdout};
use std::time::Duration;

use clap::ValueEnum;
use lp_base::replica::{LineSource, Stop};
use lp_run::launch::RunId;
use lp_run::observe::{
    Client, ClientError, Finished, LineFormat, LineStyle, LogLine, Printer, Registry, Reply, Request, RunEnd,
    StandardStream,
};
use lp_run::supervise::{ReplicaStatus, Signal};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::runs::{self, Found};
use super::screen::{CliError, Screen, exit_code};
use super::{kubernetes, signals, slurm};

/// How long a terminal that stands still has to show the last lines after a signal.
const WRITE_TIME: Duration = Duration::from_secs(1);

/// How often it is looked at whether a run that broke off has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Shows the output of a run from its beginning, and exits as it does
///
/// The output goes on until the run ends; then the table follows, and the exit code is that of the run. Ctrl-C detaches
/// (exit code 130), and the run goes on; `lp-host stop` ends it.
///
/// A run keeps its last 4 MiB of output. A detached run is kept when it has ended: for a day, and no more than the last 16.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run: its id, the beginning of it, or the name of its program. It can be left out if there is only one
    run: Option<String>,
    /// How to write lines and the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tagged lines, and a table on stderr
    Text,
    /// One JSON object a line on stdout
    Json,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let format = match args.format {
        Format::Json => LineFormat::Json,
        Format::Text if screen.stdout_coloured() => LineFormat::Coloured,
        Format::Text => LineFormat::Plain,
    };
    runs::block_on(attach(args, format, screen))?
}

async fn attach(args: &Args, format: LineFormat, screen: &Screen) -> Result<u8, CliError> {
    let failed = |error: io::Error| CliError::new(exit_code::WRONG_USAGE, error);
    let registry = runs::registry()?;
    let found = match runs::find_any(&registry, args.run.as_deref()).await {
        Ok(found) => found,
        Err(error) => {
            let printer = Printer::start(Box::new(stdout()), Box::new(stderr()), format.lost_line()).map_err(failed)?;
            let name = args.run.as_deref();
            return match slurm::find(name, error).await {
                Ok(run) => slurm::attach(&run, format, printer, screen).await,
                Err(error) => {
                    let run = kubernetes::find(name, error, screen).await?;
                    kubernetes::attach(&run, format, printer, screen).await
                }
            };
        }
    };
    let mut signals = signals::signals().map_err(failed)?;
    let gone = Stop::default();
    let out = Box::new(Reader { stream: stdout(), gone: gone.clone() });
    let printer = Printer::start(out, Box::new(stderr()), format.lost_line()).map_err(failed)?;
    let screen = screen.printed_by(printer.clone());
    let mut view =
        View { registry, printer, screen, format, style: LineStyle::new(format, []), seen: 0, following: None };
    let shown = async {
        match found {
            Found::Living(id) => view.follow(&id).await,
            Found::Finished(run) => view.show_kept(&run).await,
        }
    };
    let outcome = tokio::select! {
        biased;
        signal = next(&mut signals) => Err(signal),
        // Nobody reads any more, as with `| head`.
        () = gone.requested() => return Ok(0),
        shown = shown => Ok(shown),
    };
    let shown = match outcome {
        Ok(shown) => shown,
        Err(signal) => {
            view.say_detached();
            let _ = tokio::time::timeout(WRITE_TIME, view.printer.written()).await;
            return Ok(128 + signal.number());
        }
    };
    let code = shown.map_or_else(
        |failure| {
            view.screen.failure(&failure);
            failure.code()
        },
        |end| end.exit_code,
    );
    tokio::select! {
        biased;
        () = view.printer.written() => Ok(code),
        signal = next(&mut signals) => Ok(128 + signal.number()),
    }
}

async fn next(signals: &mut mpsc::UnboundedReceiver<Signal>) -> Signal {
    match signals.recv().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

/// Stdout, which tells when nobody reads it any more.
struct Reader<W> {
    stream: W,
    gone: Stop,
}

impl<W: Write> Write for Reader<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes).inspect_err(|_| self.gone.request())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What is shown of a run.
struct View {
    registry: Registry,
    printer: Printer,
    screen: Screen,
    format: LineFormat,
    style: LineStyle,
    /// How many lines of the run have been shown, or are not kept any more.
    seen: u64,
    /// The run that is followed.
    following: Option<RunId>,
}

impl View {
    /// Shows a run until its end.
    async fn follow(&mut self, id: &RunId) -> Result<RunEnd, CliError> {
        self.following = Some(id.clone());
        if let Some(mut client) = runs::connect(&self.registry, id).await? {
            match self.follow_through(&mut client).await {
                Ok(Some(end)) => return Ok(end),
                // What it has left says more.
                Ok(None) | Err(ClientError::Io(_) | ClientError::Ended) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // It has ended, or will in a moment.
        while self.registry.runs()?.contains(id) {
            sleep(LOOK_INTERVAL).await;
        }
        self.following = None;
        let kept = runs::finished(&self.registry)?;
        match kept.iter().find(|run| run.id == *id) {
            Some(run) => self.show_kept(run).await,
            None => Err(CliError::new(exit_code::NODE_FAILED, format!("`{id}` broke off: nothing says how it ended"))
                .hint("its launcher was killed, or ended before its last lines could be shown")),
        }
    }

    /// Shows what a run says through its control socket; the end is `None` if the connection breaks off before it.
    async fn follow_through(&mut self, client: &mut Client) -> Result<Option<RunEnd>, ClientError> {
        self.name(&client.status().await?.replicas);
        client.send(&Request::Attach {}).await?;
        loop {
            self.printer.room().until(true).await;
            match client.reply().await? {
                Some(Reply::Line(line)) => self.show(&line),
                Some(Reply::Skipped { lines }) => self.skip(lines),
                Some(Reply::Ended(end)) => return Ok(Some(self.finish(*end))),
                Some(_) | None => return Ok(None),
            }
        }
    }

    /// Shows what is kept of a run that has ended, from the first line on that was not shown.
    async fn show_kept(&mut self, run: &Finished) -> Result<RunEnd, CliError> {
        let end = run.end.clone();
        let unread = |error: io::Error| CliError::new(exit_code::WRONG_USAGE, error);
        let Ok(lines) = run.lines() else {
            self.screen.warning(&format!("the output of `{}` was not kept", run.id));
            return Ok(self.finish(end));
        };
        let replicas = end.report["replicas"].as_array().into_iter().flatten();
        let labels: Vec<_> = replicas
            .map(|replica| format!("{}/{}", replica["node"].as_str().unwrap_or_default(), replica["replica"]))
            .collect();
        self.style = LineStyle::new(self.format, labels.iter().map(String::as_str));
        let seen = self.seen;
        if lines.dropped > seen {
            self.skip(lines.dropped - seen);
        }
        for (number, line) in (lines.dropped..).zip(lines) {
            let line = line.map_err(unread)?;
            if number >= seen {
                self.printer.room().until(true).await;
                self.show(&line);
            }
        }
        Ok(self.finish(end))
    }

    /// Has the replicas their colours, and the width of their names.
    fn name(&mut self, replicas: &[ReplicaStatus]) {
        let labels: Vec<_> = replicas.iter().map(ReplicaStatus::label).collect();
        self.style = LineStyle::new(self.format, labels.iter().map(String::as_str));
    }

    fn show(&mut self, line: &LogLine) {
        self.seen += 1;
        let stream = match (self.format, line.source) {
            (LineFormat::Json | LineFormat::Journal, _) | (_, LineSource::Stdout) => StandardStream::Stdout,
            (_, LineSource::Stderr | LineSource::Host) => StandardStream::Stderr,
        };
        self.printer.line(stream, self.style.render(&line.replica, line.source, &line.line));
    }

    fn skip(&mut self, lines: u64) {
        self.screen.warning(&match self.seen {
            0 => format!("the first {lines} lines are not kept any more"),
            _ => format!("{lines} lines came faster than they could be shown"),
        });
        self.seen += lines;
    }

    fn finish(&self, end: RunEnd) -> RunEnd {
        match self.format {
            LineFormat::Json | LineFormat::Journal => self.screen.data(&format!("{}\n", end.report)),
            LineFormat::Plain | LineFormat::Coloured => self.screen.text(&end.table),
        }
        end
    }

    /// What is said to a user who detaches.
    fn say_detached(&self) {
        if let Some(id) = &self.following {
            self.screen.note(&format!("detached: `{id}` goes on; `lp-host stop {id}` ends it"));
        }
    }
}
