//! `lp-host lock`: writes the digest of every component into a program file.

use std::io;
use std::path::PathBuf;

use clap::ValueEnum;
use lp_program::program::{LockError, Locked, LockedNode, lock};
use serde_json::{Value, json};

use super::replace::replace;
use super::screen::{CliError, Screen, exit_code};

/// Pins the components of a program: writes the `sha256` of each into the program file
///
/// From then on, a component of other bytes is refused when the program is checked or run, until it is locked again. The
/// rest of the file stays as it is, comments too. Build the components first, and look at what they are (`lp-host inspect`,
/// `lp-host check --explain`): a digest says that a component is the one that you looked at, not that it is good.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The program file, such as `program.toml`
    program: PathBuf,
    /// Write nothing, and exit with 3 if a digest is missing or is not that of its component
    #[arg(long)]
    check: bool,
    /// How to write what is pinned
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, on stderr
    Text,
    /// One JSON object on stdout
    Json,
}

/// Why the program file is not locked.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("`{}` could not be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("`{}` does not pin the components of {nodes}", path.display())]
    Unlocked { path: PathBuf, nodes: String },
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let Locked { text, nodes } = lock(&args.program).map_err(|error| match error {
        LockError::Program(problems) => CliError::from(problems),
        error => CliError::new(exit_code::WRONG_PROGRAM, error),
    })?;
    let changed: Vec<_> = nodes.iter().filter(|node| is_changed(node)).collect();
    if !args.check && !changed.is_empty() {
        let failed = |source| {
            let path = args.program.clone();
            CliError::new(exit_code::NOT_WRITTEN, Error::Write { path, source })
        };
        replace(&args.program, &text).map_err(failed)?;
    }
    if args.format == Format::Json {
        screen.data(&format!("{:#}\n", to_json(&nodes)));
        return Ok(if args.check && !changed.is_empty() { exit_code::WRONG_PROGRAM } else { 0 });
    }
    if args.check && !changed.is_empty() {
        let names: Vec<_> = changed.iter().map(|node| format!("`{}`", node.name)).collect();
        let error = Error::Unlocked { path: args.program.clone(), nodes: names.join(", ") };
        let hint = format!("`lp-host lock {}` pins them", args.program.display());
        return Err(CliError::new(exit_code::WRONG_PROGRAM, error).hint(hint));
    }
    for node in &changed {
        let what = if node.before.is_some() { "pinned again" } else { "pinned" };
        screen.note(&format!("{what}: `{}` is {} of `{}`", node.name, node.sha256, node.component));
    }
    if changed.is_empty() {
        screen.note(&format!("`{}` pins every component", args.program.display()));
    }
    Ok(0)
}

fn is_changed(node: &LockedNode) -> bool {
    node.before != Some(node.sha256)
}

fn to_json(nodes: &[LockedNode]) -> Value {
    let to_json = |node: &LockedNode| {
        json!({
            "node": node.name,
            "component": node.component,
            "sha256": node.sha256,
            "before": node.before,
        })
    };
    json!({ "nodes": nodes.iter().map(to_json).collect::<Vec<_>>() })
}
