//! Where lp-host keeps for its user what it can make again.

use std::path::PathBuf;

/// The folder of compiled components: `$LP_HOST_CACHE`, or `lp-host/compiled` in the user's cache directory.
pub(super) fn compiled() -> Option<PathBuf> {
    folder("LP_HOST_CACHE", "compiled")
}

/// The folder of the tools that builds install: `$LP_HOST_TOOLS`, or `lp-host/tools` in the user's cache directory.
pub(super) fn tools() -> Option<PathBuf> {
    folder("LP_HOST_TOOLS", "tools")
}

fn folder(variable: &str, name: &str) -> Option<PathBuf> {
    let dir = |variable, below: &str| {
        std::env::var_os(variable).filter(|dir| !dir.is_empty()).map(|dir| PathBuf::from(dir).join(below))
    };
    dir(variable, "")
        .or_else(|| dir("XDG_CACHE_HOME", &format!("lp-host/{name}")))
        .or_else(|| dir("HOME", &format!(".cache/lp-host/{name}")))
}
