//! The Pods of a run: what they run, what they may do, and what they need of a machine.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapProjection, Container, EmptyDirVolumeSource, EnvFromSource, EnvVar, EnvVarSource, KeyToPath,
    LocalObjectReference, ObjectFieldSelector, PodSecurityContext, PodSpec, ProjectedVolumeSource,
    ResourceRequirements, SeccompProfile, SecretEnvSource, SecretProjection, SecurityContext, Toleration, Volume,
    VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use lp_base::plan::ReplicaId;

use super::COORDINATOR_PORT;
use super::names::{COORDINATOR, Names};
use super::root::{component_file, has_components};
use super::submission::{RenderError, Submission};
use crate::image::{HOST, PROGRAM, USER};
use crate::units::Group;

/// Where the files of the run are in a Pod.
const RUN: &str = "/lp/run";
/// What the process of a unit may have beside the memory of its replicas, in bytes: lp-host itself, and compiled components.
const HOST_BYTES: u64 = 128 << 20;
/// What the coordinator may have: it runs no nodes.
const COORDINATOR_BYTES: u64 = 256 << 20;
const COORDINATOR_CPU_MILLI: u64 = 250;
/// What a unit has of processors if its nodes don't say.
const CPU_MILLI: u64 = 1000;
/// How long a Pod may take to end beyond the grace of its nodes.
const GRACE_BEYOND_S: i64 = 10;
/// How long a Pod stays on a machine that its cluster has lost. The default is five minutes.
const LOST_S: i64 = 30;
/// How long a unit tries to reach the coordinator, in seconds: its image may have to be pulled, and a queue admits one after the other.
const COORDINATOR_WAIT_S: u32 = 20 * 60;
/// Who may read what is mounted: the user of the container by its group, and nobody else.
const FILE_MODE: i32 = 0o440;

/// The Pod of the coordinator.
pub(super) fn coordinator(submission: &Submission<'_>, names: &Names) -> PodSpec {
    let files = submission.files.keys().map(|name| item(name, name)).chain(component_items(submission));
    let keys = ["coordinator.key", "unit.key"].map(|name| item(name, name));
    let args = [
        "coordinator",
        RUN,
        "--listen",
        &format!("0.0.0.0:{COORDINATOR_PORT}"),
        "--advertise",
        &names.coordinator_host(submission.settings.job_set),
        "--termination",
        "/dev/termination-log",
    ];
    let container = Container {
        args: Some(args.map(escaped).to_vec()),
        resources: Some(resources(COORDINATOR_CPU_MILLI, COORDINATOR_BYTES, &BTreeMap::new())),
        ..container(submission, COORDINATOR)
    };
    let projections = vec![of_root(names, files.collect()), of_secret(&names.coordinator_keys(), keys.to_vec())];
    PodSpec { volumes: Some(volumes(projections)), ..pod(submission, names, container) }
}

