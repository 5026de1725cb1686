//! What to change in bindings.

use serde::{Deserialize, Serialize};

/// What to change.
#[derive(Clone, Copy)]
pub(crate) struct Changes {
    pub(crate) numbers: Numbers,
    /// Whether the interpreter leaks the bytes that it passes.
    pub(crate) frees_bytes: bool,
}

/// What the bindings of an interpreter's component pass numbers as.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Numbers {
    /// What they are.
    #[default]
    Plain,
    /// Lists of them as their bytes.
    Bytes,
    /// The same, and integers of 64 bits as their digits.
    Digits,
}
