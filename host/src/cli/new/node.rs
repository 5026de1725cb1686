//! `lp-host new --node`: a Rust node more for a program that `lp-host new` made.

use std::path::Path;

use toml::Table;

use super::super::screen::{CliError, Screen, exit_code};
use super::template::{Files, Names};
use super::{refused, shell_word};

/// The package in which the WIT of the templates is.
const PACKAGE: &str = "package app:nodes;";

/// Names that are no crate's: words of Rust, its own crates, Cargo's folders, and the crates of the SDK.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "lp-guest",
    "lp-guest-macros",
    "lp-wit",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Adds the node `name` to the program in `dir`.
pub(super) fn add(name: &str, dir: &Path, screen: &Screen) -> Result<(), CliError> {
    if TAKEN.contains(&name) {
        return Err(refused(format!("`{name}` can't be the name of a Rust crate")).hint("choose another name"));
    }
    check_workspace(dir)?;
    let program = dir.join("program.toml");
    let text = read(&program)?;
    let mut files = Files::default();
    files.add_template("template/node", &Names::new(name));
    let table = files.take("program.toml");
    let wit = format!("wit/{name}.wit");
    let interface = files.take(&wit);
    let with_table = with_table(&text, &table, name, &program)?;
    files.put(wit, interface.replacen(PACKAGE, &package(&dir.join("wit")), 1));
    if let Some(existing) = files.existing(dir) {
        return Err(refused(format!("`{}` exists", existing.display())).hint("choose another name"));
    }
    files.put("program.toml", with_table);
    files.write(dir)?;
    screen.note(&format!("added the node `{name}` to `{}`; these build and check it:", program.display()));
    let program = shell_word(&program);
    screen.text(&format!("  lp-host build {program} --node {name}\n  lp-host check {program}"));
    Ok(())
}

/// Fails if the program is not one to which a crate can be added.
fn check_workspace(dir: &Path) -> Result<(), CliError> {
    let path = dir.join("Cargo.toml");
    let manifest: Table = parse(&path, &read(&path)?)?;
    let workspace = manifest.get("workspace");
    let members = workspace.and_then(|workspace| workspace.get("members")?.as_array());
    let has_nodes = members.is_some_and(|members| members.iter().any(|member| member.as_str() == Some("nodes/*")));
    let sdk = workspace.and_then(|workspace| workspace.get("dependencies")?.get("lp-guest"));
    if has_nodes && sdk.is_some() {
        return Ok(());
    }
    let failure = refused(format!("`{}` is not the workspace of a program that `lp-host new` made", path.display()));
    Err(failure.hint("it needs `members = [\"nodes/*\"]`, and `lp-guest` in `[workspace.dependencies]`"))
}

/// The program file with the node's table at its end, where it disturbs nothing of what the user wrote.
fn with_table(text: &str, table: &str, name: &str, path: &Path) -> Result<String, CliError> {
    let program = parse(path, text)?;
    if program.get("nodes").is_some_and(|nodes| nodes.get(name).is_some()) {
        return Err(refused(format!("`{}` has a node named `{name}`", path.display())).hint("choose another name"));
    }
    let joined = format!("{}\n{table}", text.trim_end_matches('\n'));
    // A table can't be added to `nodes = { … }`, which is closed.
    if joined.parse::<Table>().is_err() {
        let failure = refused(format!("`{}` has no room for a table `[nodes.{name}]` at its end", path.display()));
        return Err(failure.hint("write the other nodes as tables `[nodes.…]`, too"));
    }
    Ok(joined)
}

/// The line with the package that the program's WIT is in: all files of a folder have the same.
fn package(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let texts = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "wit"))
        .filter_map(|path| std::fs::read_to_string(path).ok());
    let mut lines = texts.filter_map(|text| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with("package ") && line.ends_with(';'));
        line.map(str::to_owned)
    });
    lines.next().unwrap_or_else(|| PACKAGE.to_owned())
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| {
        let failure = refused(format!("failed to read `{}`: {error}", path.display()));
        failure.hint("run this in the directory of a program, or name it by `--path`")
    })
}

fn parse(path: &Path, text: &str) -> Result<Table, CliError> {
    text.parse().map_err(|error: toml::de::Error| {
        CliError::new(exit_code::WRONG_PROGRAM, format!("`{}` is not TOML: {}", path.display(), error.message()))
    })
}
