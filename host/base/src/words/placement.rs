//! On which hosts a node may run, where a program runs on several.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The hosts that the replicas of a node may run on. Without any of it they may run on all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostChoice {
    /// The names of hosts; any if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub names: BTreeSet<String>,
    /// Labels, all of which a host must have.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<String>,
    /// How replicas are spread over those hosts.
    #[serde(default)]
    pub placement: Placement,
}

impl HostChoice {
    /// Whether any host will do, in the usual way.
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

/// How the replicas of a node are put on the hosts that they may run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Each on the host that has the fewest of this node, and of all.
    #[default]
    Spread,
    /// As many as fit on one host, then on the next.
    Pack,
}
