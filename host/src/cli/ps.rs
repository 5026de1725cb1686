//! `lp-host ps`: what runs on this machine.

use clap::ValueEnum;
use lp_run::observe::{RunStatus, status_table};
use serde::Serialize;

use super::runs;
use super::screen::{CliError, Screen};

/// Shows the programs that you run on this machine
///
/// A line for each replica: the run, which `lp-host logs` and `lp-host stop` take, the replica's state and process, how
/// often and how long ago it was started, the calls that it answered with a response and with an error, and the size of
/// its memory.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// One JSON object
    Json,
}

#[derive(Serialize)]
struct Runs {
    runs: Vec<RunStatus>,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let registry = runs::registry()?;
    let (runs, silent) = runs::block_on(runs::statuses(&registry))??;
    for id in &silent {
        screen.warning(&format!("`{id}` does not answer"));
    }
    match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&Runs { runs }).expect("the keys are strings");
            screen.data(&format!("{json}\n"));
        }
        Format::Text if runs.is_empty() && silent.is_empty() => screen.note("no program is running"),
        Format::Text => screen.data(&format!("{}\n", status_table(&runs))),
    }
    Ok(0)
}
