//! Runs lines of the shell's, several at once if need be: what they print, and what ends them all.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use lp_run::supervise::Signal;
use rustix::process::{Pid, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::environment::Environment;
use crate::observe::{Observer, Task, Work};

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

/// How long to wait until a lock that somebody else has is tried again.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// How often it is looked at what work has done so far.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Where lines run, each in a process group of its own, and the observer of what they do.
pub struct Shell<'a> {
    dir: &'a Path,
    environment: &'a Environment,
    observer: &'a dyn Observer,
    runtime: Runtime,
    given_up: watch::Sender<Option<GivenUp>>,
}

/// Why every line that runs is ended, and no more are started.
#[derive(Clone, Copy)]
enum GivenUp {
    /// Another one has failed.
    Failed,
    /// A signal came.
    Stopped(Signal),
}

/// Why a line, or something else that others can end, did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// No process was started.
    #[error("failed to start {work}")]
    Start {
        /// The work that the line is for.
        work: Work,
        /// What the system said.
        source: std::io::Error,
    },
    /// The line ended with another status than 0.
    #[error("{work} failed: {status}")]
    Failed {
        /// The work that the line is for.
        work: Work,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed, on both streams.
        output: Vec<u8>,
    },
    /// The file that keeps two processes from the same work can't be locked.
    #[error("failed to prepare {work}")]
    Lock {
        /// The work that has to wait for it.
        work: Work,
        /// What the system said.
        source: std::io::Error,
    },
    /// A signal stopped it.
    #[error("{work} was stopped by {signal}")]
    Stopped {
        /// The work that was stopped.
        work: Work,
        /// The signal.
        signal: Signal,
    },
    /// It was ended because another line failed.
    #[error("{work} was given up")]
    GivenUp {
        /// The work that was ended.
        work: Work,
    },
}

impl ShellError {
    /// The work that did not end well.
    pub fn work(&self) -> &Work {
        match self {
            Self::Start { work, .. }
            | Self::Failed { work, .. }
            | Self::Lock { work, .. }
            | Self::Stopped { work, .. }
            | Self::GivenUp { work } => work,
        }
    }
}

/// How a line ended.
enum Exit {
    Status(ExitStatus, Vec<u8>),
    GivenUp(GivenUp),
}

impl<'a> Shell<'a> {
    /// A shell in `dir`, until it is dropped: as long as it is there, the signals of `environment` end its lines.
    ///
    /// # Errors
    ///
    /// If no thread can be started, or the signals can't be received.
    pub fn new(dir: &'a Path, environment: &'a Environment, observer: &'a dyn Observer) -> std::io::Result<Shell<'a>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let given_up = watch::Sender::new(None);
        let mut signals = runtime.block_on(async { (environment.signals)() })?;
        let stop = given_up.clone();
        runtime.spawn(async move {
            if let Some(signal) = signals.recv().await {
                stop.send_replace(Some(GivenUp::Stopped(signal)));
            }
        });
        Ok(Shell { dir, environment, observer, runtime, given_up })
    }

    /// The folder that lines run in.
    pub(crate) fn dir(&self) -> &Path {
        self.dir
    }

    /// The environment that its lines run in.
    pub(crate) fn environment(&self) -> &Environment {
        self.environment
    }

    /// The observer of what its lines do.
    pub(crate) fn observer(&self) -> &dyn Observer {
        self.observer
    }

    /// Has all that runs end when `stopped` becomes true, as by SIGTERM.
    pub(crate) fn stop_with(&self, mut stopped: watch::Receiver<bool>) {
        let stop = self.given_up.clone();
        self.runtime.spawn(async move {
            if stopped.wait_for(|stopped| *stopped).await.is_ok() {
                stop.send_replace(Some(GivenUp::Stopped(Signal::Terminate)));
            }
        });
    }

    /// Ends every line that runs, and starts no more.
    pub(crate) fn give_up(&self) {
        self.given_up.send_if_modified(|reason| reason.is_none() && reason.replace(GivenUp::Failed).is_none());
    }

    /// Runs a line to its end, as a part of `work`. `task` learns what it prints, and so does the error if it fails.
    pub(crate) fn run(&self, line: &str, work: &Work, task: &dyn Task) -> Result<(), ShellError> {
        // One pipe for both streams keeps what the line prints in its order.
        let mut command = self.command(&format!("exec 2>&1\n{line}"));
        command.stdout(Stdio::piped());
        let failed = |source| ShellError::Start { work: work.clone(), source };
        match self.runtime.block_on(self.wait(command, |printed| task.printed(printed))).map_err(failed)? {
            Exit::Status(status, _) if status.success() => Ok(()),
            Exit::Status(status, output) => Err(ShellError::Failed { work: work.clone(), status, output }),
            Exit::GivenUp(reason) => Err(given_up(reason, work)),
        }
    }

