//! The runs of this user, as the verbs that work on one find them.

use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use lp_run::launch::RunId;
use lp_run::observe::{Client, ClientError, Registry, RegistryError, RunStatus};
use tokio::time::{sleep, timeout};

use super::screen::{CliError, exit_code};

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

/// The run that a user means by its id, the only program of that name, or the beginning of its id alone.
pub(super) async fn find(registry: &Registry, name: &str) -> Result<RunId, CliError> {
    let runs = registry.runs()?;
    if let Some(id) = runs.iter().find(|id| id.as_str() == name) {
        return Ok(id.clone());
    }
    let (statuses, _) = statuses(registry).await?;
    let of_program = |id: &&RunId| statuses.iter().any(|run| run.id == id.as_str() && run.program == name);
    let mut found: Vec<_> = runs.iter().filter(of_program).collect();
    if found.is_empty() {
        found = runs.iter().filter(|id| !name.is_empty() && id.as_str().starts_with(name)).collect();
    }
    match found[..] {
        [id] => Ok(id.clone()),
        [] if runs.is_empty() => Err(not_found(format!("no run is called `{name}`; no program is running"))),
        [] => Err(not_found(format!("no run is called `{name}`")).hint(format!("there are {}", listed(runs.iter())))),
        [..] => Err(not_found(format!("more than one run is called `{name}`"))
            .hint(format!("say which one: {}", listed(found.into_iter())))),
    }
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
