//! What a node asks of Kubernetes.

use std::collections::BTreeMap;

use lp_base::words::SizeText;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// What a node asks of Kubernetes, with `--launch-type kubernetes`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { cpu = \"2\", memory = \"8GiB\" }"
)]
#[schemars(title = "kubernetes")]
pub(in crate::program) struct KubernetesFile {
    /// How much of processors each replica has, as Kubernetes writes it: `kubernetes = { cpu = "500m" }` is half of one. The
    /// default is `"1"`; what is colocated adds up.
    #[serde(default)]
    #[schemars(with = "String")]
    pub cpu: Option<Spanned<String>>,

    /// How much memory the process of each replica may have: `kubernetes = { memory = "8GiB" }`. At least `limits.memory`. The
    /// default is that and 128MiB for the host.
    #[serde(default)]
    #[schemars(with = "SizeText")]
    pub memory: Option<Spanned<SizeText>>,

    /// The devices that each replica has, by the names of their resources: `kubernetes.devices = { "nvidia.com/gpu" = 1 }`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, u32>")]
    pub devices: Option<Spanned<BTreeMap<String, u32>>>,

    /// The labels that its machines must have: `kubernetes.node-selector = { "disk" = "ssd" }`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub node_selector: Option<Spanned<BTreeMap<String, String>>>,

    /// The taints of machines that it may run on all the same, as `kubectl taint` writes them:
    /// `kubernetes = { tolerations = ["gpu=yes:NoSchedule"] }`. Without a value or an effect, any is meant.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub tolerations: Vec<Spanned<String>>,

    /// Secrets of the namespace whose entries become variables of its processes, where `inherit-env` and `secrets` find them:
    /// `kubernetes = { env-secrets = ["api-token"] }`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub env_secrets: Vec<Spanned<String>>,
}
