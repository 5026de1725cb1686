//! `lp-host man`: the manual pages of the command line.

use std::io;
use std::path::PathBuf;

use super::screen::{CliError, Screen, exit_code};

/// Writes the manual pages: `lp-host.1`, and one for each verb, such as `lp-host-run.1`
///
/// `lp-host man ~/.local/share/man/man1`, and `man lp-host-run` finds them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory that they are written to; it is made if it is not there
    dir: PathBuf,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let failed = |error: io::Error| {
        let error = format!("the manual pages can't be written to `{}`: {error}", args.dir.display());
        CliError::new(exit_code::NOT_LAUNCHED, error)
    };
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(super::visible(), &args.dir).map_err(failed)?;
    screen.note(&format!("the manual pages are in `{}`", args.dir.display()));
    Ok(0)
}
