//! What a node asks of Kubernetes, where a program runs on one of its clusters.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the replicas of a node ask of Kubernetes. What is not said, `lp-host` or the cluster decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesRequest {
    /// How much of processors each replica has, in thousandths of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_milli: Option<u64>,
    /// How much memory the process of each replica may have, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How many of its devices each replica has, by the name of the resource, such as `nvidia.com/gpu`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, u32>,
    /// The labels that its machines must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// The taints of machines that it may run on all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Taint>,
    /// The Secrets of the namespace whose entries are variables of its processes, for its `inherit-env` and `secrets`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_secrets: Vec<String>,
}

impl KubernetesRequest {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A taint of machines, as `kubectl taint` writes it: `KEY=VALUE:EFFECT`, where the value and the effect may be left out for any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Taint {
    /// The key, such as `nvidia.com/gpu`.
    pub key: String,
    /// The value; any if there is none.
    pub value: Option<String>,
    /// What it keeps out: `NoSchedule`, `PreferNoSchedule` or `NoExecute`; all if there is none.
    pub effect: Option<String>,
}

/// A text that is no taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a taint is `KEY`, `KEY=VALUE`, `KEY:EFFECT` or `KEY=VALUE:EFFECT`; the effects are `NoSchedule`, `PreferNoSchedule` and `NoExecute`"
)]
pub struct NotATaint;

impl FromStr for Taint {
    type Err = NotATaint;

    fn from_str(text: &str) -> Result<Self, NotATaint> {
        let (rest, effect) = match text.rsplit_once(':') {
            Some((rest, effect)) => (rest, Some(effect)),
            None => (text, None),
        };
        let (key, value) = match rest.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (rest, None),
        };
        let is_effect = effect.is_none_or(|effect| ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect));
        let is_good = is_effect && is_kubernetes_key(key) && value.is_none_or(is_kubernetes_value);
        let taint = || Self { key: key.into(), value: value.map(Into::into), effect: effect.map(Into::into) };
        is_good.then(taint).ok_or(NotATaint)
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, "={value}"))?;
        self.effect.as_ref().map_or(Ok(()), |effect| write!(f, ":{effect}"))
    }
}

impl From<Taint> for String {
    fn from(taint: Taint) -> String {
        taint.to_string()
    }
}

impl TryFrom<String> for Taint {
    type Error = NotATaint;

    fn try_from(text: String) -> Result<Self, NotATaint> {
        text.parse()
    }
}

/// Whether a text is a key of labels, taints and resources: a name, and before it perhaps a domain and a `/`.
pub fn is_kubernetes_key(key: &str) -> bool {
    let is_domain = |domain: &str| domain.len() <= 253 && domain.split('.').all(is_dns_label);
    match key.split_once('/') {
        Some((domain, name)) => is_domain(domain) && !name.is_empty() && is_kubernetes_value(name),
        None => !key.is_empty() && is_kubernetes_value(key),
    }
}

/// Whether a text is the value of a label or a taint.
pub fn is_kubernetes_value(value: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    let bytes = value.as_bytes();
    bytes.len() <= 63
        && ends(bytes.first().copied())
        && ends(bytes.last().copied())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Whether a text is a label of DNS, as the names of most objects are.
pub fn is_dns_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    bytes.len() <= 63
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

/// The thousandths of a processor that Kubernetes means by a text such as `2`, `0.5` or `500m`.
pub fn parse_cpu(text: &str) -> Option<u64> {
    let is_number =
        |digits: &str| !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    let number = |digits: &str| is_number(digits).then(|| digits.parse::<u64>().ok()).flatten();
    if let Some(milli) = text.strip_suffix('m') {
        return number(milli);
    }
    match text.split_once('.') {
        Some((whole, part)) if (1..=3).contains(&part.len()) => {
            Some(number(whole)? * 1000 + number(&format!("{part:0<3}"))?)
        }
        Some(_) => None,
        None => Some(number(text)? * 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taint_is_written_and_read_as_kubectl_does() {
        for text in ["gpu", "gpu=yes", "nvidia.com/gpu:NoSchedule", "spot=true:NoExecute"] {
            assert_eq!(text.parse::<Taint>().map(|taint| taint.to_string()), Ok(text.to_owned()));
        }
        for wrong in ["", "=a", "gpu:Never", "a b", "gpu=a b", "/gpu", "-gpu", "A.b/c"] {
            assert_eq!(wrong.parse::<Taint>(), Err(NotATaint), "{wrong}");
        }
    }

    #[test]
    fn processors_are_counted_in_thousandths() {
        for (text, milli) in [("2", 2000), ("0.5", 500), ("1.125", 1125), ("500m", 500), ("0", 0)] {
            assert_eq!(parse_cpu(text), Some(milli), "{text}");
        }
        for wrong in ["", "m", ".5", "1.", "1.0625", "-1", "2k", "1 "] {
            assert_eq!(parse_cpu(wrong), None, "{wrong}");
        }
    }
}
