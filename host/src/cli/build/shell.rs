//! Runs lines of the shell's one after the other: what they print, and what a signal does to them.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::super::screen::{Failure, Screen, exit_code};
use super::super::signals::signals;
use crate::supervise::Signal;

/// Variables that say where Cargo builds to, and for what. They would move the component away from the path that the
/// program file gives, or break it: flags for the machine's own processor are no flags for WebAssembly.
const REMOVED: [&str; 8] = [
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
    "RUSTFLAGS",
];

/// The most output of a command that is kept to be shown when it fails; of more, the end is.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// How long a command has to end when it is asked to.
const KILL_TIME: Duration = Duration::from_secs(2);

/// Where lines run.
pub(in crate::cli) struct Shell<'a> {
    dir: &'a Path,
    screen: &'a Screen,
    runtime: Runtime,
}

/// How a child process ended.
enum Exit {
    Status(ExitStatus, Vec<u8>),
    Stopped(Signal),
}

impl<'a> Shell<'a> {
    pub(in crate::cli) fn new(dir: &'a Path, screen: &'a Screen) -> std::io::Result<Shell<'a>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Shell { dir, screen, runtime })
    }

    /// Runs a line of the shell's to its end. On a terminal what it prints is shown, elsewhere only if it fails.
    /// `what` names it in messages, and `code` is the exit code if it fails.
    pub(super) fn run(&self, line: &str, what: &str, code: u8) -> Result<(), Failure> {
        let not_launched = |error| Failure::new(exit_code::NOT_LAUNCHED, format!("failed to start {what}: {error}"));
        if !self.screen.shows_progress() {
            return self.run_quietly(line, what, code);
        }
        // Our stdout is for data.
        let stderr = std::io::stderr().as_fd().try_clone_to_owned().map_err(not_launched)?;
        let mut command = self.command(line);
        command.stdout(stderr);
        self.ended(self.runtime.block_on(wait(command)).map_err(not_launched)?, what, code)
    }

    /// The same, but what the line prints is only shown if it fails.
    pub(super) fn run_quietly(&self, line: &str, what: &str, code: u8) -> Result<(), Failure> {
        // One pipe for both streams keeps what the line prints in its order.
        let mut command = self.command(&format!("exec 2>&1\n{line}"));
        command.stdout(Stdio::piped());
        let exit = self.runtime.block_on(wait(command));
        let exit =
            exit.map_err(|error| Failure::new(exit_code::NOT_LAUNCHED, format!("failed to start {what}: {error}")))?;
        self.ended(exit, what, code)
    }

    fn ended(&self, exit: Exit, what: &str, code: u8) -> Result<(), Failure> {
        match exit {
            Exit::Status(status, _) if status.success() => Ok(()),
            Exit::Status(status, output) => {
                self.screen.output(&output);
                Err(Failure::new(code, format!("{what} failed: {status}")))
            }
            Exit::Stopped(signal) => {
                Err(Failure::new(128 + signal.number(), format!("{what} was stopped by {signal}")))
            }
        }
    }

    /// What a line prints on stdout, if it ends well.
    pub(in crate::cli) fn answer(&self, line: &str) -> Option<String> {
        let mut command = self.command(line);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        match self.runtime.block_on(wait(command)) {
            Ok(Exit::Status(status, output)) if status.success() => String::from_utf8(output).ok(),
            _ => None,
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.dir).stdin(Stdio::null()).kill_on_drop(true);
        // A group of its own, so that a signal reaches whatever the line has started.
        command.process_group(0);
        for name in REMOVED {
            command.env_remove(name);
        }
        // Under `cargo run` the toolchain is the one that built this binary, while the program's directory may ask for
        // another one. Without Cargo around, it is the user's choice.
        if std::env::var_os("CARGO").is_some() {
            command.env_remove("RUSTUP_TOOLCHAIN");
        }
        command
    }
}

/// Waits for a command, and ends it if this process is asked to stop.
async fn wait(mut command: Command) -> std::io::Result<Exit> {
    let mut signals = signals()?;
    let mut child = command.spawn()?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let kill = |signal| {
        // It fails only for a group that has just ended by itself.
        let _ = group.map(|group| kill_process_group(group, signal));
    };
    let stdout = child.stdout.take();
    let ended = async {
        let output = match stdout {
            Some(stdout) => end_of(stdout).await,
            None => Vec::new(),
        };
        child.wait().await.map(|status| (status, output))
    };
    tokio::pin!(ended);
    tokio::select! {
        ended = &mut ended => ended.map(|(status, output)| Exit::Status(status, output)),
        Some(signal) = signals.recv() => {
            kill(rustix::process::Signal::TERM);
            if timeout(KILL_TIME, &mut ended).await.is_err() {
                kill(rustix::process::Signal::KILL);
            }
            Ok(Exit::Stopped(signal))
        }
    }
}

/// Reads a stream to its end and keeps the last [`OUTPUT_BYTES_MAX`] bytes of it.
async fn end_of(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > 2 * OUTPUT_BYTES_MAX {
            kept.drain(..kept.len() - OUTPUT_BYTES_MAX);
        }
    }
    kept.drain(..kept.len().saturating_sub(OUTPUT_BYTES_MAX));
    kept
}

/// A word as the shell takes it.
pub(in crate::cli) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
