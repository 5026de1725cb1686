//! `lp-host logs`: the output of a program that runs.

use clap::ValueEnum;
use lp_run::observe::{LineFormat, LineStyle, Reply, Request};
use lp_run::supervise::ReplicaStatus;

use super::screen::{CliError, Screen};
use super::{kubernetes, runs, slurm};

/// Shows the output of a program that runs
///
/// What the host says of the nodes, such as a failure or a restart, is among it, tagged `lp-host`.
///
/// A run keeps its last 4 MiB of output. Once it has ended they are gone; `lp-host run --log-dir` writes files that stay.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run: its id, the beginning of it, or the name of its program
    run: String,
    /// Show only this node, such as `producer`, or replica, such as `producer/1`
    node: Option<String>,
    /// Go on until the run ends
    #[arg(long, short)]
    follow: bool,
    /// How to write lines
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tagged lines
    Text,
    /// One JSON object a line
    Json,
}

pub(super) fn run(args: Args, screen: &Screen) -> Result<u8, CliError> {
    let format = match args.format {
        Format::Json => LineFormat::Json,
        Format::Text if screen.stdout_coloured() => LineFormat::Coloured,
        Format::Text => LineFormat::Plain,
    };
    runs::block_on(show(args, format, screen))?
}

async fn show(args: Args, format: LineFormat, screen: &Screen) -> Result<u8, CliError> {
    let registry = runs::registry()?;
    let id = match runs::find(&registry, &args.run).await {
        Ok(id) => id,
        Err(error) => {
            let wanted = (args.node.as_deref(), args.follow);
            match slurm::find(Some(&args.run), error).await {
                Ok(run) => slurm::logs(&run, wanted, format, screen).await?,
                Err(error) => {
                    let run = kubernetes::find(Some(&args.run), error, screen).await?;
                    kubernetes::logs(&run, wanted, format, screen).await?;
                }
            }
            return Ok(0);
        }
    };
    let mut client = runs::connect(&registry, &id).await?.ok_or_else(|| runs::ended(&id))?;
    let labels: Vec<_> = client.status().await?.replicas.iter().map(ReplicaStatus::label).collect();
    let style = LineStyle::new(format, labels.iter().map(String::as_str));
    client.send(&Request::Logs { node: args.node, follow: args.follow }).await?;
    loop {
        match client.reply().await? {
            Some(Reply::Line(line)) => {
                let written = screen.next_data(&style.render(&line.replica, line.source, &line.line));
                if written.is_err() {
                    return Ok(0);
                }
            }
            Some(Reply::Skipped { lines }) => {
                screen.warning(&format!("{lines} lines came faster than they could be shown"));
            }
            Some(Reply::End) => return Ok(0),
            Some(_) | None => {
                screen.warning(&format!("`{id}` broke off; the last lines may be missing"));
                return Ok(0);
            }
        }
    }
}
