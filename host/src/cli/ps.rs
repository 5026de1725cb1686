//! `lp-host ps`: what runs on this machine.

use clap::ValueEnum;
use lp_run::observe::{Finished, RunStatus, status_table};
use serde::Serialize;

use super::runs;
use super::screen::{CliError, Screen};

/// Shows the programs that you run on this machine
///
/// A line for each replica: the run, which `lp-host logs` and `lp-host stop` take, the replica's state and process, how
/// often and how long ago it was started, the calls that it answered with a response and with an error, and the size of
/// its memory. Detached runs that have ended are named, as long as they are kept.
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
    finished: Vec<FinishedRun>,
}

/// A detached run that has ended.
#[derive(Serialize)]
struct FinishedRun {
    id: String,
    program: String,
    exit_code: u8,
    ended_unix_s: u64,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let registry = runs::registry()?;
    let (runs, silent) = runs::block_on(runs::statuses(&registry))??;
    for id in &silent {
        screen.warning(&format!("`{id}` does not answer"));
    }
    let finished = runs::finished(&registry)?;
    match args.format {
        Format::Json => {
            let finished = finished.into_iter().map(|run| FinishedRun {
                id: run.id.to_string(),
                program: run.end.program,
                exit_code: run.end.exit_code,
                ended_unix_s: run.end.ended_unix_s,
            });
            let json = serde_json::to_string_pretty(&Runs { runs, finished: finished.collect() })
                .expect("the keys are strings");
            screen.data(&format!("{json}\n"));
        }
        Format::Text => {
            match runs.is_empty() && silent.is_empty() {
                true => screen.note("no program is running"),
                false => screen.data(&format!("{}\n", status_table(&runs))),
            }
            for Finished { id, end, .. } in finished {
                let code = end.exit_code;
                screen.note(&format!("`{id}` has ended with exit code {code}: `lp-host attach {id}` shows it"));
            }
        }
    }
    Ok(0)
}
