//! `lp-host identity`: by what agents know this user.

use super::hosts::launcher_key;
use super::screen::{CliError, Screen};

/// Shows the line by which agents know you
///
/// Add it to the file of launchers on each host whose agent is to run your programs. The key that it is of is made when it is
/// first needed, in `launcher.key` of `~/.config/lp-host`, or of `$LP_HOST_CONFIG`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, screen: &Screen) -> Result<u8, CliError> {
    let key = launcher_key()?;
    screen.data(&format!("{} {}\n", key.fingerprint(), name()));
    Ok(0)
}

/// A name for people, which proves nothing.
fn name() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{user}@{}", host.trim())
}
