//! Whether worker processes give up what the kernel lets them give up.

use serde::{Deserialize, Serialize};

/// Whether a worker process gives up what the kernel lets it give up, so that a guest that broke out of its sandbox finds
/// little to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hardening {
    /// As far as it can, with a warning if that is not all the way.
    #[default]
    Auto,
    /// All the way; a program that can't have that is not launched.
    Require,
    /// Not at all.
    Off,
}
