//! `lp-host build`: builds the nodes of a program by their lines or recipes, and sees to it that they have components.

mod artifact;
mod bytes;
mod encode;
mod go;
mod jobs;
mod js;
pub(super) mod languages;
pub(super) mod recipe;
pub(super) mod shell;
pub(super) mod source;
mod steps;
pub(super) mod toolchain;
pub(super) mod tools;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lp_program::program::{Node, Program};
use shell::Shell;

use super::screen::{Failure, Screen, exit_code};
use super::{ProgramArgs, compile};

/// The name of the files that say how a node's source becomes a component.
const BUILD_FILE: &str = "build.toml";

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

/// Whether the components are compiled once they are built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Compile {
    /// So that the next run starts at once.
    Yes,
    /// Whoever runs them does so.
    No,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, Failure> {
    let program = args.program.load()?;
    build(&program, &args.nodes, if args.no_compile { Compile::No } else { Compile::Yes }, screen)?;
    Ok(0)
}

/// Builds the nodes of these names, or all of them if there are none.
pub(super) fn build(program: &Program, names: &[String], then: Compile, screen: &Screen) -> Result<(), Failure> {
    let shell = Shell::new(&program.dir, screen).map_err(|error| Failure::new(exit_code::NOT_LAUNCHED, error))?;
    build_in(&shell, program, names, then, screen)
}

/// The same by a shell in the directory of the program.
pub(super) fn build_in(
    shell: &Shell<'_>,
    program: &Program,
    names: &[String],
    then: Compile,
    screen: &Screen,
) -> Result<(), Failure> {
    let nodes = selected(program, names)?;
    let jobs = jobs::jobs(program, &nodes, screen)?;
    jobs::run(jobs, shell, screen)?;
    nodes.iter().try_for_each(|node| verify(program, node))?;
    match then {
        Compile::Yes => compile::fill_cache(program, &nodes, shell, screen),
        Compile::No => Ok(()),
    }
}

fn selected<'a>(program: &'a Program, names: &[String]) -> Result<Vec<&'a Node>, Failure> {
    let unknown = names.iter().find(|name| !program.nodes.iter().any(|node| node.name == **name));
    if let Some(unknown) = unknown {
        let known: Vec<_> = program.nodes.iter().map(|node| format!("`{}`", node.name)).collect();
        let failure = Failure::new(exit_code::WRONG_USAGE, format!("no node is named `{unknown}`"));
        return Err(failure.hint(format!("the nodes of `{}` are {}", program.name, known.join(", "))));
    }
    Ok(program.nodes.iter().filter(|node| names.is_empty() || names.contains(&node.name)).collect())
}

/// The folders of WIT that the builds of a program's nodes read.
pub(super) fn wit_folders(program: &Program) -> BTreeSet<PathBuf> {
    let lines = program.nodes.iter().filter_map(|node| node.build.as_deref()).filter(|line| is_build_file(line));
    let recipes = lines.filter_map(|line| recipe::Recipe::read(&program.dir, Path::new(line)).ok());
    let folders = recipes.filter(recipe::Recipe::reads_wit).filter_map(|recipe| recipe.wit.canonicalize().ok());
    folders.collect()
}

/// The folders that a node is built from by its `build.toml`, the source and the WIT; `None` for a line of the shell's,
/// which may read anything.
pub(super) fn source_folders(program: &Program, line: &str) -> Result<Option<[PathBuf; 2]>, Failure> {
    if !is_build_file(line) {
        return Ok(None);
    }
    let recipe = source::recipe(&program.dir, line)?;
    Ok(Some([recipe.source, recipe.wit]))
}

/// Whether a node's `build` names a `build.toml` instead of being a line of the shell's.
fn is_build_file(line: &str) -> bool {
    line == BUILD_FILE || (line.ends_with(&format!("/{BUILD_FILE}")) && !line.contains(char::is_whitespace))
}

/// Fails if the component of a node is not there.
fn verify(program: &Program, node: &Node) -> Result<(), Failure> {
    if node.component.is_file() {
        return Ok(());
    }
    let (name, shown) = (&node.name, shown(program, &node.component));
    let Some(line) = &node.build else {
        let failure = Failure::new(
            exit_code::WRONG_PROGRAM,
            format!("`{shown}`, the component of `{name}`, does not exist, and `{name}` has no `build` line"),
        );
        return Err(failure.hint("correct the path, or give the node a `build` line"));
    };
    let failure = Failure::new(
        exit_code::WRONG_PROGRAM,
        format!("the build of `{name}` ended well, but did not write `{shown}`: {line}"),
    );
    Err(match similar(&node.component) {
        Some(found) => {
            failure.hint(format!("it may have written this: component = \"{}\"", self::shown(program, &found)))
        }
        None => failure.hint("let `component` name the file that the line writes"),
    })
}

/// A path as the user would write it in the program file.
pub(super) fn shown(program: &Program, path: &Path) -> String {
    let Ok(dir) = program.dir.canonicalize() else { return path.display().to_string() };
    let mut base = dir.as_path();
    let mut up = PathBuf::new();
    // A component may lie above, in the target directory of a workspace.
    for _ in 0..4 {
        let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
        let below = parent.as_ref().and_then(|parent| parent.strip_prefix(base).ok());
        if let (Some(below), Some(name)) = (below, path.file_name()) {
            return up.join(below).join(name).display().to_string();
        }
        let Some(above) = base.parent() else { break };
        base = above;
        up.push("..");
    }
    path.strip_prefix(&program.dir).unwrap_or(path).display().to_string()
}

/// A file that was probably meant by a path where there is none: Cargo writes `my_node.wasm` for a library and
/// `my-node.wasm` for a binary, to `release` or to `debug`.
fn similar(path: &Path) -> Option<PathBuf> {
    let wanted = path.file_name()?.to_str()?.replace('-', "_");
    let dir = path.parent()?;
    let dirs = [dir.to_path_buf(), dir.with_file_name("release"), dir.with_file_name("debug")];
    dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten().map(|entry| entry.path()).find(
        |path| {
            path.is_file() && path.file_name().is_some_and(|name| name.to_string_lossy().replace('-', "_") == wanted)
        },
    )
}
