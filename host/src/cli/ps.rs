//! `lp-host ps`: what runs on this machine.

use clap::ValueEnum;
use lp_run::observe::{Finished, RunStatus, status_table};
use serde::Serialize;

use super::screen::{CliError, Screen};
use super::{kubernetes, runs, slurm};

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

/// Adds the programs on Slurm whose coordinators run, and says what becomes of the others.
fn on_slurm(runs: &mut Vec<RunStatus>, screen: &Screen) -> Result<Vec<String>, CliError> {
    let all = match runs::block_on(slurm::all())? {
        Ok(all) => all,
        Err(error) => {
            screen.warning(&format!("Slurm can't be asked for programs on it: {error}"));
            return Ok(Vec::new());
        }
    };
    let mut others = Vec::new();
    for run in all {
        let (id, number) = (&run.job.id, &run.job.number);
        match (run.status.as_ref().filter(|_| run.is_living()), run.replicas()) {
            (Some(status), None) => {
                let reason = status.reason.as_deref().unwrap_or(&status.word);
                others.push(format!("`{id}`, job {number} of Slurm, has not begun: {reason}"));
            }
            (Some(_), Some(status)) => runs.push(status),
            (None, _) => others.push(format!("`{id}`, job {number} of Slurm, is over: `lp-host attach {id}` shows it")),
        }
    }
    Ok(others)
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let registry = runs::registry()?;
    let (mut runs, silent) = runs::block_on(runs::statuses(&registry))??;
    let mut waiting = on_slurm(&mut runs, screen)?;
    waiting.extend(runs::block_on(kubernetes::states(&mut runs, screen))?);
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
                true if waiting.is_empty() => screen.note("no program is running"),
                true => {}
                false => screen.data(&format!("{}\n", status_table(&runs))),
            }
            for text in waiting {
                screen.note(&text);
            }
            for Finished { id, end, .. } in finished {
                let code = end.exit_code;
                screen.note(&format!("`{id}` has ended with exit code {code}: `lp-host attach {id}` shows it"));
            }
        }
    }
    Ok(0)
}
