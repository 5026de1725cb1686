//! The entry point of a component.

use serde::{Deserialize, Serialize};

/// The version of `wasi:cli/run` that a component exports as its entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunExport {
    /// `wasi:cli/run@0.2.x`, a plain function.
    #[serde(rename = "0.2")]
    V0_2,
    /// `wasi:cli/run@0.3.x`, an async function.
    #[serde(rename = "0.3")]
    V0_3,
}
