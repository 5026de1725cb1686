//! The values that a program is given when it is launched: variables of this process, and files with secrets.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use lp_base::plan::{NodeId, NodePlan, NodeSecrets, Plan, Secret, Secrets};
use lp_base::words::{AdmissionPlan, SecretSource};

/// The largest secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Values that can't be had.
#[derive(Debug, thiserror::Error)]
#[error("the program can't be given what it needs:\n  {}", .0.join("\n  "))]
pub(super) struct Missing(Vec<String>);

/// Reads all values that `plan` asks for. What can't be read is told all at once, and never with a value.
pub(super) fn read(plan: &Plan) -> Result<Secrets, Missing> {
    read_of(plan, (0..).map(NodeId).take(plan.nodes.len()))
}

/// The same for some of its nodes.
pub(super) fn read_of(plan: &Plan, nodes: impl IntoIterator<Item = NodeId>) -> Result<Secrets, Missing> {
    let (mut secrets, mut missing) = (Secrets::default(), Vec::new());
    for id in nodes {
        let node = plan.node(id);
        let of_node = of_node(node, &mut missing);
        if of_node != NodeSecrets::default() {
            secrets.insert(id, of_node);
        }
    }
    if missing.is_empty() { Ok(secrets) } else { Err(Missing(missing)) }
}

fn of_node(node: &NodePlan, missing: &mut Vec<String>) -> NodeSecrets {
    let mut take = |what: String, value: Result<String, String>| match value {
        Ok(value) => Some(Secret::new(value)),
        Err(reason) => {
            missing.push(format!("{what} of `{}`: {reason}", node.name));
            None
        }
    };
    let mut env = BTreeMap::new();
    for name in &node.sandbox.inherit_env {
        env.extend(take("`sandbox.inherit-env`".to_owned(), variable(name)).map(|value| (name.clone(), value)));
    }
    let mut config = BTreeMap::new();
    for (name, source) in &node.sandbox.secrets {
        config.extend(take(format!("the secret `{name}`"), value(source)).map(|value| (name.clone(), value)));
    }
    let AdmissionPlan { key, token, .. } = &node.admission;
    let listen_key = key.as_ref().and_then(|path| take("the key of `listen`".to_owned(), file(path)));
    let listen_token = token.as_ref().and_then(|source| take("the token of `listen`".to_owned(), value(source)));
    NodeSecrets { env, config, listen_key, listen_token }
}

fn value(source: &SecretSource) -> Result<String, String> {
    match source {
        SecretSource::Env(name) => variable(name),
        SecretSource::File(path) => file(path),
    }
}

fn variable(name: &str) -> Result<String, String> {
    // A value that is no text is not shown by the error either.
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => format!("the environment variable `{name}` is not set"),
        std::env::VarError::NotUnicode(_) => format!("the environment variable `{name}` is not UTF-8"),
    })
}

/// The text of a file, without the line break that most editors put at its end.
fn file(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut text = String::new();
    let opened = std::fs::File::open(path);
    let read = opened.and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text));
    read.map_err(|error| format!("`{shown}` can't be read: {error}"))?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(format!("`{shown}` is larger than the {SECRET_BYTES_MAX} bytes that a secret may have"));
    }
    let value = text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(value.to_owned())
}