    /// What a line prints on stdout, if it ends well.
    pub(crate) fn answer(&self, line: &str) -> Option<String> {
        let mut command = self.command(line);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        match self.runtime.block_on(self.wait(command, |_| {})) {
            Ok(Exit::Status(status, output)) if status.success() => String::from_utf8(output).ok(),
            _ => None,
        }
    }

    /// Locks a file, which another process may have locked. `work` has to wait for it.
    pub(crate) fn lock(&self, file: &File, work: &Work) -> Result<(), ShellError> {
        let mut reasons = self.given_up.subscribe();
        let locked = async {
            loop {
                match file.try_lock() {
                    Err(TryLockError::WouldBlock) => sleep(LOCK_INTERVAL).await,
                    Err(TryLockError::Error(error)) => return Err(error),
                    Ok(()) => return Ok(()),
                }
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                locked = locked => locked.map_err(|source| ShellError::Lock { work: work.clone(), source }),
                reason = reason(&mut reasons) => Err(given_up(reason, work)),
            }
        })
    }

    /// Does work that waits for nothing, on another thread; a signal leaves it there, to end with this process. `look` is
    /// called time and again meanwhile.
    pub(crate) fn work<T: Send + 'static>(
        &self,
        doing: impl FnOnce() -> T + Send + 'static,
        work: &Work,
        mut look: impl FnMut(),
    ) -> Result<T, ShellError> {
        let mut reasons = self.given_up.subscribe();
        let (tx, mut rx) = oneshot::channel();
        // Not one of the runtime's threads, which would be waited for.
        std::thread::spawn(move || tx.send(doing()));
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    done = &mut rx => {
                        look();
                        return Ok(done.expect("the work does not panic"));
                    }
                    reason = reason(&mut reasons) => return Err(given_up(reason, work)),
                    () = sleep(LOOK_INTERVAL) => look(),
                }
            }
        })
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.dir).stdin(Stdio::null()).kill_on_drop(true);
        // A group of its own, so that a signal reaches whatever the line has started.
        command.process_group(0);
        for name in REMOVED {
            command.env_remove(name);
        }
        // What Cargo prints goes through a pipe, where it would leave out colours.
        if self.environment.cargo_coloured {
            command.env("CARGO_TERM_COLOR", "always");
        }
        // Under `cargo run` the toolchain is the one that built this binary, while the program's directory may ask for
        // another one. Without Cargo around, it is the user's choice.
        if self.environment.under_cargo {
            command.env_remove("RUSTUP_TOOLCHAIN");
        }
        command
    }

    /// Waits for a command, and ends it if everything is given up. `says` gets what it prints, too.
    async fn wait(&self, mut command: Command, says: impl FnMut(&[u8])) -> std::io::Result<Exit> {
        let mut reasons = self.given_up.subscribe();
        if let Some(reason) = *reasons.borrow_and_update() {
            return Ok(Exit::GivenUp(reason));
        }
        let mut child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let kill = |signal| {
            // It fails only for a group that has just ended by itself.
            let _ = group.map(|group| kill_process_group(group, signal));
        };
        let stdout = child.stdout.take();
        let ended = async {
            let output = match stdout {
                Some(stdout) => end_of(stdout, says).await,
                None => Vec::new(),
            };
            child.wait().await.map(|status| (status, output))
        };
        tokio::pin!(ended);
        tokio::select! {
            ended = &mut ended => ended.map(|(status, output)| Exit::Status(status, output)),
            reason = reason(&mut reasons) => {
                kill(rustix::process::Signal::TERM);
                if timeout(KILL_TIME, &mut ended).await.is_err() {
                    kill(rustix::process::Signal::KILL);
                }
                Ok(Exit::GivenUp(reason))
            }
        }
    }
}

/// Waits until everything is given up.
async fn reason(reasons: &mut watch::Receiver<Option<GivenUp>>) -> GivenUp {
    match reasons.wait_for(Option::is_some).await {
        Ok(reason) => reason.expect("it was waited for"),
        // The shell outlives what waits in it.
        Err(_) => std::future::pending().await,
    }
}

fn given_up(reason: GivenUp, work: &Work) -> ShellError {
    match reason {
        GivenUp::Stopped(signal) => ShellError::Stopped { work: work.clone(), signal },
        GivenUp::Failed => ShellError::GivenUp { work: work.clone() },
    }
}

/// Reads a stream to its end and keeps the last [`OUTPUT_BYTES_MAX`] bytes of it.
async fn end_of(mut stream: impl AsyncRead + Unpin, mut says: impl FnMut(&[u8])) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        says(&chunk[..read]);
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > 2 * OUTPUT_BYTES_MAX {
            kept.drain(..kept.len() - OUTPUT_BYTES_MAX);
        }
    }
    kept.drain(..kept.len().saturating_sub(OUTPUT_BYTES_MAX));
    kept
}

/// Opens a file to be locked, and makes it if it is missing. One of the user's by that name keeps what is in it.
pub(crate) fn lock_file(path: &Path) -> std::io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// A word as the shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
