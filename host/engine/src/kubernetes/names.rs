//! The names and labels of a run's objects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

/// The label with the id of the run.
pub const LABEL_PROGRAM: &str = "lp/program";
/// The label with the group.
pub const LABEL_GROUP: &str = "lp/group";
/// The annotation with the name of the group as the program has it.
const ANNOTATION_GROUP: &str = "lp/group-name";
/// The annotation with the name of the program.
const ANNOTATION_PROGRAM: &str = "lp/program-name";
/// What the coordinator is labelled with in place of a group: no group has such a name, for those begin with a number.
pub const COORDINATOR: &str = "coordinator";
/// The longest name of a Job: its Pods are called by it and an index of up to six digits, in 63 bytes.
const JOB_NAME_BYTES_MAX: usize = 56;

/// What the objects of a run are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The id of the run.
    pub id: String,
    /// The root, the Service, and the beginning of all other names.
    pub root: String,
}

impl Names {
    /// The names of a run. Its id may be as long as those of `lp-host` are, 40 bytes.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), root: format!("lp-{id}") }
    }

    /// The coordinator's Job.
    pub fn coordinator(&self) -> String {
        format!("{}-{COORDINATOR}", self.root)
    }

    /// The Secret with the keys that the coordinator has.
    pub fn coordinator_keys(&self) -> String {
        format!("{}-coordinator-keys", self.root)
    }

    /// The Secret with the key that units have.
    pub fn unit_key(&self) -> String {
        format!("{}-unit-key", self.root)
    }

    /// What the group of that number and name is labelled with.
    pub fn group(number: usize, name: &str) -> String {
        let mut label = format!("{number}-{name}");
        label.truncate(JOB_NAME_BYTES_MAX);
        label.trim_end_matches('-').to_owned()
    }

    /// The Job of a group within a JobSet, by its label: Pods are called by the set, it, which of its replicas, and the index.
    pub(super) fn replicated_job(&self, group: &str) -> String {
        let mut name = group.to_owned();
        name.truncate(JOB_NAME_BYTES_MAX.saturating_sub(self.root.len() + "--0".len()));
        name.trim_end_matches('-').to_owned()
    }

    /// The Job of a group, by its label. What is too long loses its end; the number keeps it unique.
    pub fn job(&self, group: &str) -> String {
        let mut name = format!("{}-{group}", self.root);
        name.truncate(JOB_NAME_BYTES_MAX);
        name.trim_end_matches('-').to_owned()
    }

    /// The host name of the coordinator's Pod, within the namespace.
    pub fn coordinator_host(&self, job_set: bool) -> String {
        match job_set {
            // Of a JobSet, a Pod is named by the set, the Job, which of its replicas, and the index.
            true => format!("{root}-{COORDINATOR}-0-0.{root}", root = self.root),
            false => format!("{}-0.{}", self.coordinator(), self.root),
        }
    }

    /// The labels of what belongs to the run, and to a group of it.
    pub fn labels(&self, group: Option<&str>) -> BTreeMap<String, String> {
        let managed = ("app.kubernetes.io/managed-by".to_owned(), "lp-host".to_owned());
        let group = group.map(|group| (LABEL_GROUP.to_owned(), group.to_owned()));
        [managed, (LABEL_PROGRAM.to_owned(), self.id.clone())].into_iter().chain(group).collect()
    }

    /// What picks the Pods of a run, or of a group of it.
    pub(super) fn selector(&self, group: Option<&str>) -> LabelSelector {
        let mut labels = self.labels(group);
        labels.retain(|key, _| key.starts_with("lp/"));
        LabelSelector { match_labels: Some(labels), match_expressions: None }
    }

    /// The metadata of an object.
    pub(super) fn meta(&self, name: &str, namespace: &str, group: Option<&str>) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(self.labels(group)),
            ..ObjectMeta::default()
        }
    }

    /// The annotation that says how the program is called.
    pub(super) fn program_annotation(program: &str) -> BTreeMap<String, String> {
        [(ANNOTATION_PROGRAM.to_owned(), program.to_owned())].into()
    }

    /// The annotation that says how the program calls a group.
    pub(super) fn group_annotation(name: &str) -> BTreeMap<String, String> {
        [(ANNOTATION_GROUP.to_owned(), name.to_owned())].into()
    }
}
