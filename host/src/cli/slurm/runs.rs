//! The programs of this user on Slurm, found again by the names of jobs and by their directories: whoever launched them may be gone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lp_engine::journal::{Reader, Record};
use lp_engine::slurm::JobState;
use lp_engine::slurm::state::Status;
use lp_run::launch::RunId;
use lp_run::observe::RunStatus;

use super::commands::{self, SlurmError};
use super::follow::{Job, Tail, number};
use super::shared;
use crate::cli::screen::{CliError, exit_code};

/// A program on Slurm.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Run {
    /// The job, and its directory.
    pub job: Job,
    /// What Slurm says of it, if it is not over.
    pub status: Option<Status>,
}

impl Run {
    /// Whether the name of a run that a user gives means this one: its id, its program, or the beginning of its id.
    fn is_called(&self, name: &str) -> bool {
        let program = self.job.id.rsplit_once('-').map_or("", |(program, _)| program);
        self.job.id == name || program == name || (!name.is_empty() && self.job.id.starts_with(name))
    }

    /// Whether its job is not over.
    pub(in crate::cli) fn is_living(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.state() != JobState::Ended)
    }

    /// What its replicas do, as its journal said last.
    pub(in crate::cli) fn replicas(&self) -> Option<RunStatus> {
        let (mut tail, mut reader, mut last) = (Tail::new(self.job.dir.join("journal")), Reader::default(), None);
        loop {
            let piece = tail.next().ok()?;
            if piece.is_empty() {
                return serde_json::from_value(last?).ok();
            }
            for record in reader.read(&piece) {
                if let Ok(Record::State { status }) = record {
                    last = Some(status);
                }
            }
        }
    }
}

/// All of them, those that go on first. A machine may have Slurm's commands and no cluster: that they fail is an error only if there are
/// directories of programs.
pub(in crate::cli) async fn all() -> Result<Vec<Run>, SlurmError> {
    if !commands::are_there() {
        return Ok(Vec::new());
    }
    let shared = shared::dir(None).ok();
    let dirs = shared.iter().flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
    let known: Vec<_> = dirs.filter_map(|entry| Some((known(&entry.path())?, entry.path()))).collect();
    let jobs = match commands::jobs().await {
        Err(_) if known.is_empty() => return Ok(Vec::new()),
        jobs => jobs?,
    };
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    for status in jobs {
        let Some(id) = status.run().map(str::to_owned) else { continue };
        let job = Job { id: id.clone(), number: status.job.clone(), dir: status.dir.clone().into() };
        runs.insert(id, Run { job, status: Some(status) });
    }
    for ((id, number), dir) in known {
        runs.entry(id.clone()).or_insert_with(|| Run { job: Job { id, number, dir }, status: None });
    }
    let (mut runs, over): (Vec<_>, Vec<_>) = runs.into_values().partition(Run::is_living);
    runs.extend(over);
    Ok(runs)
}

/// The id of the run of a directory, and the number of its job.
fn known(dir: &Path) -> Option<(String, String)> {
    let id = RunId::parse(dir.file_name()?.to_str()?)?;
    Some((id.to_string(), number(dir)?))
}

/// The runs that a user means by a name, or by none. Those that are over count only if none goes on.
async fn meant(name: Option<&str>) -> Result<Vec<Run>, SlurmError> {
    let mut runs = all().await?;
    runs.retain(|run| name.is_none_or(|name| run.is_called(name)));
    if let Some(exact) = runs.iter().position(|run| Some(run.job.id.as_str()) == name) {
        return Ok(vec![runs.swap_remove(exact)]);
    }
    if runs.iter().any(Run::is_living) {
        runs.retain(Run::is_living);
    }
    Ok(runs)
}

/// The run on Slurm that a user means by a name, where no run of this machine is called so: that is what `error` says.
pub(in crate::cli) async fn find(name: Option<&str>, error: CliError) -> Result<Run, CliError> {
    let Ok(mut runs) = meant(name).await else { return Err(error) };
    match (runs.pop(), runs.is_empty()) {
        (None, _) => Err(error),
        (Some(run), true) => Ok(run),
        (Some(last), false) => {
            let ids: Vec<_> = runs.iter().chain([&last]).map(|run| format!("`{}`", run.job.id)).collect();
            let error = CliError::new(exit_code::WRONG_USAGE, "more than one run on Slurm is called so");
            Err(error.hint(format!("say which one: {}", ids.join(", "))))
        }
    }
}
