//! The commands of Slurm, each with a time in which it must answer.

use std::process::Stdio;
use std::time::Duration;

use lp_engine::slurm::state::{Ending, SQUEUE_FORMAT, Status, parse_scontrol, parse_squeue};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// How long a command may take. Slurm's own commands try a controller that does not answer again for longer than anybody waits.
const CALL_TIME: Duration = Duration::from_secs(60);

/// How long `squeue` may take where all runs of a user are looked for, as by `lp-host ps`.
const LIST_TIME: Duration = Duration::from_secs(5);

/// What `squeue` says of a job that is over for long.
const UNKNOWN_JOB: &str = "Invalid job id specified";

/// Why a command of Slurm did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum SlurmError {
    /// It is not there.
    #[error("`{0}` is not on this machine")]
    Missing(&'static str),
    /// It can't be run.
    #[error("`{program}` can't be run")]
    NotRun {
        program: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// It does not answer.
    #[error("`{program}` did not answer within {} s", time.as_secs())]
    Silent { program: &'static str, time: Duration },
    /// It refuses, with its own words.
    #[error("{said}")]
    Refused { said: String },
}

impl SlurmError {
    /// The line that fixes it, where there is one.
    pub(in crate::cli) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing(_) => {
                Some("run this where Slurm's commands are, which is mostly a login node of the cluster")
            }
            Self::Silent { .. } => Some("`scontrol ping` says whether the controller of Slurm runs"),
            Self::NotRun { .. } | Self::Refused { .. } => None,
        }
    }
}

/// Whether this machine has Slurm's commands.
pub(in crate::cli) fn are_there() -> bool {
    is_there("sbatch")
}

/// Whether this machine has a command.
pub(in crate::cli) fn is_there(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(command).is_file())
}

/// Asks whether a job could ever run. What `sbatch` says of a job that could not is the error.
pub(in crate::cli) async fn test(script: &str) -> Result<(), SlurmError> {
    call("sbatch", &["--test-only"], Some(script)).await.map(drop)
}

/// Submits a job. Gives its number.
pub(in crate::cli) async fn submit(script: &str) -> Result<String, SlurmError> {
    let said = call("sbatch", &["--parsable"], Some(script)).await?;
    // Behind a semicolon is the name of the cluster.
    let number = said.trim().split(';').next().unwrap_or_default().to_owned();
    match number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() {
        true => Ok(number),
        false => Err(SlurmError::Refused { said: format!("`sbatch` gave no number of a job, but `{}`", said.trim()) }),
    }
}

/// A job as it is; `None` if it is over for so long that Slurm has forgotten it.
pub(in crate::cli) async fn status(job: &str) -> Result<Option<Status>, SlurmError> {
    let listed = call("squeue", &["--noheader", "--states=all", "--jobs", job, "--format", SQUEUE_FORMAT], None).await;
    match listed {
        Ok(listed) => Ok(parse_squeue(&listed).into_iter().next()),
        Err(SlurmError::Refused { said }) if said.contains(UNKNOWN_JOB) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The jobs of this user that are not over.
pub(in crate::cli) async fn jobs() -> Result<Vec<Status>, SlurmError> {
    let listing = call("squeue", &["--noheader", "--me", "--format", SQUEUE_FORMAT], None);
    let silent = |_| SlurmError::Silent { program: "squeue", time: LIST_TIME };
    Ok(parse_squeue(&timeout(LIST_TIME, listing).await.map_err(silent)??))
}

/// What came of a job, as far as Slurm still knows.
pub(in crate::cli) async fn ending(job: &str) -> Option<Ending> {
    parse_scontrol(&call("scontrol", &["show", "job", "--oneliner", job], None).await.ok()?)
}

/// Asks the coordinator of a job to stop, by a signal such as `TERM`.
pub(in crate::cli) async fn signal(job: &str, signal: &str) -> Result<(), SlurmError> {
    call("scancel", &["--batch", "--signal", signal, job], None).await.map(drop)
}

/// Ends a job, whatever it does.
pub(in crate::cli) async fn cancel(job: &str) -> Result<(), SlurmError> {
    call("scancel", &[job], None).await.map(drop)
}

/// The names of machines that a list such as `node[1-3]` stands for.
pub(in crate::cli) async fn machines(list: &str) -> Result<Vec<String>, SlurmError> {
    let names = call("scontrol", &["show", "hostnames", list], None).await?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// The names by which the machines of the cluster call themselves.
pub(in crate::cli) async fn host_names() -> Result<Vec<String>, SlurmError> {
    let names = call("sinfo", &["--noheader", "--format=%n"], None).await?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// What a command says, if it succeeds.
pub(in crate::cli) async fn call(
    program: &'static str,
    words: &[&str],
    stdin: Option<&str>,
) -> Result<String, SlurmError> {
    let mut command = Command::new(program);
    command.args(words).stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let not_run = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => SlurmError::Missing(program),
        _ => SlurmError::NotRun { program, source },
    };
    let mut child = command.spawn().map_err(not_run)?;
    let (input, text) = (child.stdin.take(), stdin.unwrap_or_default());
    let ended = async {
        if let Some(mut input) = input {
            // One that ends before it has read all says why.
            let _ = input.write_all(text.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = timeout(CALL_TIME, ended)
        .await
        .map_err(|_| SlurmError::Silent { program, time: CALL_TIME })?
        .map_err(not_run)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(SlurmError::Refused {
        said: if said.is_empty() { format!("`{program}` failed without a message") } else { said },
    })
}
