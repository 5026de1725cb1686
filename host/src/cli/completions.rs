//! `lp-host completions`: the command line as a shell knows it.

use clap::CommandFactory;
use clap_complete::Shell;

use super::screen::{CliError, Screen};

/// Prints the completions of a shell
///
/// For bash: `lp-host completions bash > ~/.local/share/bash-completion/completions/lp-host`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "lp-host", &mut script);
    screen.data(&String::from_utf8_lossy(&script));
    Ok(0)
}
