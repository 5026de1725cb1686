//! Components by recipe: what goes into one, whether that has changed, and the steps that make it.

use std::fs;
use std::path::{Path, PathBuf};

use lp_wit::Folder;
use sha2::{Digest, Sha256};

use super::super::screen::{Failure, Screen, exit_code};
use super::recipe::{Recipe, RecipeError, language_names};
use super::shell::Shell;
use super::steps::{self, Places};
use super::{encode, languages, tools};

/// What every node may ask the host, whatever its language.
const IMPORTS: [&str; 3] =
    ["lp:node/program@0.1.0", "wasi:config/store@0.2.0-rc.1", "wasi:logging/logging@0.1.0-draft"];

/// The most files that a node's source may have: more are probably not its source.
const FILES_MAX: usize = 10_000;

/// Folders that no source is in, but what tools made of it.
pub(in crate::cli) const LEFT_OUT: [&str; 5] = ["__pycache__", "build", "dist", "node_modules", "target"];

/// Reads the recipe at `path`, relative to the program's directory.
pub(super) fn recipe(dir: &Path, path: &str) -> Result<Recipe, Failure> {
    Recipe::read(dir, Path::new(path)).map_err(|error| {
        let hint = match &error {
            RecipeError::Language { .. } => Some(format!("the languages are {}", language_names())),
            _ => None,
        };
        let failure = wrong(error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// Builds `component` by a recipe, unless it was built from the same before. `what` names it in messages.
pub(super) fn build(
    recipe: &Recipe,
    component: &Path,
    what: &str,
    shell: &Shell<'_>,
    screen: &Screen,
) -> Result<(), Failure> {
    let imports: Vec<_> = IMPORTS.into_iter().chain(recipe.imports.iter().map(String::as_str)).collect();
    let mut wit = Folder::read_node(&recipe.wit, recipe.world.as_deref(), &imports, recipe.style()).map_err(wrong)?;
    let tools = tools::install(recipe, shell, screen)?;
    let places = Places::new(recipe, component, tools);
    // Of two builds at once, the second finds what the first has made.
    let lock = component.with_extension("lock");
    let parent = component.parent().unwrap_or(Path::new(""));
    let lock = fs::create_dir_all(parent).and_then(|()| fs::File::create(lock)).map_err(not_written)?;
    lock.lock().map_err(not_written)?;
    let inputs = digest(recipe, &wit.text()).map_err(not_written)?;
    let seal = places.work.join("inputs");
    if sealed(&seal, &inputs, component) {
        return Ok(());
    }
    screen.note(&format!("building {}: {}", what.trim_start_matches("the build of "), recipe.title));
    let _ = fs::remove_dir_all(&places.work);
    places.prepare(recipe, &wit.text()).map_err(not_written)?;
    if recipe.bindings.is_some() {
        encode::write_c_bindings(&mut wit, recipe.style(), &places.bindings).map_err(wrong)?;
    }
    let started = std::time::Instant::now();
    for step in &recipe.steps {
        steps::run(step, &places, what, shell)?;
    }
    if recipe.core_module {
        encode::write_component(&places.core, component).map_err(wrong)?;
    }
    let Ok(output) = fs::read(component) else { return Ok(()) };
    fs::write(&seal, format!("{inputs}\n{}\n", hex(&Sha256::digest(output)))).map_err(not_written)?;
    screen.note(&format!(
        "built {} in {:.1} s",
        what.trim_start_matches("the build of "),
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn wrong(error: impl Into<Box<dyn std::error::Error>>) -> Failure {
    Failure::new(exit_code::WRONG_PROGRAM, error)
}

fn not_written(error: std::io::Error) -> Failure {
    Failure::new(exit_code::NOT_LAUNCHED, format!("failed to prepare the build: {error}"))
}

/// Whether the component is the one that was built from these inputs.
fn sealed(seal: &Path, inputs: &str, component: &Path) -> bool {
    let Ok(seal) = fs::read_to_string(seal) else { return false };
    let Ok(output) = fs::read(component) else { return false };
    seal == format!("{inputs}\n{}\n", hex(&Sha256::digest(output)))
}

/// A digest of all that a component is made from: its source, its WIT, its recipe, the SDK and this program.
fn digest(recipe: &Recipe, wit: &str) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    let mut add = |name: &str, bytes: &[u8]| {
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name);
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    add("version", env!("CARGO_PKG_VERSION").as_bytes());
    add("recipe", &serde_json::to_vec(recipe).expect("a recipe has text for keys"));
    add("wit", wit.as_bytes());
    if let Some(language) = languages::find(&recipe.sdk) {
        for (path, contents) in language.files("sdk") {
            add(&path.display().to_string(), contents);
        }
    }
    let mut files = Vec::new();
    list(&recipe.source, &mut files)?;
    files.sort();
    for file in files {
        add(&file.display().to_string(), &fs::read(&file)?);
    }
    Ok(hex(&digest.finalize()))
}

/// The files of a source, without those that tools made.
fn list(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || LEFT_OUT.contains(&&*name) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
        if files.len() > FILES_MAX {
            return Err(std::io::Error::other(format!("`{}` has more than {FILES_MAX} files", dir.display())));
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
