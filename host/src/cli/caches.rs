//! Where lp-host keeps for its user what it can make again.

use std::path::PathBuf;

use lp_base::words::parse_size;
use lp_runtime::CACHE_BYTES_MAX;

use super::screen::{CliError, exit_code};

/// The folder of compiled components: `$LP_HOST_CACHE`, or `lp-host/compiled` in the user's cache directory.
pub(super) fn compiled() -> Option<PathBuf> {
    folder("LP_HOST_CACHE", "compiled")
}

/// How many bytes the folder of compiled components keeps: `$LP_HOST_CACHE_MAX`, or a default.
pub(super) fn compiled_bytes_max() -> Result<u64, CliError> {
    const VARIABLE: &str = "LP_HOST_CACHE_MAX";
    let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) else { return Ok(CACHE_BYTES_MAX) };
    text.to_str().and_then(parse_size).ok_or_else(|| {
        let message = format!("the variable `{VARIABLE}` is `{}`, which is not a size", text.display());
        CliError::new(exit_code::WRONG_USAGE, message).hint("the units are `B`, `KiB`, `MiB` and `GiB`, as in `4GiB`")
    })
}

/// The folder of the tools that builds install: `$LP_HOST_TOOLS`, or `lp-host/tools` in the user's cache directory.
pub(super) fn tools() -> Option<PathBuf> {
    folder("LP_HOST_TOOLS", "tools")
}

/// The folder of the components that launchers sent to this machine's agent: `$LP_HOST_COMPONENTS`, or `lp-host/components` in the
/// user's cache directory.
pub(super) fn components() -> Option<PathBuf> {
    folder("LP_HOST_COMPONENTS", "components")
}

fn folder(variable: &str, name: &str) -> Option<PathBuf> {
    let dir = |variable, below: &str| {
        std::env::var_os(variable).filter(|dir| !dir.is_empty()).map(|dir| PathBuf::from(dir).join(below))
    };
    dir(variable, "")
        .or_else(|| dir("XDG_CACHE_HOME", &format!("lp-host/{name}")))
        .or_else(|| dir("HOME", &format!(".cache/lp-host/{name}")))
}
