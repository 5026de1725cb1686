//! `lp-host completions`: the command line as a shell knows it.

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
    clap_complete::generate(args.shell, &mut super::visible(), "lp-host", &mut script);
    let script = String::from_utf8_lossy(&script);
    screen.data(&match args.shell {
        // clap_complete 4.6.11 writes the hyphen of our name in two ways, so that bash would find no verb's options.
        Shell::Bash => script.replace("lp__subcmd__host", "lp__host"),
        _ => script.into_owned(),
    });
    Ok(0)
}
