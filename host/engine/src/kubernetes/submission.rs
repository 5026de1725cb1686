//! What is rendered, and what comes of it.

use std::collections::BTreeMap;

use k8s_openapi::Resource;
use k8s_openapi::api::core::v1::ConfigMap;
use lp_base::plan::Plan;
use lp_base::words::{Digest, format_bytes};
use serde::Serialize;
use serde_json::Value;

use super::names::Names;

/// The most that the data of an object may have together: the API server refuses more.
pub(super) const OBJECT_BYTES_MAX: u64 = 1 << 20;

/// Everything that the objects of a run are made of.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// The plan, with a worker for each replica.
    pub plan: &'a Plan,
    /// The id of the run.
    pub id: &'a str,
    /// What the user says of the cluster.
    pub settings: &'a Settings,
    /// The files of the coordinator beside its keys and components, by their names: the plan, and what it is told of the run.
    pub files: &'a BTreeMap<String, String>,
    /// The components, by their digests.
    pub components: &'a BTreeMap<Digest, Vec<u8>>,
    /// The keys of the run.
    pub keys: &'a Keys,
}

/// What the user says of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The namespace that everything is in.
    pub namespace: String,
    /// The image of lp-host; one that `lp-host image` made, or any that has lp-host in the same place.
    pub image: String,
    /// The Secret with which the image is pulled, if it needs one.
    pub pull_secret: Option<String>,
    /// The queue of Kueue that admits the Jobs, if there is one.
    pub queue: Option<String>,
    /// Whether the Jobs are one JobSet, which ends when one of them fails for good.
    pub job_set: bool,
    /// Whether Jobs count failures by index, as they do from Kubernetes 1.29 on.
    pub counts_by_index: bool,
}

/// The keys by which the coordinator and the units of a run know each other, in PEM.
#[derive(Clone)]
pub struct Keys {
    /// The coordinator's.
    pub coordinator: String,
    /// That of all units.
    pub unit: String,
    /// The fingerprint of the coordinator's.
    pub coordinator_fingerprint: String,
}

/// The objects of a run.
#[derive(Debug, Clone)]
pub struct Objects {
    /// What they are called.
    pub names: Names,
    /// The one that owns all others.
    pub root: Object,
    /// The others, in the order in which they are applied.
    pub rest: Vec<Object>,
}

/// An object, and where the API has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// The group and the version of its kind, such as `batch/v1`.
    pub api_version: String,
    /// Its kind, such as `Job`.
    pub kind: String,
    /// The name of its kind in paths, such as `jobs`.
    pub plural: String,
    /// Its name.
    pub name: String,
    /// Itself.
    pub value: Value,
}

/// Why a program has no objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The nodes of a colocation ask for machines with different labels.
    #[error(
        "the nodes of the colocation `{group}` ask for different values of the label `{label}`, and run in one Pod"
    )]
    Selectors {
        /// The colocation.
        group: String,
        /// The label.
        label: String,
    },
    /// The plan is larger than an object may be.
    #[error("the plan has {} of the {} that a ConfigMap may have", format_bytes(*.0), format_bytes(OBJECT_BYTES_MAX))]
    TooLarge(u64),
}

impl Keys {
    /// Keys that are shown in place of those of a run, which are made when it is submitted.
    pub fn placeholder() -> Self {
        let made = "made when the program is submitted".to_owned();
        Self { coordinator: made.clone(), unit: made.clone(), coordinator_fingerprint: format!("({made})") }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Object {
    /// An object of a kind that the API has of itself.
    pub(super) fn of<T: Resource + Serialize>(name: &str, object: &T) -> Self {
        let value = serde_json::to_value(object).expect("objects of the API are JSON");
        Self {
            api_version: T::API_VERSION.to_owned(),
            kind: T::KIND.to_owned(),
            plural: T::URL_PATH_SEGMENT.to_owned(),
            name: name.to_owned(),
            value,
        }
    }
}

impl Objects {
    /// All of them, the root first.
    pub fn all(&self) -> impl Iterator<Item = &Object> {
        std::iter::once(&self.root).chain(&self.rest)
    }

    /// The same objects, owned by the root, which the API server has given this uid.
    pub fn owned_by(&self, uid: &str) -> Vec<Object> {
        let mut rest = self.rest.clone();
        for object in &mut rest {
            object.value["metadata"]["ownerReferences"] = serde_json::json!([{
                "apiVersion": ConfigMap::API_VERSION,
                "kind": ConfigMap::KIND,
                "name": self.root.name,
                "uid": uid,
                "blockOwnerDeletion": true,
            }]);
        }
        rest
    }
}
