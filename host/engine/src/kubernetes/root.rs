//! The objects that a run has once: the ConfigMap that owns the others, the keys, and the Service that names Pods.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServicePort, ServiceSpec};

use super::COORDINATOR_PORT;
use super::names::{COORDINATOR, LABEL_GROUP, Names};
use super::submission::{OBJECT_BYTES_MAX, Object, RenderError, Submission};

/// What is left free of that for names and labels.
const RESERVED_BYTES: u64 = 16 << 10;

/// How many bytes the files have that are always in the ConfigMap.
fn files_bytes(submission: &Submission<'_>) -> u64 {
    submission.files.iter().map(|(name, text)| (name.len() + text.len()) as u64).sum()
}

/// Whether the components fit into the ConfigMap too, in base64; else they are in the image.
pub(super) fn has_components(submission: &Submission<'_>) -> bool {
    let encoded = submission.components.values().map(|bytes| (bytes.len() as u64).div_ceil(3) * 4);
    encoded.sum::<u64>() + files_bytes(submission) + RESERVED_BYTES <= OBJECT_BYTES_MAX
}

/// What a component is called in the ConfigMap and in its directory.
pub(super) fn component_file(digest: &lp_base::words::Digest) -> String {
    format!("{digest}.wasm")
}

/// The ConfigMap that owns all others.
pub(super) fn root(submission: &Submission<'_>, names: &Names) -> Result<Object, RenderError> {
    let bytes = files_bytes(submission) + RESERVED_BYTES;
    if bytes > OBJECT_BYTES_MAX {
        return Err(RenderError::TooLarge(bytes));
    }
    let components = || {
        let entry = |(digest, bytes): (_, &Vec<u8>)| (component_file(digest), ByteString(bytes.clone()));
        submission.components.iter().map(entry).collect::<BTreeMap<_, _>>()
    };
    let mut metadata = names.meta(&names.root, &submission.settings.namespace, None);
    metadata.annotations = Some(Names::program_annotation(&submission.plan.program));
    let root = ConfigMap {
        metadata,
        binary_data: has_components(submission).then(components).filter(|components| !components.is_empty()),
        data: Some(submission.files.clone()),
        immutable: Some(true),
    };
    Ok(Object::of(&names.root, &root))
}

/// The keys: the coordinator has both, a unit only its own.
pub(super) fn secrets(submission: &Submission<'_>, names: &Names) -> Vec<Object> {
    let keys = submission.keys;
    let unit = ("unit.key".to_owned(), keys.unit.clone());
    let coordinator = ("coordinator.key".to_owned(), keys.coordinator.clone());
    let secret = |name: String, entries: Vec<(String, String)>| {
        let secret = Secret {
            metadata: names.meta(&name, &submission.settings.namespace, None),
            immutable: Some(true),
            string_data: Some(entries.into_iter().collect()),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        };
        Object::of(&name, &secret)
    };
    vec![secret(names.coordinator_keys(), vec![coordinator, unit.clone()]), secret(names.unit_key(), vec![unit])]
}

/// The Service without an address of its own that gives the coordinator's Pod a name, also before it is ready.
pub(super) fn service(submission: &Submission<'_>, names: &Names) -> Object {
    let mut selector = names.selector(Some(COORDINATOR)).match_labels.unwrap_or_default();
    // All Pods of the run are named, not the coordinator's alone.
    selector.remove(LABEL_GROUP);
    let port = ServicePort {
        name: Some(COORDINATOR.to_owned()),
        port: COORDINATOR_PORT.into(),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    let service = Service {
        metadata: names.meta(&names.root, &submission.settings.namespace, None),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            ports: Some(vec![port]),
            publish_not_ready_addresses: Some(true),
            selector: Some(selector),
            ..ServiceSpec::default()
        }),
        status: None,
    };
    Object::of(&names.root, &service)
}