/// The Pod of a unit of `group`: all are alike, but for their index.
pub(super) fn unit(submission: &Submission<'_>, names: &Names, group: &Group) -> Result<PodSpec, RenderError> {
    let components = match has_components(submission) {
        true => format!("{RUN}/components"),
        false => format!("{PROGRAM}/components"),
    };
    let coordinator = format!("{}:{COORDINATOR_PORT}", names.coordinator_host(submission.settings.job_set));
    let args = [
        "unit",
        "--coordinator",
        &coordinator,
        "--key",
        &format!("{RUN}/unit.key"),
        "--known",
        &submission.keys.coordinator_fingerprint,
        "--components",
        &components,
        "--wait",
        &COORDINATOR_WAIT_S.to_string(),
        "--name",
    ];
    // The one word that Kubernetes is to expand.
    let name = format!("{}-$(LP_INDEX)", escaped(&group.name));
    let index = ObjectFieldSelector {
        api_version: Some("v1".to_owned()),
        field_path: "metadata.annotations['batch.kubernetes.io/job-completion-index']".to_owned(),
    };
    let index = EnvVar {
        name: "LP_INDEX".to_owned(),
        value_from: Some(EnvVarSource { field_ref: Some(index), ..EnvVarSource::default() }),
        value: None,
    };
    let needs = needs(submission, group);
    let container = Container {
        args: Some(args.map(escaped).into_iter().chain([name]).collect()),
        env: Some(vec![index]),
        env_from: Some(env_from(submission, group)).filter(|from| !from.is_empty()),
        resources: Some(resources(needs.cpu_milli, needs.memory_bytes, &needs.devices)),
        ..container(submission, "unit")
    };
    let mut projections = vec![of_secret(&names.unit_key(), vec![item("unit.key", "unit.key")])];
    if has_components(submission) && !submission.components.is_empty() {
        projections.push(of_root(names, component_items(submission).collect()));
    }
    Ok(PodSpec {
        volumes: Some(volumes(projections)),
        node_selector: Some(node_selector(submission, group)?).filter(|labels| !labels.is_empty()),
        tolerations: Some(tolerations(submission, group)),
        ..pod(submission, names, container)
    })
}

/// A text that Kubernetes hands to a process as it is: it would expand `$(NAME)`.
pub(super) fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn pod(submission: &Submission<'_>, names: &Names, container: Container) -> PodSpec {
    let grace_s = i64::try_from(submission.plan.grace_ms.div_ceil(1000)).unwrap_or(i64::MAX / 2);
    let pull = submission.settings.pull_secret.clone().map(|name| vec![LocalObjectReference { name }]);
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container],
        enable_service_links: Some(false),
        image_pull_secrets: pull,
        restart_policy: Some("Never".to_owned()),
        security_context: Some(PodSecurityContext {
            fs_group: Some(USER.into()),
            run_as_group: Some(USER.into()),
            run_as_non_root: Some(true),
            run_as_user: Some(USER.into()),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        // A JobSet gives its Pods their names itself.
        subdomain: (!submission.settings.job_set).then(|| names.root.clone()),
        termination_grace_period_seconds: Some(grace_s.saturating_add(GRACE_BEYOND_S)),
        ..PodSpec::default()
    }
}

fn container(submission: &Submission<'_>, name: &str) -> Container {
    let mount = |name: &str, path: &str, read_only| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    };
    Container {
        name: name.to_owned(),
        command: Some(vec![HOST.to_owned()]),
        image: Some(submission.settings.image.clone()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(vec![mount("run", RUN, Some(true)), mount("tmp", "/tmp", None)]),
        ..Container::default()
    }
}

/// The files of the run, and a place to write to.
fn volumes(projections: Vec<VolumeProjection>) -> Vec<Volume> {
    let run = ProjectedVolumeSource { default_mode: Some(FILE_MODE), sources: Some(projections) };
    vec![
        Volume { name: "run".to_owned(), projected: Some(run), ..Volume::default() },
        Volume { name: "tmp".to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() },
    ]
}

fn of_root(names: &Names, items: Vec<KeyToPath>) -> VolumeProjection {
    let config_map = ConfigMapProjection { items: Some(items), name: names.root.clone(), optional: None };
    VolumeProjection { config_map: Some(config_map), ..VolumeProjection::default() }
}

fn of_secret(name: &str, items: Vec<KeyToPath>) -> VolumeProjection {
    let secret = SecretProjection { items: Some(items), name: name.to_owned(), optional: None };
    VolumeProjection { secret: Some(secret), ..VolumeProjection::default() }
}

fn item(key: &str, path: &str) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: path.to_owned(), mode: None }
}

fn component_items(submission: &Submission<'_>) -> impl Iterator<Item = KeyToPath> {
    let digests = submission.components.keys().filter(|_| has_components(submission));
    digests.map(component_file).map(|file| item(&file, &format!("components/{file}")))
}

/// What a unit needs of its machine.
#[derive(Default)]
struct Needs {
    cpu_milli: u64,
    memory_bytes: u64,
    devices: BTreeMap<String, u64>,
}

