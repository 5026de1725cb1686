//! What a worker has to know beside its plan and no file, log or message may show: secrets and inherited variables.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::NodeId;

/// A value that is shown nowhere: it can be neither printed nor serialised, only taken out on purpose.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The values of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSecrets {
    /// The environment variables that the guest inherits.
    pub env: BTreeMap<String, Secret>,
    /// The values that `wasi:config` serves beside those of the plan.
    pub config: BTreeMap<String, Secret>,
    /// The private key of the certificate that clients see where the node listens; no guest gets it.
    pub listen_key: Option<Secret>,
    /// The token that clients have to show there; no guest gets it.
    pub listen_token: Option<Secret>,
}

/// The values of all nodes, which whoever launches a plan provides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    nodes: BTreeMap<NodeId, Arc<NodeSecrets>>,
}

impl Secret {
    /// Hides a value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value, for the guest that it is meant for and for nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secrets {
    /// The values of a node; none if it was given none.
    pub fn of(&self, node: NodeId) -> Arc<NodeSecrets> {
        self.nodes.get(&node).cloned().unwrap_or_default()
    }

    /// Every node that was given values, with these.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &NodeSecrets)> {
        self.nodes.iter().map(|(node, secrets)| (*node, &**secrets))
    }

    /// The values of some of the nodes.
    pub fn only(&self, wanted: impl Fn(NodeId) -> bool) -> Secrets {
        let nodes = self.nodes.iter().filter(|(node, _)| wanted(**node));
        Secrets { nodes: nodes.map(|(node, secrets)| (*node, secrets.clone())).collect() }
    }

    /// Sets the values of a node.
    pub fn insert(&mut self, node: NodeId, secrets: NodeSecrets) {
        self.nodes.insert(node, Arc::new(secrets));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed_with_what_holds_it() {
        let secret = Secret::new("hunter2");
        let mut secrets = Secrets::default();
        secrets
            .insert(NodeId(0), NodeSecrets { config: [("key".to_owned(), secret)].into(), ..NodeSecrets::default() });
        let shown = format!("{secrets:?} {secrets:#?}");
        assert!(shown.contains("key") && !shown.contains("hunter2"), "{shown}");
    }
}
