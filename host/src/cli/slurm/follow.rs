//! A job until its program has ended: its journal, which says what the program does, and Slurm, which says what became of the job.
//!
//! Only the journal's last record is the end of a program. A job that is over without one has failed, whatever Slurm says of it:
//! Slurm 22.05 takes steps whose machine is lost for done.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use lp_engine::slurm::JobState;
use lp_engine::slurm::job::NOT_SHARED;
use lp_engine::slurm::state::{Ending, Status};
use lp_run::observe::RunEnd;
use lp_run::supervise::Signal;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::commands::{self, SlurmError};
use super::shared::SAY_WHERE;
use crate::cli::journal::{JournalView, Told};
use crate::cli::screen::{CliError, Screen, exit_code};

/// How often it is looked at whether the journal has grown.
const TAIL_INTERVAL: Duration = Duration::from_millis(100);

/// How often Slurm is asked for a job. Its controller serves a whole cluster.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// How long the last record is waited for once Slurm says that the job is over: file systems of networks show what is written with
/// a delay.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// The line of a script whose job Slurm may start over.
const REQUEUE: &str = "#SBATCH --requeue";

/// How long a program may take to end at once, before its job is cancelled.
const HASTE_TIME: Duration = Duration::from_secs(10);

/// How much of a journal is read at once.
const PIECE_BYTES: usize = 256 << 10;

/// How much of what a coordinator printed is shown when it has ended without a word.
const LOG_BYTES_MAX: u64 = 4 << 10;

/// A job that runs a program.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Job {
    /// The id of the run.
    pub id: String,
    /// Its number in Slurm.
    pub number: String,
    /// The program directory.
    pub dir: PathBuf,
}

/// What a signal to this process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum OnSignal {
    /// The program is asked to stop, and the second time to end at once; the third time, the job is cancelled. SIGHUP leaves it
    /// alone.
    Stop,
    /// The program goes on without being seen.
    Leave,
}

/// Until when a job is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Until {
    /// All nodes are up.
    Up,
    /// It has ended.
    End,
}

/// Why a job is not followed any more.
pub(in crate::cli) enum Followed {
    /// All nodes are up.
    Up,
    /// The program has ended.
    End(Box<RunEnd>),
    /// A signal came for this process, and the program goes on.
    Left(Signal),
    /// A signal came, and the job was cancelled before it ran.
    Cancelled(Signal),
}

/// Reads what is added to a file that may not be there yet.
pub(super) struct Tail {
    path: PathBuf,
    read: u64,
}

impl Tail {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: 0 }
    }

    /// What is there beyond what was read, up to a limit; nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Vec<u8>> {
        // Opened anew each time: that is when NFS asks its server how long the file is by now.
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut piece = Vec::new();
        self.read += file.take(PIECE_BYTES as u64).read_to_end(&mut piece)? as u64;
        Ok(piece)
    }
}

/// What is known of a job while it is followed.
struct Following<'a> {
    job: &'a Job,
    screen: &'a Screen,
    /// What Slurm said last.
    seen: Option<Status>,
    /// When its last record must have come, if it is over.
    settled: Option<Instant>,
    /// How many signals have come.
    signals: u32,
    /// When the job is cancelled, since its program was to end at once.
    cancelled: Option<Instant>,
    /// Whether Slurm did not answer when it was last asked.
    is_silent: bool,
    /// Whether Slurm may start the job over.
    may_be_requeued: bool,
    /// The end of the program, if its job may be started over by Slurm: only when the job is over, it is.
    ended: Option<Box<RunEnd>>,
}

/// Shows a job until that.
///
/// # Errors
/// If it has ended without saying how, or the journal can't be read.
pub(in crate::cli) async fn follow(
    job: &Job,
    (until, on_signal): (Until, OnSignal),
    view: &mut JournalView,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    screen: &Screen,
) -> Result<Followed, CliError> {
    let failed = |error: io::Error| CliError::new(exit_code::NODE_FAILED, error);
    let mut tail = Tail::new(job.dir.join("journal"));
    let mut following = Following::new(job, screen);
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        loop {
            let piece = tail.next().map_err(failed)?;
            if piece.is_empty() {
                break;
            }
            for told in view.show(&piece).await.map_err(failed)? {
                match told {
                    Told::End(end) if following.may_be_requeued => following.ended = Some(end),
                    Told::End(end) => return Ok(Followed::End(end)),
                    Told::Up if until == Until::Up => return Ok(Followed::Up),
                    Told::Up | Told::State => {}
                }
            }
        }
        if following.settled.is_some_and(|settled| settled <= Instant::now()) {
            return match following.ended {
                Some(end) => Ok(Followed::End(end)),
                None => Err(following.unfinished().await),
            };
        }
        if following.cancelled.is_some_and(|at| at <= Instant::now()) {
            following.cancel().await.map_err(super::shared::not_launched)?;
        }
        tokio::select! {
            biased;
            Some(signal) = signals.recv() => {
                if on_signal == OnSignal::Leave || signal == Signal::Hangup {
                    return Ok(Followed::Left(signal));
                }
                if following.stop(signal).await? {
                    return Ok(Followed::Cancelled(signal));
                }
            }
            _ = look.tick(), if following.settled.is_none() => following.look().await?,
            () = sleep(TAIL_INTERVAL) => {}
        }
    }
}

