//! The runs of this user, as the verbs that work on one find them.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use lp_base::scheduler::Scheduler;
use lp_run::launch::RunId;
use lp_run::observe::{Client, ClientError, Finished, Registry, RegistryError, RunStatus};
use tokio::time::{sleep, timeout};

use super::screen::{CliError, Screen, exit_code};

/// How long a run may take to say what it is doing.
const STATUS_TIME: Duration = Duration::from_secs(2);

/// How long to wait before another attempt to reach a run that is only just starting.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The variables that say where the runs are.
pub(super) const VARIABLES: [&str; 2] = ["TMPDIR", "XDG_RUNTIME_DIR"];

/// The runs of this user: in `$XDG_RUNTIME_DIR`, else in the directory of temporary files.
pub(super) fn registry() -> Result<Registry, RegistryError> {
    let [temp_dir, runtime_dir] = VARIABLES;
    let dir = |name| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let temp_dir = dir(temp_dir).unwrap_or_else(|| PathBuf::from("/tmp"));
    Registry::open(dir(runtime_dir).as_deref(), &temp_dir)
}

/// Runs a future of a verb that needs no threads.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::new(exit_code::WRONG_USAGE, error))?;
    Ok(runtime.block_on(future))
}

impl From<RegistryError> for CliError {
    fn from(error: RegistryError) -> Self {
        CliError::new(exit_code::WRONG_USAGE, error)
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        CliError::new(exit_code::WRONG_USAGE, error)
    }
}

/// A connection to a run; `None` if it has ended.
pub(super) async fn connect(registry: &Registry, id: &RunId) -> Result<Option<Client>, CliError> {
    loop {
        match Client::connect(&registry.control_socket(id)).await {
            Ok(client) => return Ok(Some(client)),
            Err(_) if !registry.runs()?.contains(id) => return Ok(None),
            Err(_) => sleep(RETRY_PAUSE).await,
        }
    }
}

/// What every run is doing, and the ids of those that don't say.
pub(super) async fn statuses(registry: &Registry) -> Result<(Vec<RunStatus>, Vec<RunId>), CliError> {
    let runs = registry.runs()?;
    let status = |id: RunId| async move {
        let asked = timeout(STATUS_TIME, async {
            let Some(mut client) = connect(registry, &id).await? else { return Ok::<_, CliError>(None) };
            match client.status().await {
                Ok(status) => Ok(Some(status)),
                Err(ClientError::Ended | ClientError::Io(_)) => Ok(None),
                Err(error) => Err(error.into()),
            }
        });
        match asked.await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(_)) | Err(_) => Err(id),
        }
    };
    let (mut known, mut silent) = (Vec::new(), Vec::new());
    for status in join_all(runs.into_iter().map(status)).await {
        match status {
            Ok(status) => known.extend(status),
            Err(id) => silent.push(id),
        }
    }
    Ok((known, silent))
}

/// A run that a user means.
pub(super) enum Found {
    /// One that goes on.
    Living(RunId),
    /// One that has ended and is kept.
    Finished(Finished),
}

/// The run that a user means by its id, the only program of that name, or the beginning of its id alone.
pub(super) async fn find(registry: &Registry, name: &str) -> Result<RunId, CliError> {
    match find_any(registry, Some(name)).await? {
        Found::Living(id) => Ok(id),
        Found::Finished(run) => {
            Err(ended(&run.id).hint(format!("`lp-host attach {}` shows what is kept of it", run.id)))
        }
    }
}

