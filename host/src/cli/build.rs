//! `lp-host build`: builds the nodes of a program by their lines or recipes, and sees to it that they have components.

mod builds;
mod failure;

pub(super) use builds::Builds;
use lp_build::{Compile, Environment, LANGUAGES, Shell};
use lp_program::program::Program;

use super::screen::{CliError, Screen, exit_code};
use super::{ProgramArgs, caches, signals};

/// Builds the components of a program
///
/// Runs the `build` line of each node by `sh -c` in the directory of the program file; a line that several nodes have in
/// common is run once. What a line prints is shown if it fails, or on a terminal. A line that builds for a target that
/// Rust lacks, such as `cargo build --target wasm32-wasip2`, has rustup add it first.
///
/// A `build` that is the path of a `build.toml` builds the source beside that, in the language that it names. It installs
/// what the language needs when that is first used, and builds only what has changed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: ProgramArgs,
    /// Build only this node; may be given several times
    #[arg(long = "node", value_name = "NODE")]
    nodes: Vec<String>,
    /// Don't compile the components for this machine; the first run does
    #[arg(long)]
    no_compile: bool,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let program = args.program.load()?;
    build(&program, &args.nodes, if args.no_compile { Compile::No } else { Compile::Yes }, screen)?;
    Ok(0)
}

/// Builds the nodes of these names, or all of them if there are none.
pub(super) fn build(program: &Program, names: &[String], then: Compile, screen: &Screen) -> Result<(), CliError> {
    let (environment, builds) = (environment(screen)?, Builds::new(screen));
    let shell = Shell::new(&program.dir, &environment, &builds);
    let shell = shell.map_err(|error| CliError::new(exit_code::NOT_LAUNCHED, error))?;
    Ok(lp_build::build(&shell, program, names, then)?)
}

/// The environment of builds, from that of this process.
pub(super) fn environment(screen: &Screen) -> Result<Environment, CliError> {
    Ok(Environment {
        tools_dir: caches::tools(),
        cache_dir: caches::compiled(),
        cache_bytes_max: caches::compiled_bytes_max()?,
        cargo_coloured: screen.stderr_coloured() && std::env::var_os("CARGO_TERM_COLOR").is_none(),
        under_cargo: std::env::var_os("CARGO").is_some(),
        signals: signals::signals,
    })
}

/// The languages, as a hint.
pub(super) fn language_names() -> String {
    LANGUAGES.iter().map(|language| format!("`{}`", language.name)).collect::<Vec<_>>().join(", ")
}
