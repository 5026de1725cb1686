//! The packages that recipes need, installed once per version into a folder that all programs of the user share.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lp_base::own_dir::OwnDir;

use super::super::screen::{Failure, Screen, exit_code};
use super::recipe::{Need, Recipe};
use super::shell::{Shell, lock_file, quoted};

/// Written last, so that an installation that was cut off is begun anew.
const READY: &str = "ready";

/// What the mark in the folder of an installation says that it is for.
const PURPOSE: &str = "the tools of a language";

/// Where tools are kept: `$LP_HOST_TOOLS`, or `lp-host/tools` in the user's cache directory.
fn tools_dir() -> Option<PathBuf> {
    let dir = |name, below: &str| {
        std::env::var_os(name).filter(|dir| !dir.is_empty()).map(|dir| PathBuf::from(dir).join(below))
    };
    dir("LP_HOST_TOOLS", "")
        .or_else(|| dir("XDG_CACHE_HOME", "lp-host/tools"))
        .or_else(|| dir("HOME", ".cache/lp-host/tools"))
}

/// The folder with the packages of a recipe; `None` if it needs none, or there is no place for them.
fn folder(recipe: &Recipe) -> Option<PathBuf> {
    let packages: Vec<_> = recipe.pypi.iter().chain(&recipe.npm).collect();
    let registry = if recipe.npm.is_empty() { "pypi" } else { "npm" };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let name: String = packages.iter().fold(registry.to_owned(), |name, package| format!("{name}-{package}"));
    let name = name.replace("==", "-").chars().map(|c| if is_plain(c) { c } else { '-' }).collect::<String>();
    (!packages.is_empty()).then(|| tools_dir().map(|dir| dir.join(name)))?
}

/// Whether nothing has to be installed for a recipe any more.
pub(in crate::cli) fn are_ready(recipe: &Recipe) -> bool {
    (recipe.pypi.is_empty() && recipe.npm.is_empty()) || folder(recipe).is_some_and(|dir| dir.join(READY).exists())
}

/// The first program that a recipe needs and that is missing.
pub(in crate::cli) fn missing<'r>(recipe: &'r Recipe, shell: &Shell<'_>) -> Option<&'r Need> {
    recipe.needs.iter().find(|need| shell.answer(&need.check).is_none())
}

/// Sees to it that the packages of a recipe are there, and returns their folder. Of several builds at once, one installs
/// and the others wait for it.
pub(in crate::cli) fn install(recipe: &Recipe, shell: &Shell<'_>, screen: &Screen) -> Result<PathBuf, Failure> {
    if let Some(dir) = folder(recipe).filter(|dir| dir.join(READY).exists()) {
        return Ok(dir);
    }
    if let Some(need) = missing(recipe, shell) {
        let message = format!("{} needs {}, which is not there", recipe.title, need.name);
        return Err(Failure::new(exit_code::NOT_LAUNCHED, message).hint(need.mend.clone()));
    }
    if recipe.pypi.is_empty() && recipe.npm.is_empty() {
        return Ok(PathBuf::new());
    }
    let Some(dir) = folder(recipe) else {
        let failure = Failure::new(exit_code::NOT_LAUNCHED, "there is no folder to install tools into");
        return Err(failure.hint("set HOME, or name a folder by LP_HOST_TOOLS"));
    };
    let failed = |error: std::io::Error| {
        Failure::new(exit_code::NOT_LAUNCHED, format!("failed to install tools into `{}`: {error}", dir.display()))
    };
    let parent = dir.parent().expect("it was joined to one");
    // Whoever could write here could run programs as this user.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
    let lock = lock_file(&dir.with_added_extension("lock")).map_err(failed)?;
    let what = format!("the installation of {}", packages(recipe));
    if lock.try_lock().is_err() {
        let _task = screen.task(&format!("waiting for another build, which installs {}", packages(recipe)));
        shell.lock(&lock, &what)?;
    }
    if dir.join(READY).exists() {
        return Ok(dir);
    }
    let task = screen.task(&format!("installing {} for {}, once", packages(recipe), recipe.title));
    // An installation that was cut off makes way; a folder of the user's by that name does not.
    OwnDir::create_anew(&dir, PURPOSE).map_err(failed)?;
    if !recipe.npm_overrides.is_empty() {
        let package = serde_json::json!({ "overrides": recipe.npm_overrides });
        fs::write(dir.join("package.json"), package.to_string()).map_err(failed)?;
    }
    shell.run(&command(recipe, &dir), &what, exit_code::NOT_LAUNCHED, &task).map_err(|failure| {
        failure.hint(format!("it needs the network; `lp-host doctor --install {}` tries again", recipe.language))
    })?;
    fs::write(dir.join(READY), "").map_err(failed)?;
    Ok(dir)
}

fn packages(recipe: &Recipe) -> String {
    recipe.pypi.iter().chain(&recipe.npm).cloned().collect::<Vec<_>>().join(", ")
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
