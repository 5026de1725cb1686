//! `lp-host replay`: what the checkpoints of replay tables hold, those of Reverb among them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use lp_replay::checkpoint::{self, CheckpointError, Stored, StoredTable};
use lp_replay::table::{Gauge, SelectorKind};
use serde_json::{Value, json};

use super::screen::{CliError, Screen, exit_code, size};

/// Shows what a checkpoint of replay tables holds
///
/// The format is that of Reverb, whose checkpoints are read too, without Reverb or TensorFlow.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the tables of a checkpoint: how they are set, how many items they have and what was done with them
    ///
    /// All of the checkpoint is read and checked, and nothing is changed. Exits with 3 if it is damaged.
    Inspect {
        /// A checkpoint, or a folder of checkpoints, of which the last whole one is shown
        dir: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object on stdout
    Json,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let Action::Inspect { dir } = &args.action;
    let gauge = Gauge::default();
    let stored = read(dir, &gauge, screen)?;
    match args.format {
        Format::Json => screen.data(&format!("{:#}\n", as_json(&stored, &gauge))),
        Format::Text => screen.shown_data(&as_text(&stored, &gauge)),
    }
    Ok(0)
}

/// The checkpoint in `dir`, or the last whole one below it. Damaged ones that came later are told of.
fn read(dir: &Path, gauge: &Gauge, screen: &Screen) -> Result<Stored, CliError> {
    let wrong = |error: CheckpointError| CliError::new(exit_code::WRONG_PROGRAM, error);
    if !dir.is_dir() {
        let failure = CliError::new(exit_code::WRONG_USAGE, format!("`{}` is no folder", dir.display()));
        return Err(failure
            .hint("name a checkpoint, such as `checkpoints/2026-01-31T12:00:00.0+00:00`, or the folder of several"));
    }
    let is_checkpoint = checkpoint::has_files(dir);
    if is_checkpoint {
        return checkpoint::read(dir, gauge).map_err(wrong);
    }
    let (found, refused) = checkpoint::last(dir, gauge).map_err(wrong)?;
    for refused in refused {
        screen.warning(&format!("`{}` is passed over: {}", refused.path.display(), refused.error));
    }
    found.ok_or_else(|| CliError::new(exit_code::WRONG_PROGRAM, format!("`{}` has no whole checkpoint", dir.display())))
}

fn selector(kind: SelectorKind) -> String {
    match kind {
        SelectorKind::Uniform => "uniform".to_owned(),
        SelectorKind::Prioritized { exponent } => format!("prioritized, exponent {exponent}"),
        SelectorKind::Fifo => "fifo".to_owned(),
        SelectorKind::Lifo => "lifo".to_owned(),
        SelectorKind::MinHeap => "min-heap".to_owned(),
        SelectorKind::MaxHeap => "max-heap".to_owned(),
    }
}

/// A bound of a limiter, unless it is one that is never met: Reverb has the largest number for that.
fn bound(value: f64) -> Option<f64> {
    (value.abs() < f64::MAX / 2.0).then_some(value)
}

fn as_text(stored: &Stored, gauge: &Gauge) -> String {
    let mut text = format!(
        "checkpoint: {}\nchunks:     {} with {}\n",
        stored.path.display(),
        stored.chunks,
        size(gauge.bytes() as u64)
    );
    for StoredTable { counts, items } in &stored.tables {
        let spec = &counts.spec;
        let limiter = &spec.limiter;
        let times =
            spec.max_times_sampled.map_or_else(|| "any number of times".to_owned(), |max| format!("{max} times"));
        let diff = |value: f64| bound(value).map_or_else(|| "none".to_owned(), |value| value.to_string());
        let lines = [
            ("items", format!("{} of at most {}", items.len(), spec.max_size)),
            ("sampler", selector(spec.sampler)),
            ("remover", selector(spec.remover)),
            ("sampled at most", times),
            ("samples per insert", limiter.samples_per_insert.to_string()),
            ("samples from size", limiter.min_size_to_sample.to_string()),
            ("lowest difference", diff(limiter.min_diff)),
            ("highest difference", diff(limiter.max_diff)),
            ("inserted", counts.counts.inserts.to_string()),
            ("sampled", format!("{}, {} items at least once", counts.counts.samples, counts.num_unique_samples)),
            ("removed", counts.counts.deletes.to_string()),
            ("signature", if spec.signature.is_some() { "yes" } else { "no" }.to_owned()),
        ];
        let _ = write!(text, "\ntable `{}`\n", spec.name);
        for (name, value) in lines {
            let _ = writeln!(text, "  {:<20}{value}", format!("{name}:"));
        }
    }
    text
}

fn as_json(stored: &Stored, gauge: &Gauge) -> Value {
    let tables = stored.tables.iter().map(|StoredTable { counts, items }| {
        let (spec, limiter) = (&counts.spec, &counts.spec.limiter);
        json!({
            "name": spec.name,
            "items": items.len(),
            "max_size": spec.max_size,
            "max_times_sampled": spec.max_times_sampled,
            "sampler": selector(spec.sampler),
            "remover": selector(spec.remover),
            "limiter": {
                "samples_per_insert": limiter.samples_per_insert,
                "min_size_to_sample": limiter.min_size_to_sample,
                "min_diff": bound(limiter.min_diff),
                "max_diff": bound(limiter.max_diff),
            },
            "inserts": counts.counts.inserts,
            "samples": counts.counts.samples,
            "unique_samples": counts.num_unique_samples,
            "deletes": counts.counts.deletes,
            "has_signature": spec.signature.is_some(),
        })
    });
    json!({
        "path": stored.path.display().to_string(),
        "chunks": stored.chunks,
        "bytes": gauge.bytes(),
        "tables": tables.collect::<Vec<_>>(),
    })
}
