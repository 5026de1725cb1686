//! The Jobs of a run: one for each group, and one for the coordinator; or all of them as one JobSet.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::names::{COORDINATOR, Names};
use super::pods;
use super::submission::{Object, RenderError, Submission};
use crate::units::Group;

/// How often the Pod of a unit is replaced: what ends within a Pod is restarted there, by the restart policy of its node, so this is
/// for Pods that are evicted, preempted or lost with their machine.
const REPLACED_MAX: i32 = 20;
/// How long a Job that has ended is kept, in seconds: as long as detached runs are.
const KEPT_S: i32 = 24 * 60 * 60;
/// The label of Kueue with the queue of a Job.
const LABEL_QUEUE: &str = "kueue.x-k8s.io/queue-name";

/// The Jobs: the coordinator's first.
pub(super) fn jobs(submission: &Submission<'_>, names: &Names, groups: &[Group]) -> Result<Vec<Object>, RenderError> {
    let settings = submission.settings;
    let mut specs = vec![(COORDINATOR.to_owned(), coordinator(submission, names))];
    for (number, group) in (0..).zip(groups) {
        let label = Names::group(number, &group.name);
        let spec = of_group(submission, names, group, &label)?;
        specs.push((label, spec));
    }
    if settings.job_set {
        return Ok(vec![job_set(submission, names, specs)]);
    }
    let job = |(label, spec): (String, JobSpec)| {
        let name = names.job(&label);
        let mut metadata = names.meta(&name, &settings.namespace, Some(&label));
        queue(submission, &mut metadata);
        let suspend = settings.queue.is_some().then_some(true);
        Object::of(&name, &Job { metadata, spec: Some(JobSpec { suspend, ..spec }), status: None })
    };
    Ok(specs.into_iter().map(job).collect())
}

fn queue(submission: &Submission<'_>, metadata: &mut ObjectMeta) {
    if let Some(queue) = &submission.settings.queue {
        metadata.labels.get_or_insert_default().insert(LABEL_QUEUE.to_owned(), queue.clone());
    }
}

/// A coordinator that ends has ended the run, however that was.
fn coordinator(submission: &Submission<'_>, names: &Names) -> JobSpec {
    JobSpec {
        backoff_limit: Some(0),
        completions: Some(1),
        parallelism: Some(1),
        ..spec(submission, names, COORDINATOR, None, pods::coordinator(submission, names))
    }
}

fn of_group(submission: &Submission<'_>, names: &Names, group: &Group, label: &str) -> Result<JobSpec, RenderError> {
    let units = i32::try_from(group.units.len()).unwrap_or(i32::MAX);
    let by_index = submission.settings.counts_by_index;
    Ok(JobSpec {
        backoff_limit: (!by_index).then(|| REPLACED_MAX.saturating_mul(units)),
        backoff_limit_per_index: by_index.then_some(REPLACED_MAX),
        completions: Some(units),
        parallelism: Some(units),
        ..spec(submission, names, label, Some(&group.name), pods::unit(submission, names, group)?)
    })
}

fn spec(submission: &Submission<'_>, names: &Names, label: &str, group: Option<&str>, pod: PodSpec) -> JobSpec {
    let mut metadata = ObjectMeta { labels: Some(names.labels(Some(label))), ..ObjectMeta::default() };
    metadata.annotations = group.map(Names::group_annotation);
    JobSpec {
        completion_mode: Some("Indexed".to_owned()),
        template: PodTemplateSpec { metadata: Some(metadata), spec: Some(pod) },
        ttl_seconds_after_finished: (!submission.settings.job_set).then_some(KEPT_S),
        ..JobSpec::default()
    }
}

/// The Jobs as one JobSet, which is over when its coordinator is.
fn job_set(submission: &Submission<'_>, names: &Names, specs: Vec<(String, JobSpec)>) -> Object {
    let settings = submission.settings;
    let mut metadata = names.meta(&names.root, &settings.namespace, None);
    queue(submission, &mut metadata);
    let jobs: Vec<_> = specs
        .into_iter()
        .map(|(label, spec)| json!({ "name": names.replicated_job(&label), "replicas": 1, "template": { "spec": spec } }))
        .collect();
    let mut spec = json!({
        "network": { "enableDNSHostnames": true, "publishNotReadyAddresses": true, "subdomain": names.root },
        "successPolicy": { "operator": "All", "targetReplicatedJobs": [COORDINATOR] },
        "failurePolicy": { "maxRestarts": 0 },
        "ttlSecondsAfterFinished": KEPT_S,
        "replicatedJobs": jobs,
    });
    if settings.queue.is_some() {
        spec["suspend"] = Value::Bool(true);
    }
    let (api_version, kind) = ("jobset.x-k8s.io/v1alpha2".to_owned(), "JobSet".to_owned());
    let value = json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec });
    Object { api_version, kind, plural: "jobsets".to_owned(), name: names.root.clone(), value }
}
