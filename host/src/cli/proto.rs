//! `lp-host proto`: the .proto files with which any gRPC client calls a node.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lp_component::component::{Component, ReadError};
use lp_component::proto::{EMPTY_PATH, print, schema};
use lp_program::program::Linked;

use super::screen::{CliError, Screen, exit_code};

/// Prints the .proto files of a component, or of every component of a program
///
/// Each courier interface is a typed gRPC service; `protoc` and every other protobuf compiler take the files unchanged.
/// There is a file for each interface, in a folder for its package.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A component file, or a program file (`….toml`)
    file: PathBuf,
    /// Write the files to folders of this directory instead of printing them
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Why there is nothing to print, or why it can't be written.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("`{}` {reason}", path.display())]
    Read { path: PathBuf, reason: ReadError },
    #[error("`{}` exports no interface that others can call", .0.display())]
    NoInterface(PathBuf),
    #[error("`{}` could not be written", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let wrong = |error: Box<dyn std::error::Error + Send + Sync>| CliError::new(exit_code::WRONG_PROGRAM, error);
    let components = components(&args.file)?;
    let interfaces: Vec<_> = components.iter().flat_map(|component| &component.couriers).collect();
    if interfaces.is_empty() {
        return Err(wrong(Error::NoInterface(args.file.clone()).into()));
    }
    let set = schema(interfaces).map_err(|error| wrong(error.into()))?;
    // Every protobuf compiler brings this one along.
    let files: Vec<_> = set.file.iter().filter(|file| file.name() != EMPTY_PATH).collect();
    let Some(dir) = &args.out else {
        let texts: Vec<_> = files.iter().map(|file| format!("// file: {}\n{}", file.name(), print(file))).collect();
        screen.shown_data(&texts.join("\n"));
        return Ok(0);
    };
    for file in &files {
        write(&dir.join(file.name()), &print(file)).map_err(|error| CliError::new(exit_code::NOT_WRITTEN, error))?;
    }
    let names: Vec<_> = files.iter().map(|file| format!("`{}`", dir.join(file.name()).display())).collect();
    screen.note(&format!("wrote {}", names.join(", ")));
    Ok(0)
}

/// The component at `path`, or those of the program at `path`, each once.
fn components(path: &Path) -> Result<Vec<Arc<Component>>, CliError> {
    if path.extension().is_some_and(|extension| extension == "toml") {
        return Ok(Linked::load(path, &[])?.components);
    }
    let component = Component::read(path).map_err(|reason| {
        let error = Error::Read { path: path.to_owned(), reason };
        CliError::new(exit_code::WRONG_PROGRAM, error)
    })?;
    Ok(vec![Arc::new(component)])
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let wrong = |source| Error::Write { path: path.to_owned(), source };
    let dir = path.parent().expect("the path of a file of a schema has a file name");
    std::fs::create_dir_all(dir).map_err(wrong)?;
    std::fs::write(path, text).map_err(wrong)
}
