//! What Cargo builds a node from: the local packages of a build line, as Cargo itself tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::real;
use crate::shell::{Shell, quoted};

/// The packages that a line of Cargo's asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    /// The folder that the line changes to first.
    dir: Option<String>,
    manifest: Option<String>,
    /// By their names; none stands for those that Cargo builds by itself.
    packages: Vec<String>,
}

/// The local packages around a line.
#[derive(Debug)]
pub(super) struct Packages {
    /// The folder of the workspace.
    pub(super) root: PathBuf,
    /// The folders of those that the line builds, and of what they depend on.
    pub(super) built: BTreeSet<PathBuf>,
    /// The folders of all.
    pub(super) all: BTreeSet<PathBuf>,
}

/// What is made use of in the answer of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    #[serde(default)]
    workspace_default_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    /// The folder of a local one.
    path: Option<PathBuf>,
}

impl Packages {
    /// The packages that `line` builds; `None` if it does not begin with Cargo, or Cargo does not answer.
    pub(super) fn of_line(line: &str, shell: &Shell<'_>) -> Option<Packages> {
        let asked = asked(line)?;
        let mut command = asked.dir.map(|dir| format!("cd {} && ", quoted(&dir))).unwrap_or_default();
        // What it depends on of others has no source that is edited, and need not be downloaded for this.
        command.push_str("cargo metadata --no-deps --format-version 1");
        if let Some(manifest) = asked.manifest {
            command.push_str(&format!(" --manifest-path {}", quoted(&manifest)));
        }
        Metadata::ask(&command, shell)?.packages(|package, defaults| match asked.packages.is_empty() {
            true => defaults.contains(&package.id),
            false => asked.packages.contains(&package.name),
        })
    }

    /// The package in `dir`; `None` if there is none.
    pub(super) fn in_folder(dir: &Path, shell: &Shell<'_>) -> Option<Packages> {
        let manifest = dir.join("Cargo.toml");
        if !manifest.is_file() {
            return None;
        }
        let manifest = quoted(&manifest.display().to_string());
        let command = format!("cargo metadata --no-deps --format-version 1 --manifest-path {manifest}");
        Metadata::ask(&command, shell)?.packages(|package, _| real(package.dir()) == real(dir))
    }
}

impl Metadata {
    fn ask(command: &str, shell: &Shell<'_>) -> Option<Metadata> {
        serde_json::from_str(&shell.answer(command)?).ok()
    }

    fn packages(&self, is_built: impl Fn(&Package, &[String]) -> bool) -> Option<Packages> {
        let known: BTreeMap<_, _> = self.packages.iter().map(|package| (real(package.dir()), package)).collect();
        let is_built = |package: &Package| is_built(package, &self.workspace_default_members);
        let mut found: Vec<_> =
            known.iter().filter(|(_, package)| is_built(package)).map(|(dir, _)| dir.clone()).collect();
        let mut built = BTreeSet::new();
        while let Some(dir) = found.pop() {
            let dependencies = known.get(&dir).map(|package| package.dependencies.as_slice()).unwrap_or_default();
            if built.insert(dir) {
                found.extend(dependencies.iter().filter_map(|dependency| Some(real(dependency.path.as_deref()?))));
            }
        }
        let all = known.into_keys().chain(built.iter().cloned()).collect();
        (!built.is_empty()).then(|| Packages { root: real(&self.workspace_root), built, all })
    }
}

impl Package {
    fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

/// What a line asks of Cargo, if that is the first that it runs.
fn asked(line: &str) -> Option<Asked> {
    let line = line.replace(';', " ; ");
    let mut words = line.split(|c: char| c.is_whitespace() || c == '=').filter(|word| !word.is_empty());
    let mut asked = Asked::default();
    let mut first = words.next()?;
    if first == "cd" {
        asked.dir = words.next().map(plain);
        first = words.find(|word| !["&&", ";"].contains(word))?;
    }
    if first.rsplit('/').next() != Some("cargo") {
        return None;
    }
    let mut words = words.take_while(|word| !["&&", "||", ";", "|"].contains(word));
    while let Some(word) = words.next() {
        match word {
            "-p" | "--package" => asked.packages.extend(words.next().map(plain)),
            "--manifest-path" => asked.manifest = words.next().map(plain),
            _ => {}
        }
    }
    Some(asked)
}

/// A word without its quotes.
fn plain(word: &str) -> String {
    word.trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, &str, &str)>) {
        let found = asked(line)
            .map(|asked| (asked.dir.unwrap_or_default(), asked.manifest.unwrap_or_default(), asked.packages.join(" ")));
        let expected = expected.map(|(dir, manifest, packages)| (dir.into(), manifest.into(), packages.into()));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn a_line_of_cargo_names_its_packages() {
        check("cargo build --release --target wasm32-wasip2 -p producer", Some(("", "", "producer")));
        check("~/.cargo/bin/cargo +nightly b --package=a -p 'b'; cp a b -p c", Some(("", "", "a b")));
        check("cargo build --manifest-path guests/a/Cargo.toml && cp x y", Some(("", "guests/a/Cargo.toml", "")));
        check("cd guests && cargo build", Some(("guests", "", "")));
        check("cd guests; cargo build -p a", Some(("guests", "", "a")));
        check("make -p cargo", None);
        check("cd", None);
    }
}
