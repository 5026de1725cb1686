//! `lp-host run --detach`: starts a launcher that goes on in the background, and waits until its program is up.

use std::ffi::OsString;
use std::io::{Write, stderr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use clap::Parser;
use lp_run::observe::{Printer, StandardStream};
use lp_run::supervise::Signal as StopSignal;
use rustix::process::{Pid, Signal, kill_process, setsid};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use super::run::Front;
use super::screen::{CliError, Screen, exit_code};
use super::{Cli, Verb, run, runs, signals};

/// How long the last words of a launcher that has ended are waited for: what it started may hold its stderr open.
const LAST_WORDS_TIME: Duration = Duration::from_millis(100);

/// How much of what a launcher says is read at once.
const PIECE_BYTES: usize = 4096;

/// Launches a program in a session of its own, for the `lp-host run --detach` at the other end of stdin
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The command line of that `lp-host`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<OsString>,
}

/// Runs the launcher: what `lp-host run` does, but for the terminal.
pub(super) fn run(args: Args, screen: &mut Screen) -> Result<u8, CliError> {
    let alone = |_| CliError::new(exit_code::WRONG_USAGE, "only `lp-host run --detach` starts this");
    let front = Front::at_stdin().map_err(alone)?;
    // A terminal that is closed is none of its business from here on, and Ctrl-C there isn't either.
    setsid().map_err(|error| alone(error.into()))?;
    let words = std::iter::once(OsString::from("lp-host")).chain(args.words);
    match Cli::try_parse_from(words).map(|cli| cli.verb) {
        Ok(Verb::Run(args)) => run::run(args, Some(front), screen),
        _ => Err(alone(std::io::ErrorKind::InvalidInput.into())),
    }
}

/// How the launch went.
enum Launched {
    /// The program is up, by this id.
    Up(String),
    /// It was not, and its launcher has said why.
    Ended(ExitStatus),
}

/// Starts a launcher with the command line of this process, and waits until its program is up.
pub(super) fn start(args: &run::Args, screen: &Screen) -> Result<u8, CliError> {
    args.check_detached()?;
    let (launched, pid) = runs::block_on(launch(screen))??;
    match launched {
        Launched::Up(id) => {
            show(args, screen, &id, pid);
            Ok(0)
        }
        Launched::Ended(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Ok(u8::try_from(code).unwrap_or(exit_code::NOT_LAUNCHED)),
            (None, signal) => {
                let error = format!("the launcher was killed by signal {}", signal.unwrap_or_default());
                Err(CliError::new(exit_code::NOT_LAUNCHED, error))
            }
        },
    }
}

async fn launch(screen: &Screen) -> Result<(Launched, u32), CliError> {
    let failed = |error: std::io::Error| CliError::new(exit_code::NOT_LAUNCHED, error);
    let (front, launcher) = UnixStream::pair().map_err(failed)?;
    front.set_nonblocking(true).map_err(failed)?;
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    // It can't see whether this one has a terminal.
    command.args(["--color", if screen.stderr_coloured() { "always" } else { "never" }]);
    command.args(screen.is_quiet().then_some("--quiet")).arg("detached").arg("--").args(std::env::args_os().skip(1));
    command.stdin(OwnedFd::from(launcher)).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().map_err(failed)?;
    // The other end of the socket is the launcher's alone.
    drop(command);
    let pid = child.id().unwrap_or_default();
    let front = tokio::net::UnixStream::from_std(front).map_err(failed)?;
    // A terminal that stands still must not hold up Ctrl-C.
    let (out, err) = (Box::new(std::io::sink()), Box::new(stderr()));
    let printer = Printer::start(out, err, |_| (StandardStream::Stderr, String::new())).map_err(failed)?;
    let launched = follow(child, front, &printer).await.map_err(failed)?;
    let mut signals = signals::signals().map_err(failed)?;
    tokio::select! {
        biased;
        () = printer.written() => {}
        _ = signals.recv() => {}
    }
    Ok((launched, pid))
}

/// Shows what a launcher says and passes signals on to it, until its program is up or it has ended.
async fn follow(mut child: Child, front: tokio::net::UnixStream, printer: &Printer) -> std::io::Result<Launched> {
    let mut signals = signals::signals()?;
    let mut said = child.stderr.take();
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let mut told = BufReader::new(front).lines();
    let mut is_silent = false;
    loop {
        tokio::select! {
            // What was said before the program was up is shown before it is told.
            biased;
            more = next(&mut said, printer), if said.is_some() => if !more { said = None },
            line = told.next_line(), if !is_silent => match line {
                Ok(Some(id)) => return Ok(Launched::Up(id)),
                Ok(None) | Err(_) => is_silent = true,
            },
            status = child.wait() => {
                while said.is_some() && timeout(LAST_WORDS_TIME, next(&mut said, printer)).await.unwrap_or(false) {}
                return Ok(Launched::Ended(status?));
            }
            Some(signal) = signals.recv() => {
                let signal = match signal {
                    StopSignal::Interrupt => Signal::INT,
                    // A launcher without a terminal ignores that one was closed, but nobody would see how the launch goes.
                    StopSignal::Terminate | StopSignal::Hangup => Signal::TERM,
                };
                // One that has just ended needs none.
                let _ = pid.map(|pid| kill_process(pid, signal));
            }
        }
    }
}

/// Shows a piece of what a launcher says; false when it says no more.
async fn next(said: &mut Option<ChildStderr>, printer: &Printer) -> bool {
    let Some(stream) = said else { return false };
    let mut piece = vec![0; PIECE_BYTES];
    match stream.read(&mut piece).await {
        Ok(read @ 1..) => {
            piece.truncate(read);
            // With stderr gone there is nobody to tell.
            printer.run(move || drop(stderr().write_all(&piece)));
            true
        }
        Ok(0) | Err(_) => false,
    }
}

fn show(args: &run::Args, screen: &Screen, id: &str, pid: u32) {
    if args.is_json() {
        return screen.data(&format!("{}\n", json!({ "type": "detached", "run": id, "pid": pid })));
    }
    runs::show_id(screen, id, &format!("`{id}` runs in the background"));
}
