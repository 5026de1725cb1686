//! `lp-host schema`: what editors need to know of a program file.

use super::screen::{CliError, Screen};
use crate::program;

/// Prints the JSON schema of a program file, of a policy or of a file of tests, for editors
///
/// Write it beside the program with `lp-host schema > program.schema.json`, and name it in the first line of program.toml:
/// `#:schema ./program.schema.json`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the schema of a policy, as `--policy` takes it
    #[arg(long)]
    policy: bool,
    /// Print the schema of a file of tests, such as `program.test.toml`
    #[arg(long, conflicts_with = "policy")]
    tests: bool,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let schema = match args {
        Args { policy: true, .. } => program::policy_schema(),
        Args { tests: true, .. } => program::tests_schema(),
        Args { .. } => program::schema(),
    };
    screen.data(&format!("{schema:#}\n"));
    Ok(0)
}
