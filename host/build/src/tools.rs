//! What languages need on this machine: programs that must be there, and packages and targets that are installed.
//!
//! Packages are installed once per version, into a folder that all programs of the user share.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lp_base::own_dir::OwnDir;

use crate::error::BuildError;
use crate::languages::Language;
use crate::observe::Work;
use crate::recipe::{Need, Recipe};
use crate::shell::{Shell, lock_file, quoted};
use crate::toolchain::{self, Target};

/// Written last, so that an installation that was cut off is begun anew.
const READY: &str = "ready";

/// What the mark in the folder of an installation says that it is for.
const PURPOSE: &str = "the tools of a language";

/// Whether nodes in a language can be built on this machine.
#[derive(Clone, Debug)]
pub enum Readiness {
    /// Nothing is missing.
    Ready,
    /// The first build installs what is missing.
    Installable,
    /// A program is missing that builds don't install.
    Missing(Need),
}

/// Whether nodes in `language` can be built in this shell.
pub fn readiness(language: &Language, shell: &Shell<'_>) -> Readiness {
    let recipe = Recipe::of_language(language);
    match missing(&recipe, shell) {
        Some(need) => Readiness::Missing(need.clone()),
        None if is_complete(&recipe, shell) => Readiness::Ready,
        None => Readiness::Installable,
    }
}

/// Installs the packages and targets that `language` needs and this machine lacks.
///
/// # Errors
///
/// If a program is missing that can't be installed, there is no folder for the packages, or an installation fails or is
/// stopped.
pub fn install(language: &Language, shell: &Shell<'_>) -> Result<(), BuildError> {
    let recipe = Recipe::of_language(language);
    packages(&recipe, shell)?;
    recipe.targets().iter().try_for_each(|target| add_target(target, shell))
}

/// Whether nothing has to be installed for a recipe any more.
fn is_complete(recipe: &Recipe, shell: &Shell<'_>) -> bool {
    let has_packages = match names(recipe).is_empty() {
        true => true,
        false => folder(recipe, shell).is_some_and(|dir| dir.join(READY).exists()),
    };
    has_packages && !recipe.targets().iter().any(|target| toolchain::is_missing(target, shell))
}

/// The first program that a recipe needs and that is missing.
fn missing<'r>(recipe: &'r Recipe, shell: &Shell<'_>) -> Option<&'r Need> {
    recipe.needs.iter().find(|need| shell.answer(&need.check).is_none())
}

/// Adds a target to Rust if the compiler lacks it.
pub(crate) fn add_target(target: &Target, shell: &Shell<'_>) -> Result<(), BuildError> {
    if !toolchain::is_missing(target, shell) {
        return Ok(());
    }
    if shell.answer("command -v rustup").is_none() {
        return Err(BuildError::NoRustup { target: target.name.clone() });
    }
    let line = toolchain::add_line(target);
    let work = Work::AddTarget { target: target.name.clone(), line: line.clone() };
    let task = shell.observer().begun(&work);
    Ok(shell.run(&line, &work, &*task)?)
}

/// Sees to it that the packages of a recipe are there, and returns their folder. Of several builds at once, one installs
/// and the others wait for it.
pub(crate) fn packages(recipe: &Recipe, shell: &Shell<'_>) -> Result<PathBuf, BuildError> {
    if let Some(dir) = folder(recipe, shell).filter(|dir| dir.join(READY).exists()) {
        return Ok(dir);
    }
    if let Some(need) = missing(recipe, shell) {
        return Err(BuildError::Missing { title: recipe.title.clone(), need: need.clone() });
    }
    if names(recipe).is_empty() {
        return Ok(PathBuf::new());
    }
    let dir = folder(recipe, shell).ok_or(BuildError::NoToolsDir)?;
    let failed = |source: std::io::Error| BuildError::Tools { dir: dir.clone(), source };
    let parent = dir.parent().expect("it was joined to one");
    // Whoever could write here could run programs as this user.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
    let lock = lock_file(&dir.with_added_extension("lock")).map_err(failed)?;
    if lock.try_lock().is_err() {
        let work = Work::AwaitInstall { packages: names(recipe) };
        let _task = shell.observer().begun(&work);
        shell.lock(&lock, &work)?;
    }
    if dir.join(READY).exists() {
        return Ok(dir);
    }
    let (language, title) = (recipe.language.clone(), recipe.title.clone());
    let work = Work::Install { packages: names(recipe), language, title };
    let task = shell.observer().begun(&work);
    // An installation that was cut off makes way; a folder of the user's by that name does not.
    OwnDir::create_anew(&dir, PURPOSE).map_err(failed)?;
    if !recipe.npm_overrides.is_empty() {
        let package = serde_json::json!({ "overrides": recipe.npm_overrides });
        fs::write(dir.join("package.json"), package.to_string()).map_err(failed)?;
    }
    shell.run(&command(recipe, &dir), &work, &*task)?;
    fs::write(dir.join(READY), "").map_err(failed)?;
    Ok(dir)
}

/// The packages of a recipe, with their versions.
fn names(recipe: &Recipe) -> Vec<String> {
    recipe.pypi.iter().chain(&recipe.npm).cloned().collect()
}

/// The folder with the packages of a recipe; `None` if it needs none, or there is no place for them.
fn folder(recipe: &Recipe, shell: &Shell<'_>) -> Option<PathBuf> {
    let packages = names(recipe);
    let registry = if recipe.npm.is_empty() { "pypi" } else { "npm" };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let name: String = packages.iter().fold(registry.to_owned(), |name, package| format!("{name}-{package}"));
    let name = name.replace("==", "-").chars().map(|c| if is_plain(c) { c } else { '-' }).collect::<String>();
    let dir = shell.environment().tools_dir.as_ref()?;
    (!packages.is_empty()).then(|| dir.join(name))
}

/// The line that installs the packages into `dir`.
fn command(recipe: &Recipe, dir: &Path) -> String {
    let dir = quoted(&dir.display().to_string());
    let words = |packages: &[String]| packages.iter().map(|package| quoted(package)).collect::<Vec<_>>().join(" ");
    let mut lines = Vec::new();
    if !recipe.pypi.is_empty() {
        lines.push(format!("python3 -m venv {dir}"));
        lines.push(format!(
            "{dir}/bin/python -m pip install --quiet --disable-pip-version-check {}",
            words(&recipe.pypi)
        ));
    }
    if !recipe.npm.is_empty() {
        // By itself, npm would try for two minutes to reach a network that is not there.
        lines.push(format!(
            "npm install --prefix {dir} --loglevel error --no-audit --no-fund --no-update-notifier \
             --fetch-retry-mintimeout 5000 --fetch-retry-maxtimeout 5000 {}",
            words(&recipe.npm)
        ));
    }
    lines.join(" && ")
}
