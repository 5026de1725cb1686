//! The entry point of a component.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of `wasi:cli/run` that a component exports as its entry point. Of two, the larger one is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RunExport {
    /// `wasi:cli/run@0.2.x`, a plain function.
    #[serde(rename = "0.2")]
    V0_2,
    /// `wasi:cli/run@0.3.x`, an async function.
    #[serde(rename = "0.3")]
    V0_3,
}

impl fmt::Display for RunExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RunExport::V0_2 => "wasi:cli/run@0.2",
            RunExport::V0_3 => "wasi:cli/run@0.3",
        })
    }
}

impl RunExport {
    /// The entry point that an export of this name is. Pre-releases of 0.3 had other types, so they are none.
    pub fn of(export: &str) -> Option<RunExport> {
        let version = semver::Version::parse(export.strip_prefix("wasi:cli/run@")?).ok()?;
        match (version.major, version.minor) {
            (0, 2) => Some(RunExport::V0_2),
            (0, 3) if version.pre.is_empty() => Some(RunExport::V0_3),
            _ => None,
        }
    }

    /// The entry point of a component with these exports. One that has both versions has the older one for hosts that
    /// lack the newer, so the newer is run, as in wasmtime.
    pub fn among<'a>(exports: impl IntoIterator<Item = &'a str>) -> Option<RunExport> {
        exports.into_iter().filter_map(RunExport::of).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_entry_point_is_run_wherever_it_stands() {
        let (old, new) = ("wasi:cli/run@0.2.6", "wasi:cli/run@0.3.0");
        assert_eq!(RunExport::among([old, new]), Some(RunExport::V0_3));
        assert_eq!(RunExport::among([new, old]), Some(RunExport::V0_3));
        assert_eq!(RunExport::among(["wasi:cli/run@0.3.0-rc-2026-02-09", old]), Some(RunExport::V0_2));
        assert_eq!(RunExport::among(["wasi:cli/run@0.4.0", "wasi:cli/runner@0.3.0", "run"]), None);
    }
}
