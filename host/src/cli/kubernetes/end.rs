//! What Pods say of themselves: what they wait for, how they ended, and whether their machine is lost.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use lp_engine::journal::Record;
use lp_engine::kubernetes::LABEL_GROUP;

/// Why a Pod does not run yet, if the cluster says so.
pub(super) fn waits_for(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let unscheduled = status.conditions.iter().flatten().find(|is| is.type_ == "PodScheduled" && is.status == "False");
    if let Some(condition) = unscheduled {
        let reason = condition.reason.as_deref().unwrap_or("not scheduled");
        return Some(format!("{reason}: {}", condition.message.as_deref().unwrap_or_default()));
    }
    let waiting = status.container_statuses.iter().flatten().find_map(|of| of.state.as_ref()?.waiting.as_ref())?;
    let reason =
        waiting.reason.as_deref().filter(|reason| !["ContainerCreating", "PodInitializing"].contains(reason))?;
    Some(format!("{reason}: {}", waiting.message.as_deref().unwrap_or_default()))
}

/// Whether its container runs, or has.
pub(super) fn has_begun(pod: &Pod) -> bool {
    let states = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    states.filter_map(|of| of.state.as_ref()).any(|state| state.running.is_some() || state.terminated.is_some())
}

/// Whether it will run no more.
pub(super) fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether its machine is lost: the cluster has given it up, and can't know whether it still runs.
pub(super) fn is_lost(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let is_disrupted = |reason: Option<&str>| matches!(reason, Some("DeletionByTaintManager" | "DeletionByPodGC"));
    let disrupted = status.conditions.iter().flatten().any(|condition| {
        condition.type_ == "DisruptionTarget" && condition.status == "True" && is_disrupted(condition.reason.as_deref())
    });
    let is_given_up = status.reason.as_deref() == Some("NodeLost") || disrupted;
    is_given_up && pod.metadata.deletion_timestamp.is_some() && !is_over(pod)
}

/// The group that it is a unit of, by its label.
pub(super) fn group(pod: &Pod) -> &str {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(LABEL_GROUP)).map_or("", String::as_str)
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let mut states = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    states.find_map(|of| of.state.as_ref()?.terminated.as_ref())
}

/// The exit code of the run, if the coordinator has left it with its Pod.
pub(super) fn exit_code(pod: &Pod) -> Option<u8> {
    let message = terminated(pod)?.message.as_deref()?;
    match serde_json::from_str(message.trim()).ok()? {
        Record::End { end } => end.get("exit_code")?.as_u64().and_then(|code| u8::try_from(code).ok()),
        _ => None,
    }
}

/// How it ended, as far as the cluster says.
pub(super) fn ending(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let of_pod = status.and_then(|status| status.reason.as_deref());
    match (terminated(pod), of_pod) {
        (Some(ended), of_pod) => {
            let reason = of_pod.or(ended.reason.as_deref()).unwrap_or("no reason");
            format!("{reason}, with exit code {}", ended.exit_code)
        }
        (None, Some(reason)) => {
            let message = status.and_then(|status| status.message.as_deref()).unwrap_or_default();
            format!("{reason}: {message}")
        }
        (None, None) => "it was deleted".to_owned(),
    }
}

/// What it printed last, if that is no record of a journal.
pub(super) fn last_words(pod: &Pod) -> Vec<u8> {
    let message = terminated(pod).and_then(|ended| ended.message.clone()).unwrap_or_default();
    message.into_bytes()
}