/// The same, also of those that have ended and are kept, if none that goes on is called so. Without a name, it is the only one.
pub(super) async fn find_any(registry: &Registry, name: Option<&str>) -> Result<Found, CliError> {
    let runs = registry.runs()?;
    let finished = finished(registry)?;
    if let Some(id) = runs.iter().find(|id| Some(id.as_str()) == name) {
        return Ok(Found::Living(id.clone()));
    }
    let programs = match name {
        Some(_) => statuses(registry).await?.0.into_iter().map(|run| (run.id, run.program)).collect(),
        None => BTreeMap::new(),
    };
    let program = |id: &RunId| programs.get(id.as_str()).map(String::as_str);
    let living = meant(name, runs.iter().map(|id| (id, id, program(id))));
    let ended = meant(name, finished.iter().map(|run| (run, &run.id, Some(&*run.end.program))));
    match (&living[..], &ended[..]) {
        (&[id], _) => Ok(Found::Living(id.clone())),
        ([], &[run]) => {
            let id = run.id.clone();
            Ok(Found::Finished(finished.into_iter().find(|run| run.id == id).expect("it is one of these")))
        }
        ([], []) => Err(none(name, runs.iter().chain(finished.iter().map(|run| &run.id)))),
        ([], ended) => Err(several(name, ended.iter().map(|run| &run.id))),
        (living, _) => Err(several(name, living.iter().copied())),
    }
}

/// Those of the runs that a name means: by its id, else by the name of its program, else by the beginning of its id. Without a
/// name, it is all.
fn meant<'a, T: Copy>(name: Option<&str>, runs: impl Iterator<Item = (T, &'a RunId, Option<&'a str>)>) -> Vec<T> {
    let runs: Vec<_> = runs.collect();
    let Some(name) = name else { return runs.into_iter().map(|(run, ..)| run).collect() };
    let by = |is: fn(&str, &str, Option<&str>) -> bool| -> Vec<T> {
        runs.iter().filter(|(_, id, program)| is(name, id.as_str(), *program)).map(|(run, ..)| *run).collect()
    };
    let mut found = by(|name, id, _| id == name);
    if found.is_empty() {
        found = by(|name, _, program| program == Some(name));
    }
    if found.is_empty() {
        found = by(|name, id, _| !name.is_empty() && id.starts_with(name));
    }
    found
}

/// That no run is called so.
fn none<'a>(name: Option<&str>, runs: impl Iterator<Item = &'a RunId>) -> CliError {
    let runs: Vec<_> = runs.collect();
    let not_called = name.map(|name| format!("no run is called `{name}`"));
    match (not_called, runs.is_empty()) {
        (None, _) => not_found("no program is running"),
        (Some(not_called), true) => not_found(format!("{not_called}; no program is running")),
        (Some(not_called), false) => not_found(not_called).hint(format!("there are {}", listed(runs.into_iter()))),
    }
}

/// That more than one is.
fn several<'a>(name: Option<&str>, runs: impl Iterator<Item = &'a RunId>) -> CliError {
    let error = match name {
        Some(name) => format!("more than one run is called `{name}`"),
        None => "there is more than one run".to_owned(),
    };
    not_found(error).hint(format!("say which one: {}", listed(runs)))
}

/// The detached runs that have ended and are kept.
pub(super) fn finished(registry: &Registry) -> Result<Vec<Finished>, RegistryError> {
    registry.finished(Scheduler::default().wall())
}

/// That a run is gone by the time it is asked.
pub(super) fn ended(id: &RunId) -> CliError {
    not_found(format!("`{id}` has ended"))
}

fn not_found(error: impl Into<Box<dyn Error + Send + Sync>>) -> CliError {
    CliError::new(exit_code::WRONG_USAGE, error)
}

fn listed<'a>(ids: impl Iterator<Item = &'a RunId>) -> String {
    ids.map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

/// Shows what to do with a run that goes on by itself.
pub(super) fn show_id(screen: &Screen, id: &str, note: &str) {
    screen.data(&format!("{id}\n"));
    screen.note(note);
    screen.text(&format!(
        "  lp-host attach {id}   its output, to its end\n  \
           lp-host logs {id}     its output until now\n  \
           lp-host ps{:gap$}   what it is doing\n  \
           lp-host stop {id}     ends it",
        "",
        gap = id.len() + 5
    ));
}
