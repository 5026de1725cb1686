//! From a plan to objects that were applied.

use std::collections::BTreeMap;
use std::fs;

use futures::{StreamExt, TryStreamExt, stream};
use lp_base::plan::Plan;
use lp_base::scheduler::Scheduler;
use lp_base::words::Digest;
use lp_engine::directory::{Directory, RunFile, digests};
use lp_engine::kubernetes::{Keys, Objects, Settings, Submission, render};
use lp_remote::key::Key;
use lp_run::launch::RunId;

use super::Args;
use super::api::{ApiError, Cluster};
use super::runs::Run;
use crate::cli::screen::{CliError, exit_code};
use crate::cli::to_launch::ToLaunch;

/// How long a unit that is not heard of keeps what it runs, in milliseconds.
const LEASE_MS: u64 = 3000;
/// How long the coordinator waits for a unit, in milliseconds: machines may have to be added and images pulled, and a machine that is
/// lost is given up after a minute or more.
const UNIT_WAIT_MS: u64 = 15 * 60_000;
/// How many objects are applied at once.
const APPLIED_AT_ONCE: usize = 8;

/// A program that is not submitted yet.
pub(super) struct Prepared {
    id: String,
    plan: Plan,
    settings: Settings,
    files: BTreeMap<String, String>,
    components: BTreeMap<Digest, Vec<u8>>,
    keys: Keys,
}

impl Prepared {
    pub(super) fn new(launch: &ToLaunch<'_>, args: &Args) -> Result<Self, CliError> {
        let id = RunId::new(&launch.plan.program, &Scheduler::default()).to_string();
        let failed = |error: std::io::Error| CliError::new(exit_code::NOT_LAUNCHED, error);
        // It is written as for any cluster, and read back: files are what a ConfigMap has.
        let dir = tempfile::tempdir().map_err(failed)?;
        let run = RunFile { id: id.clone(), lease_ms: LEASE_MS, unit_wait_ms: UNIT_WAIT_MS };
        let directory = Directory::create(dir.path().join(&id), launch.plan, launch.components, &run)?;
        let text = |name: &str| fs::read_to_string(directory.path().join(name)).map_err(failed);
        let file = |name: &str| Ok::<_, CliError>((name.to_owned(), text(name)?));
        let component = |digest| Ok((digest, fs::read(directory.component(digest)).map_err(failed)?));
        let keys = match launch.is_dry_run {
            true => Keys::placeholder(),
            false => Keys {
                coordinator: text("coordinator.key")?,
                unit: text("unit.key")?,
                coordinator_fingerprint: Key::load(&directory.coordinator_key())?.fingerprint().to_string(),
            },
        };
        let image =
            args.image.clone().or_else(|| std::env::var("LP_HOST_IMAGE").ok()).filter(|image| !image.is_empty());
        let no_image = || {
            let error = CliError::new(exit_code::WRONG_USAGE, "a program on Kubernetes needs an image of lp-host");
            error.hint("make one by `lp-host image`, push it, and name it by `--image` or `LP_HOST_IMAGE`")
        };
        let settings = Settings {
            namespace: args.namespace.clone().unwrap_or_else(|| "default".to_owned()),
            image: image.ok_or_else(no_image)?,
            pull_secret: args.pull_secret.clone(),
            queue: args.queue.clone(),
            job_set: args.job_set,
            counts_by_index: true,
        };
        let files = ["plan.json", "run.json"].map(file).into_iter().collect::<Result<_, _>>()?;
        let components = digests(launch.plan).map(component).collect::<Result<_, CliError>>()?;
        Ok(Self { id, plan: launch.plan.clone(), settings, files, components, keys })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn objects(&self, settings: &Settings) -> Result<Objects, CliError> {
        let Self { id, plan, files, components, keys, .. } = self;
        let objects = render(&Submission { plan, id, settings, files, components, keys });
        objects.map_err(|error| CliError::new(exit_code::WRONG_PROGRAM, error))
    }

    /// What would be submitted to a cluster of today.
    pub(super) fn to_yaml(&self) -> Result<String, CliError> {
        const OWNER: &str = "# Once the first object has a uid, lp-host makes it the owner of all others, so that they go with it. Apply\n\
            # these by hand, and delete them by their label `lp/program`.\n";
        Ok(format!("{OWNER}{}", self.objects(&self.settings)?.to_yaml()))
    }

    /// Applies everything: the root first, whose uid the others name as their owner. What was applied is deleted if the rest is
    /// refused.
    pub(super) async fn submit(&self, cluster: &Cluster) -> Result<Run, CliError> {
        let counts_by_index = cluster.counts_by_index().await?;
        let settings = Settings { namespace: cluster.namespace.clone(), counts_by_index, ..self.settings.clone() };
        let objects = self.objects(&settings)?;
        let root = cluster.apply(&objects.root).await?;
        let uid = root.metadata.uid.unwrap_or_default();
        let rest = objects.owned_by(&uid);
        let applied: Result<Vec<_>, ApiError> =
            stream::iter(&rest).map(|object| cluster.apply(object)).buffered(APPLIED_AT_ONCE).try_collect().await;
        if let Err(error) = applied {
            let deleted = cluster.delete_root(&self.id).await;
            if let Err(left) = deleted {
                cluster.screen.warning(&format!("`{}` is left in the namespace: {left}", objects.root.name));
            }
            return Err(error.into());
        }
        Ok(Run::new(self.id.clone(), cluster.clone()))
    }
}
