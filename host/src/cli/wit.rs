//! `lp-host wit`: WIT that is derived from a user's own.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use lp_wit::{Folder, HANDLES_SUFFIX, Style, handles_wit};

use super::screen::{Failure, Screen, exit_code};

/// Writes WIT that is derived from yours
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Handles(HandlesArgs),
}

/// Prints the interface through which a node calls many nodes: `producer-handles` for `interface producer`
///
/// `lp-host build` and the Rust SDK derive it by themselves. Other toolchains need it as a file beside the WIT that it is
/// derived from, such as `lp-host wit handles wit --interface producer > wit/producer-handles.wit`.
#[derive(Debug, clap::Args)]
struct HandlesArgs {
    /// A folder of WIT, or a file of it
    wit: PathBuf,
    /// How the methods wait: `async func`, a `future` of the result, or a `func` that blocks
    #[arg(long, value_enum, default_value_t = StyleName::Async)]
    style: StyleName,
    /// The interface; may be left out if there is one only
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// Fail if this file is not what would be printed, instead of printing it
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StyleName {
    /// Many calls may be in flight: Rust, Python
    Async,
    /// The same, for languages that can't import an `async func`: JavaScript
    Future,
    /// One call at a time: C, C++, Zig
    Sync,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, Failure> {
    let What::Handles(args) = &args.what;
    let text = derive(args)?;
    match &args.check {
        None => screen.data(&text),
        Some(file) => check(file, &text, args)?,
    }
    Ok(0)
}

fn derive(args: &HandlesArgs) -> Result<String, Failure> {
    let wrong = |error: &dyn std::error::Error| Failure::new(exit_code::WRONG_PROGRAM, error.to_string());
    let style = match args.style {
        StyleName::Async => Style::Async,
        StyleName::Future => Style::Future,
        StyleName::Sync => Style::Sync,
    };
    let folder = Folder::read(&args.wit, style).map_err(|error| wrong(&error))?;
    let interfaces = &folder.resolve.packages[folder.package].interfaces;
    let names: Vec<_> = interfaces.keys().filter(|name| !name.ends_with(HANDLES_SUFFIX)).collect();
    let chosen = match (&args.interface, &names[..]) {
        (Some(name), _) => interfaces.get(name),
        (None, [only]) => interfaces.get(*only),
        (None, _) => None,
    };
    let Some(&interface) = chosen else {
        let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = format!("`{}` has the interfaces {listed}", args.wit.display());
        return Err(Failure::new(exit_code::WRONG_USAGE, message).hint("choose one of them by `--interface`"));
    };
    handles_wit(&folder.resolve, interface, style).map_err(|error| wrong(&error))
}

fn check(file: &Path, text: &str, args: &HandlesArgs) -> Result<(), Failure> {
    if std::fs::read_to_string(file).is_ok_and(|found| found == text) {
        return Ok(());
    }
    let style = args.style.to_possible_value().expect("no style is hidden");
    let interface = args.interface.as_ref().map_or(String::new(), |name| format!(" --interface {name}"));
    let line = format!(
        "lp-host wit handles {} --style {}{interface} > {}",
        args.wit.display(),
        style.get_name(),
        file.display()
    );
    let failure = Failure::new(exit_code::WRONG_PROGRAM, format!("`{}` is stale", file.display()));
    Err(failure.hint(format!("write it anew: {line}")))
}
