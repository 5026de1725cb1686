//! The programs of a namespace, found again by the labels of what owns them: whoever launched them may be gone.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use lp_engine::journal::{Reader, Record};
use lp_engine::kubernetes::{COORDINATOR, LABEL_GROUP, LABEL_PROGRAM, Names};
use lp_run::observe::RunStatus;
use tokio::time::timeout;

use super::api::{ApiError, Cluster};
use super::end;
use crate::cli::screen::{CliError, Screen, exit_code, with_causes};

/// How long a cluster may take to answer when a run is looked for that is nowhere else.
const FIND_TIME: Duration = Duration::from_secs(10);
/// How long it may take to answer `lp-host ps`, which is of interest to those too who have a kubeconfig and no program there.
const LIST_TIME: Duration = Duration::from_secs(2);
/// How many of the last lines of a journal the state of the run is looked for in.
const STATE_LINES: i64 = 1000;

/// A program on Kubernetes.
#[derive(Clone)]
pub(in crate::cli) struct Run {
    id: String,
    pub(super) cluster: Cluster,
}

impl Run {
    pub(super) fn new(id: String, cluster: Cluster) -> Self {
        Self { id, cluster }
    }

    pub(in crate::cli) fn id(&self) -> &str {
        &self.id
    }

    /// The name of what owns it.
    pub(super) fn root(&self) -> String {
        Names::new(&self.id).root
    }

    /// Whether the name of a run that a user gives means this one: its id, its program, or the beginning of its id.
    fn is_called(&self, name: &str) -> bool {
        let program = self.id.rsplit_once('-').map_or("", |(program, _)| program);
        self.id == name || program == name || (!name.is_empty() && self.id.starts_with(name))
    }

    /// The Pod of its coordinator, if there is one.
    pub(super) async fn coordinator(&self) -> Result<Option<Pod>, ApiError> {
        let selector = format!("{LABEL_PROGRAM}={},{LABEL_GROUP}={COORDINATOR}", self.id);
        let (api, params) = (self.cluster.pods(), ListParams::default().labels(&selector));
        Ok(self.cluster.ask("the coordinator", || api.list(&params)).await?.items.pop())
    }

    /// What its replicas do, as its journal said last.
    pub(super) async fn status(&self, coordinator: &Pod) -> Option<RunStatus> {
        let params = LogParams { tail_lines: Some(STATE_LINES), ..LogParams::default() };
        let log = self.cluster.pods().logs(coordinator.metadata.name.as_deref()?, &params).await.ok()?;
        let records = Reader::default().read(log.as_bytes());
        let mut states = records.into_iter().rev().filter_map(|record| match record {
            Ok(Record::State { status }) => serde_json::from_value(status).ok(),
            _ => None,
        });
        states.next()
    }
}

/// Whether a cluster is known here.
fn is_known() -> bool {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = variable("HOME").map(std::path::PathBuf::from);
    variable("KUBECONFIG").is_some() || home.is_some_and(|home| home.join(".kube/config").is_file())
}

/// All of them; none where no cluster is known.
async fn all(screen: &Screen) -> Result<Vec<Run>, CliError> {
    if !is_known() {
        return Ok(Vec::new());
    }
    let cluster = Cluster::connect(None, screen).await?;
    let id = |labels: &std::collections::BTreeMap<String, String>| labels.get(LABEL_PROGRAM).cloned();
    let roots = cluster.all_roots().await?;
    let ids = roots.iter().filter_map(|root| root.metadata.labels.as_ref().and_then(id));
    Ok(ids.map(|id| Run::new(id, cluster.clone())).collect())
}

/// The runs that a user means by a name, or by none.
async fn meant(name: Option<&str>, screen: &Screen) -> Result<Vec<Run>, CliError> {
    let Ok(runs) = timeout(FIND_TIME, all(&screen.silent())).await else { return Ok(Vec::new()) };
    let mut runs = runs?;
    runs.retain(|run| name.is_none_or(|name| run.is_called(name)));
    match runs.iter().position(|run| Some(run.id()) == name) {
        Some(exact) => Ok(vec![runs.swap_remove(exact)]),
        None => Ok(runs),
    }
}

/// The run on Kubernetes that a user means by a name, where no other run is called so: that is what `error` says.
pub(in crate::cli) async fn find(name: Option<&str>, error: CliError, screen: &Screen) -> Result<Run, CliError> {
    let Ok(mut runs) = meant(name, screen).await else { return Err(error) };
    match (runs.pop(), runs.is_empty()) {
        (None, _) => Err(error),
        (Some(run), true) => Ok(run),
        (Some(last), false) => {
            let ids: Vec<_> = runs.iter().chain([&last]).map(|run| format!("`{}`", run.id())).collect();
            let error = CliError::new(exit_code::WRONG_USAGE, "more than one run on Kubernetes is called so");
            Err(error.hint(format!("say which one: {}", ids.join(", "))))
        }
    }
}

/// Adds the programs whose coordinators run, and says what becomes of the others.
pub(in crate::cli) async fn states(runs: &mut Vec<RunStatus>, screen: &Screen) -> Vec<String> {
    let mut others = Vec::new();
    let asked = async {
        for run in all(&screen.silent()).await? {
            let id = run.id();
            match run.coordinator().await? {
                Some(pod) if end::is_over(&pod) => {
                    others.push(format!(
                        "`{id}`, on Kubernetes, is over: `lp-host attach {id}` shows it, `lp-host stop {id}` deletes it"
                    ));
                }
                Some(pod) => match run.status(&pod).await {
                    Some(status) => runs.push(status),
                    None => {
                        let reason = end::waits_for(&pod).unwrap_or_else(|| "its coordinator starts".to_owned());
                        others.push(format!("`{id}`, on Kubernetes, has not begun: {reason}"));
                    }
                },
                None => {
                    others.push(format!("`{id}`, on Kubernetes, has no coordinator: `lp-host stop {id}` deletes it"))
                }
            }
        }
        Ok::<_, CliError>(())
    };
    match timeout(LIST_TIME, asked).await {
        Ok(Ok(())) => {}
        Ok(Err(CliError::Other { error, .. })) => {
            screen
                .note(&format!("programs on Kubernetes are not shown, as it can't be asked: {}", with_causes(&*error)));
        }
        Ok(Err(CliError::Program(_))) => {}
        Err(_) => screen.note("programs on Kubernetes are not shown: its API server has not answered within 2 s"),
    }
    others
}
