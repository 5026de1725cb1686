//! Builds that failed, as their user sees them: the exit code, and what mends it.

use lp_build::{BuildError, Cause, RecipeError, ShellError, Work};
use lp_wit::FolderError;

use super::builds::listed;
use super::language_names;
use crate::cli::screen::{CliError, exit_code};

impl From<BuildError> for CliError {
    fn from(error: BuildError) -> Self {
        let code = match error.cause() {
            Cause::Request => exit_code::WRONG_USAGE,
            Cause::Source => exit_code::WRONG_PROGRAM,
            Cause::Machine => exit_code::NOT_LAUNCHED,
            Cause::Stopped(signal) => 128 + signal.number(),
        };
        let (hint, output) = (hint(&error), output(&error));
        let failure = match error {
            BuildError::Program(problems) => CliError::Program(problems),
            error => CliError::new(code, error).output(output),
        };
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// What the command that failed has printed.
fn output(error: &BuildError) -> Vec<u8> {
    match error {
        BuildError::Shell(ShellError::Failed { output, .. }) => output.clone(),
        _ => Vec::new(),
    }
}

/// The line or command that mends it.
fn hint(error: &BuildError) -> Option<String> {
    Some(match error {
        BuildError::UnknownNode { program, known, .. } => format!("the nodes of `{program}` are {}", listed(known)),
        BuildError::Recipe(RecipeError::Language { .. }) => format!("the languages are {}", language_names()),
        BuildError::Wit { path, error: FolderError::World { .. } } => format!("set `world` in `{path}`"),
        BuildError::Missing { need, .. } => need.mend.clone(),
        BuildError::NoToolsDir => "set HOME, or name a folder by LP_HOST_TOOLS".to_owned(),
        BuildError::NoRustup { .. } => {
            "install Rust by rustup, from https://rustup.rs, or the target by your system's packages".to_owned()
        }
        BuildError::Shell(error) => match error.work() {
            Work::Install { language, .. } => {
                format!("it needs the network; `lp-host doctor --install {language}` tries again")
            }
            _ => return None,
        },
        BuildError::NoBuild { .. } => "correct the path, or give the node a `build` line".to_owned(),
        BuildError::NotWritten { similar: Some(found), .. } => {
            format!("it may have written this: component = \"{found}\"")
        }
        BuildError::NotWritten { similar: None, .. } => "let `component` name the file that the line writes".to_owned(),
        _ => return None,
    })
}
