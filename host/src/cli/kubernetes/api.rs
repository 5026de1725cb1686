//! The API server of a cluster: how it is reached, what it is asked again, and what its refusals mean.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Client, Config};
use lp_engine::kubernetes::{LABEL_PROGRAM, Names, Object};
use tokio::time::sleep;

use crate::cli::screen::{CliError, Screen, exit_code};

/// What fields that are applied belong to.
const MANAGER: &str = "lp-host";
/// How often a request is tried.
const TRIES_MAX: u32 = 8;
/// How long it is before a request is tried the second time; twice as long each time after.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest of these, whatever the server asks for.
const PAUSE_MAX: Duration = Duration::from_secs(10);
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long nothing may come of an answer: a journal has something to say every ten seconds.
const READ_TIME: Duration = Duration::from_secs(60);
/// The first version of Kubernetes that has all that is needed.
const MINOR_MIN: u32 = 27;
/// The first whose Jobs count failures by index.
const MINOR_BY_INDEX: u32 = 29;

/// A cluster, and the namespace in it.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) screen: Screen,
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("the cluster refused {what}: {message}")]
    Refused { what: String, code: u16, message: String },
    #[error("the API server of the cluster can't be reached for {what}, after {TRIES_MAX} tries")]
    Unreachable { what: String, source: Box<kube::Error> },
    #[error("the cluster can't be asked for {what}")]
    Other { what: String, source: Box<kube::Error> },
}

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> Self {
        let hint = match &error {
            ApiError::Refused { code: 401, .. } => Some("`kubectl auth whoami` shows who you are to the cluster"),
            ApiError::Refused { code: 403, .. } => Some("docs/kubernetes.md has the Role that launches need"),
            ApiError::Refused { code: 404, .. } => {
                Some("`kubectl get namespaces` and `kubectl api-resources` show what there is")
            }
            ApiError::Refused { .. } | ApiError::Other { .. } => None,
            ApiError::Unreachable { .. } => {
                Some("a program that was submitted goes on; `lp-host attach` shows it again")
            }
        };
        let failure = CliError::new(exit_code::NOT_LAUNCHED, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl Cluster {
    /// Reaches the cluster of the kubeconfig, or the one that this process runs in.
    pub(super) async fn connect(namespace: Option<&str>, screen: &Screen) -> Result<Self, CliError> {
        let failed = |error: &dyn std::error::Error| {
            let error = format!("no cluster of Kubernetes is known here: {}", crate::cli::screen::with_causes(error));
            CliError::new(exit_code::NOT_LAUNCHED, error).hint("name a kubeconfig by `KUBECONFIG`, as for kubectl")
        };
        let mut config = Config::infer().await.map_err(|error| failed(&error))?;
        config.connect_timeout = Some(CONNECT_TIME);
        config.read_timeout = Some(READ_TIME);
        // What is tried again is said here.
        config.default_retry = false;
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let client = Client::try_from(config).map_err(|error| failed(&error))?;
        Ok(Self { client, namespace, screen: screen.clone() })
    }

    /// The same one, which says what it does there.
    pub(super) fn shown_on(&self, screen: &Screen) -> Self {
        Self { screen: screen.clone(), ..self.clone() }
    }

    /// Whether Jobs of the cluster count failures by index.
    ///
    /// # Errors
    /// If it is older than what is needed.
    pub(super) async fn counts_by_index(&self) -> Result<bool, CliError> {
        let version = self.ask("its version", || self.client.apiserver_version()).await?;
        let digits: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
        let minor = digits.parse().unwrap_or(MINOR_MIN);
        if version.major == "1" && minor < MINOR_MIN {
            let error = format!("the cluster has Kubernetes 1.{minor}, and programs need 1.{MINOR_MIN} or later");
            return Err(CliError::new(exit_code::NOT_LAUNCHED, error));
        }
        Ok(minor >= MINOR_BY_INDEX)
    }

    pub(super) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) fn roots(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn of_kind(&self, api_version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Applies an object, and gives it as the server has it then.
    pub(super) async fn apply(&self, object: &Object) -> Result<DynamicObject, ApiError> {
        let api = self.of_kind(&object.api_version, &object.kind, &object.plural);
        let params = PatchParams::apply(MANAGER).force();
        let what = format!("the {} `{}`", object.kind, object.name);
        let patch = Patch::Apply(&object.value);
        self.ask(&what, || api.patch(&object.name, &params, &patch)).await
    }

    /// Deletes what owns all of a run, and with it the rest. One that is not there any more is deleted.
    pub(super) async fn delete_root(&self, id: &str) -> Result<(), ApiError> {
        let name = Names::new(id).root;
        let what = format!("the deletion of `{name}`");
        let (api, params) = (self.roots(), DeleteParams::foreground());
        match self.ask(&what, || api.delete(&name, &params)).await {
            Ok(_) | Err(ApiError::Refused { code: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks the coordinator to stop: its Pod is deleted with its grace, which begins with SIGTERM. Suspending its Job would do the
    /// same with fewer rights, but Kueue undoes that.
    pub(super) async fn stop(&self, coordinator: &Pod) -> Result<(), ApiError> {
        self.delete_pod(coordinator.metadata.name.as_deref().unwrap_or_default(), None).await
    }

    /// Whether a coordinator of the run is to be expected, in a Job of its own or of a JobSet.
    pub(super) async fn has_jobs(&self, id: &str) -> Result<bool, ApiError> {
        let names = Names::new(id);
        let kinds = [
            ("batch/v1", "Job", "jobs", names.coordinator()),
            ("jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets", names.root),
        ];
        for (api_version, kind, plural, name) in kinds {
            let api = self.of_kind(api_version, kind, plural);
            match self.ask("the Jobs of the program", || api.get(&name)).await {
                Ok(_) => return Ok(true),
                // A cluster without JobSet has none, and a Role may not speak of it.
                Err(ApiError::Refused { code: 403 | 404, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Deletes a Pod, with its own grace or that many seconds.
    pub(super) async fn delete_pod(&self, name: &str, grace_s: Option<u32>) -> Result<(), ApiError> {
        let (api, params) = (self.pods(), DeleteParams { grace_period_seconds: grace_s, ..DeleteParams::default() });
        match self.ask(&format!("the deletion of the Pod `{name}`"), || api.delete(name, &params)).await {
            Ok(_) | Err(ApiError::Refused { code: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The roots of all runs of the namespace.
    pub(super) async fn all_roots(&self) -> Result<Vec<ConfigMap>, ApiError> {
        let selector = format!("app.kubernetes.io/managed-by=lp-host,{LABEL_PROGRAM}");
        let (api, params) = (self.roots(), ListParams::default().labels(&selector));
        Ok(self.ask("its programs", || api.list(&params)).await?.items)
    }

    /// Asks until there is an answer, a limited number of times, and says so the first time.
    pub(super) async fn ask<T, F: Future<Output = kube::Result<T>>>(
        &self,
        what: &str,
        request: impl Fn() -> F,
    ) -> Result<T, ApiError> {
        let mut pause = PAUSE;
        for tried in 1.. {
            let error = match request().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let asked_for = match wait(&error) {
                Wait::No => return Err(refused(what, error)),
                Wait::Some => pause,
                Wait::Seconds(seconds) => Duration::from_secs(seconds.into()),
            };
            if tried >= TRIES_MAX {
                return Err(ApiError::Unreachable { what: what.to_owned(), source: Box::new(error) });
            }
            if tried == 1 {
                self.screen.warning(&format!("{}: it is asked again for {what}", shown(&error)));
            }
            sleep(asked_for.min(PAUSE_MAX)).await;
            pause *= 2;
        }
        unreachable!("it returns after the last try")
    }
}

/// Whether a request is worth another try, and when.
enum Wait {
    No,
    Some,
    Seconds(u32),
}

fn wait(error: &kube::Error) -> Wait {
    match error {
        kube::Error::Api(status) => match status.code {
            409 | 429 | 500 | 502 | 503 | 504 => {
                match status.details.as_ref().map_or(0, |details| details.retry_after_seconds) {
                    0 => Wait::Some,
                    seconds => Wait::Seconds(seconds),
                }
            }
            _ => Wait::No,
        },
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => Wait::Some,
        _ => Wait::No,
    }
}

/// Whether a request may succeed when it is tried again.
pub(super) fn is_passing(error: &kube::Error) -> bool {
    !matches!(wait(error), Wait::No)
}

/// What went wrong, for people.
pub(super) fn shown(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("the cluster answers {} ({})", status.code, status.message),
        error => format!("the API server can't be reached ({})", crate::cli::screen::with_causes(error)),
    }
}

fn refused(what: &str, error: kube::Error) -> ApiError {
    let what = what.to_owned();
    match error {
        kube::Error::Api(status) => ApiError::Refused { what, code: status.code, message: status.message },
        error => ApiError::Other { what, source: Box::new(error) },
    }
}