/// What the first unit needs: all of a group are alike. Replicas that say nothing of processors share those of the others.
fn needs(submission: &Submission<'_>, group: &Group) -> Needs {
    let mut needs = Needs::default();
    let workers = group.units.first().map(|unit| unit.workers.as_slice()).unwrap_or_default();
    for &worker in workers {
        let replicas = &submission.plan.workers[worker].replicas;
        let asked = |replica: &ReplicaId| &submission.plan.node(replica.node).kubernetes;
        // What is said of memory is of the whole process.
        let mut has_host = false;
        for replica in replicas {
            let kubernetes = asked(replica);
            needs.cpu_milli += kubernetes.cpu_milli.unwrap_or(0);
            let limit = submission.plan.node(replica.node).limits.memory_bytes;
            needs.memory_bytes = needs.memory_bytes.saturating_add(kubernetes.memory_bytes.unwrap_or(limit));
            has_host |= kubernetes.memory_bytes.is_some();
            for (name, &count) in &kubernetes.devices {
                *needs.devices.entry(name.clone()).or_default() += u64::from(count);
            }
        }
        needs.memory_bytes = needs.memory_bytes.saturating_add(if has_host { 0 } else { HOST_BYTES });
    }
    if needs.cpu_milli == 0 {
        needs.cpu_milli = CPU_MILLI;
    }
    needs
}

/// Requests that are the limits too, so that nothing is taken away from a Pod by its neighbours.
fn resources(cpu_milli: u64, memory_bytes: u64, devices: &BTreeMap<String, u64>) -> ResourceRequirements {
    let cpu = match cpu_milli % 1000 {
        0 => format!("{}", cpu_milli / 1000),
        _ => format!("{cpu_milli}m"),
    };
    let memory = format!("{}Mi", memory_bytes.div_ceil(1 << 20));
    let own = [("cpu".to_owned(), Quantity(cpu)), ("memory".to_owned(), Quantity(memory))];
    let devices = devices.iter().map(|(name, count)| (name.clone(), Quantity(count.to_string())));
    let all: BTreeMap<_, _> = own.into_iter().chain(devices).collect();
    ResourceRequirements { limits: Some(all.clone()), requests: Some(all), claims: None }
}

fn node_selector(submission: &Submission<'_>, group: &Group) -> Result<BTreeMap<String, String>, RenderError> {
    let mut labels = BTreeMap::new();
    for &node in &group.nodes {
        for (label, value) in &submission.plan.node(node).kubernetes.node_selector {
            let other = labels.insert(label.clone(), value.clone());
            if other.is_some_and(|other| other != *value) {
                return Err(RenderError::Selectors { group: group.name.clone(), label: label.clone() });
            }
        }
    }
    Ok(labels)
}

/// The taints that a unit bears: those that its nodes name, and for a while those of a lost machine.
fn tolerations(submission: &Submission<'_>, group: &Group) -> Vec<Toleration> {
    let asked = group.nodes.iter().flat_map(|&node| &submission.plan.node(node).kubernetes.tolerations);
    let asked = asked.map(|taint| Toleration {
        key: Some(taint.key.clone()),
        operator: Some(if taint.value.is_some() { "Equal" } else { "Exists" }.to_owned()),
        value: taint.value.clone(),
        effect: taint.effect.clone(),
        toleration_seconds: None,
    });
    let lost = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map(|key| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(LOST_S),
        value: None,
    });
    asked.chain(lost).collect()
}

fn env_from(submission: &Submission<'_>, group: &Group) -> Vec<EnvFromSource> {
    let names = group.nodes.iter().flat_map(|&node| &submission.plan.node(node).kubernetes.env_secrets);
    let source = |name: &String| EnvFromSource {
        secret_ref: Some(SecretEnvSource { name: name.clone(), optional: None }),
        ..EnvFromSource::default()
    };
    names.map(source).collect()
}