impl<'a> Following<'a> {
    fn new(job: &'a Job, screen: &'a Screen) -> Self {
        let script = fs::read_to_string(job.dir.join("script.sh"));
        let may_be_requeued = script.is_ok_and(|script| script.contains(REQUEUE));
        Self {
            job,
            screen,
            seen: None,
            settled: None,
            signals: 0,
            cancelled: None,
            is_silent: false,
            may_be_requeued,
            ended: None,
        }
    }

    /// Asks Slurm for the job, and says what is new.
    async fn look(&mut self) -> Result<(), CliError> {
        let now = match commands::status(&self.job.number).await {
            Ok(now) => now,
            Err(error @ SlurmError::Missing(_)) => return Err(super::shared::not_launched(error)),
            Err(error) => {
                // The program does not need Slurm's controller while it runs.
                if !self.is_silent {
                    self.screen.warning(&format!("Slurm can't be asked for the job at the moment: {error}"));
                }
                self.is_silent = true;
                return Ok(());
            }
        };
        self.is_silent = false;
        // A job that is started over is ended first, and no state tells the two apart.
        if now.as_ref().is_some_and(|now| self.may_be_requeued && now.word == "COMPLETING") {
            return Ok(());
        }
        let Some(now) = now.filter(|now| now.state() != JobState::Ended) else {
            let time = if self.ended.is_some() { Duration::ZERO } else { SETTLE_TIME };
            self.settled = Some(Instant::now() + time);
            return Ok(());
        };
        let number = &self.job.number;
        let before = self.seen.replace(now.clone());
        if now.state() == JobState::Running {
            return Ok(());
        }
        if self.ended.take().is_some() || before.as_ref().is_some_and(|before| before.state() == JobState::Running) {
            self.screen.note(&format!("job {number} was requeued, and its program starts over"));
        } else if let Some(reason) =
            now.reason.filter(|now| before.is_none_or(|before| before.reason.as_ref() != Some(now)))
        {
            self.screen.note(&format!("job {number} waits for Slurm: {reason}"));
        }
        Ok(())
    }

    /// Asks the program to stop, or to end at once; cancels the job if it does not run, or both were asked before. Whether it was
    /// cancelled unseen.
    async fn stop(&mut self, signal: Signal) -> Result<bool, CliError> {
        self.signals += 1;
        let job = &self.job.number;
        let is_waiting = match commands::status(job).await {
            Ok(Some(status)) => status.state() == JobState::Waiting,
            Ok(None) => return Ok(false),
            Err(_) => false,
        };
        let asked = if is_waiting {
            commands::cancel(job).await
        } else if self.signals > 2 {
            self.cancel().await
        } else {
            self.cancelled = (self.signals == 2).then(|| Instant::now() + HASTE_TIME);
            commands::signal(job, name(signal)).await
        };
        asked.map(|()| is_waiting).map_err(super::shared::not_launched)
    }

    /// Cancels a job that runs.
    async fn cancel(&mut self) -> Result<(), SlurmError> {
        self.cancelled = None;
        self.screen.note(&format!("job {} is cancelled", self.job.number));
        commands::cancel(&self.job.number).await
    }

    /// That the job is over, and nothing says that its program is.
    async fn unfinished(&self) -> CliError {
        let number = &self.job.number;
        let ending = commands::ending(number).await.unwrap_or_default();
        let Ending { word, reason, exit_code, machines } = &ending;
        let on = if machines.is_empty() { String::new() } else { format!(" on `{machines}`") };
        if *exit_code == format!("{NOT_SHARED}:0") {
            let error = format!(
                "`{}` can't be used{on}, so the machines of the cluster don't share it",
                self.job.dir.display()
            );
            return CliError::new(exit_code::NOT_LAUNCHED, error).hint(SAY_WHERE);
        }
        let says = match (word.as_str(), reason) {
            ("", _) => "Slurm does not know it any more".to_owned(),
            (word, Some(reason)) => format!("Slurm says {word} ({reason}), with exit code {exit_code}"),
            (word, None) => format!("Slurm says {word}, with exit code {exit_code}"),
        };
        let error = format!("job {number}{on} ended without a report of the program's end: {says}");
        CliError::new(exit_code::NODE_FAILED, error).output(self.last_words())
    }

    /// The end of what the coordinator and Slurm printed.
    fn last_words(&self) -> Vec<u8> {
        let mut words = Vec::new();
        if let Ok(mut file) = File::open(self.job.dir.join("job.log")) {
            let len = file.metadata().map_or(0, |data| data.len());
            let _ = file.seek(SeekFrom::Start(len.saturating_sub(LOG_BYTES_MAX)));
            let _ = file.take(LOG_BYTES_MAX).read_to_end(&mut words);
        }
        words
    }
}

/// What `scancel` calls it.
fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::Interrupt => "INT",
        Signal::Terminate | Signal::Hangup => "TERM",
    }
}

/// The number of the job that runs the program of a directory.
pub(super) fn number(dir: &std::path::Path) -> Option<String> {
    Some(fs::read_to_string(dir.join("job")).ok()?.trim().to_owned())
}
