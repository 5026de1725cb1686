//! `lp-host stop`: ends a program that runs.

use clap::ValueEnum;
use lp_run::launch::RunId;
use lp_run::observe::{ClientError, Request};
use serde_json::json;

use super::screen::{CliError, Screen, exit_code};
use super::{kubernetes, runs, slurm};

/// Stops a program that runs, and waits until it has ended
///
/// Every node is asked to stop and has the program's grace period, as on SIGTERM; `lp-host run` then exits with 143.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run: its id, the beginning of it, or the name of its program
    run: String,
    /// Skip the grace period
    #[arg(long)]
    now: bool,
    /// How to write that it has ended
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line on stderr
    Text,
    /// One JSON object
    Json,
}

/// The run that was stopped.
enum Stopped {
    Here(RunId),
    OnCluster(String),
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let registry = runs::registry()?;
    let stopped = runs::block_on(async {
        let id = match runs::find(&registry, &args.run).await {
            Ok(id) => id,
            Err(error) => {
                let id = match slurm::find(Some(&args.run), error).await {
                    Ok(run) => {
                        slurm::stop(&run, args.now).await?;
                        run.job.id
                    }
                    Err(error) => {
                        let run = kubernetes::find(Some(&args.run), error, screen).await?;
                        kubernetes::stop(&run, args.now).await?;
                        run.id().to_owned()
                    }
                };
                return Ok(Stopped::OnCluster(id));
            }
        };
        if let Some(mut client) = runs::connect(&registry, &id).await? {
            let asked = match client.send(&Request::Stop { now: args.now }).await {
                Ok(()) => client.reply().await.map(drop),
                Err(error) => Err(error),
            };
            // A run that ends by itself in this moment has done what it should.
            asked.or_else(|error| if matches!(error, ClientError::Io(_)) { Ok(()) } else { Err(error) })?;
        }
        Ok::<_, CliError>(Stopped::Here(id))
    })??;
    let id = match &stopped {
        Stopped::Here(id) => {
            registry.reap(id).map_err(|error| CliError::new(exit_code::WRONG_USAGE, error))?;
            id.as_str()
        }
        Stopped::OnCluster(id) => id,
    };
    match args.format {
        Format::Json => screen.data(&format!("{}\n", json!({ "run": id, "stopped": true }))),
        Format::Text => screen.note(&format!("`{id}` has ended")),
    }
    Ok(0)
}
