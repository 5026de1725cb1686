//! `lp-host new`: a program to start from, or a node more for one.

mod node;
mod template;

use std::path::{Path, PathBuf};

use lp_build::Language;
use lp_program::program::{NAME_RULE, is_name};
use template::{Files, Names};

use super::build::language_names;
use super::screen::{CliError, Screen, exit_code};

/// The tests of the program that each template is.
const TESTS: &[u8] = include_bytes!("new/program.test.toml");

/// The language whose template is a workspace of crates.
const RUST: &str = "rust";

/// Makes a program of two nodes, or adds a node to one
///
/// `lp-host new demo` makes the directory `demo` with a program of two Rust nodes that runs as it is, and with the crates
/// that its nodes need; with `--lang`, the nodes are in another language. `lp-host new --node worker`, in a program of Rust
/// nodes, adds one more and its table in program.toml.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of the program or the node, such as `word-counter`
    name: String,
    /// Add a node to a program
    #[arg(long)]
    node: bool,
    /// The language of the nodes, one of those that `lp-host doctor` lists
    #[arg(long, value_name = "LANGUAGE", default_value = RUST, conflicts_with = "node")]
    lang: String,
    /// The directory of the program; by default one named as the program, or with `--node` the current one
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    if !is_name(&args.name) {
        let kind = if args.node { "node" } else { "program" };
        return Err(refused(format!("`{}` can't be the name of a {kind}", args.name)).hint(NAME_RULE));
    }
    match args.node {
        true => node::add(&args.name, args.path.as_deref().unwrap_or(Path::new("")), screen)?,
        false => make(&args.name, &args.lang, args.path.as_deref().unwrap_or(Path::new(&args.name)), screen)?,
    }
    Ok(0)
}

fn make(name: &str, lang: &str, dir: &Path, screen: &Screen) -> Result<(), CliError> {
    let is_empty = || std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    if dir.symlink_metadata().is_ok() && !is_empty() {
        let failure = refused(format!("`{}` exists and is not an empty directory", dir.display()));
        return Err(failure.hint("choose another name, or another directory by `--path`"));
    }
    let mut files = Files::default();
    match Language::find(lang) {
        Some(_) if lang == RUST => {
            files.add_template("template/program", &Names::new(name));
            files.add_sdk("sdk");
        }
        Some(language) => files.add_files(language.files("template"), &Names::new(name)),
        None => {
            let failure = refused(format!("there is no template in `{lang}`"));
            return Err(failure.hint(format!("the languages are {}", language_names())));
        }
    }
    files.add_files([(Path::new("program.test.toml"), TESTS)], &Names::new(name));
    files.write(dir)?;
    screen.note(&format!("made the program `{name}`; these build, run and test it:"));
    screen.text(&format!(
        "  cd {}\n  lp-host run --build program.toml\n  lp-host test --build program.toml",
        shell_word(dir)
    ));
    Ok(())
}

/// A failure of what was asked for; nothing was written.
fn refused(message: String) -> CliError {
    CliError::new(exit_code::WRONG_USAGE, message)
}

/// A path as a shell takes it.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    match text.chars().all(is_plain) && !text.starts_with('-') {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
