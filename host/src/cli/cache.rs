//! `lp-host cache`: what is kept of compiled components, and how to delete it.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use lp_base::scheduler::Scheduler;
use lp_base::words::format_bytes;
use lp_runtime::{CacheUsage, CompileCache};
use serde_json::json;

use super::screen::{CliError, Screen, exit_code};
use super::{caches, screen};

/// Shows how much the cache of compiled components keeps, and clears it
///
/// A component is compiled for this machine once, and then taken from the cache, which all programs of yours share. When
/// the cache is full, the entries go that were not used for the longest time. Deleting one costs the next run that needs it
/// a compilation, nothing else; running programs go on.
///
/// The folder is `$LP_HOST_CACHE`, or else `lp-host/compiled` in `$XDG_CACHE_HOME` or in `~/.cache`. `$LP_HOST_CACHE_MAX`,
/// such as `4GiB`, is what it keeps at most; without that, 2GiB.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Delete every compiled component
    Clear,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object on stdout
    Json,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let bytes_max = caches::compiled_bytes_max()?;
    let Some(dir) = caches::compiled() else {
        let failure = CliError::new(exit_code::WRONG_USAGE, "there is no folder for a cache");
        return Err(failure.hint("set `LP_HOST_CACHE` to a folder, or `HOME`"));
    };
    let cache = open(&dir)?;
    match args.action {
        None => show(&dir, cache.as_ref(), bytes_max, args.format, screen)?,
        Some(Action::Clear) => clear(&dir, cache.as_ref(), args.format, screen)?,
    }
    Ok(0)
}

/// The cache in `dir`, if that is there: looking at a cache makes none.
fn open(dir: &Path) -> Result<Option<CompileCache>, CliError> {
    let failed = |error| CliError::new(exit_code::NOT_LAUNCHED, error);
    dir.exists().then(|| CompileCache::open(dir, &Scheduler::default())).transpose().map_err(failed)
}

/// Why the folder can't be read or changed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what} the compile cache `{}`", .dir.display())]
struct Error {
    what: &'static str,
    dir: PathBuf,
    source: std::io::Error,
}

fn with(
    cache: Option<&CompileCache>,
    dir: &Path,
    what: &'static str,
    act: fn(&CompileCache) -> std::io::Result<CacheUsage>,
) -> Result<CacheUsage, CliError> {
    let failed = |source| CliError::new(exit_code::NOT_WRITTEN, Error { what, dir: dir.to_owned(), source });
    cache.map_or(Ok(CacheUsage::default()), act).map_err(failed)
}

fn show(
    dir: &Path,
    cache: Option<&CompileCache>,
    bytes_max: u64,
    format: Format,
    screen: &Screen,
) -> Result<(), CliError> {
    let CacheUsage { entries, bytes } = with(cache, dir, "read", CompileCache::usage)?;
    match format {
        Format::Json => {
            let json = json!({
                "dir": dir.display().to_string(),
                "entries": entries,
                "bytes": bytes,
                "bytes_max": bytes_max,
            });
            screen.data(&format!("{json:#}\n"));
        }
        Format::Text => screen.shown_data(&format!(
            "folder:   {}\ncompiled: {}\nsize:     {} of at most {}\n",
            dir.display(),
            components(entries),
            screen::size(bytes),
            format_bytes(bytes_max)
        )),
    }
    Ok(())
}

fn clear(dir: &Path, cache: Option<&CompileCache>, format: Format, screen: &Screen) -> Result<(), CliError> {
    let CacheUsage { entries, bytes } = with(cache, dir, "clear", CompileCache::clear)?;
    match format {
        Format::Json => {
            let json = json!({
                "dir": dir.display().to_string(),
                "entries_deleted": entries,
                "bytes_deleted": bytes,
            });
            screen.data(&format!("{json:#}\n"));
        }
        Format::Text => {
            screen.note(&format!("deleted {} ({}) of `{}`", components(entries), screen::size(bytes), dir.display()));
        }
    }
    Ok(())
}

fn components(count: usize) -> String {
    match count {
        1 => "1 component".to_owned(),
        count => format!("{count} components"),
    }
}
