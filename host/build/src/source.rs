//! Components by recipe: what goes into one, whether that has changed, and the steps that make it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lp_program::program::Program;
use lp_wit::Folder;
use sha2::{Digest, Sha256};

use crate::error::BuildError;
use crate::languages::Language;
use crate::observe::{Note, Work};
use crate::paths::shown;
use crate::places::Places;
use crate::recipe::{Bindings, Recipe};
use crate::shell::{Shell, lock_file};
use crate::{artifact, bindings, encode, go, js, python, steps, tools};

/// What every node may ask the host, whatever its language.
const IMPORTS: [&str; 3] =
    ["lp:node/program@0.1.0", "wasi:config/store@0.2.0-rc.1", "wasi:logging/logging@0.1.0-draft"];

/// The most files that a node's source may have: more are probably not its source.
const FILES_MAX: usize = 10_000;

/// Folders that no source is in, but what tools made of it.
pub(crate) const LEFT_OUT: [&str; 5] = ["__pycache__", "build", "dist", "node_modules", "target"];

/// The source of a node and all that its build goes by.
pub(crate) struct Source {
    pub(crate) recipe: Recipe,
    /// The WIT that the node's toolchain sees, if it does not read the user's own.
    wit: Option<Folder>,
    /// Where the language's packages are.
    tools: PathBuf,
}

impl Source {
    /// Reads the recipe at `path`, relative to the program's directory, and the WIT that it names.
    pub(crate) fn read(program: &Program, path: &str, shell: &Shell<'_>) -> Result<Source, BuildError> {
        let recipe = Recipe::read(&program.dir, Path::new(path))?;
        let wit = match recipe.reads_wit() {
            true => {
                refresh_handles(&recipe.wit, program, shell)?;
                let imports: Vec<_> = IMPORTS.into_iter().chain(recipe.imports.iter().map(String::as_str)).collect();
                let world = recipe.world.as_deref();
                let folder = Folder::read_node(&recipe.wit, world, &imports, recipe.style());
                Some(folder.map_err(|error| BuildError::Wit { path: path.to_owned(), error })?)
            }
            false => None,
        };
        Ok(Source { recipe, wit, tools: PathBuf::new() })
    }

    /// Installs what the build needs and this machine does not have.
    pub(crate) fn install(&mut self, shell: &Shell<'_>) -> Result<(), BuildError> {
        self.tools = tools::packages(&self.recipe, shell)?;
        Ok(())
    }

    /// Builds `component` for these nodes, unless it was built from the same before.
    pub(crate) fn build(&mut self, component: &Path, nodes: &[String], shell: &Shell<'_>) -> Result<(), BuildError> {
        let work = Work::Build { nodes: nodes.to_vec(), by: self.recipe.title.clone() };
        let places = Places::new(&self.recipe, component, self.tools.clone());
        // Of two builds at once, the second finds what the first has made.
        let lock = component.with_extension("lock");
        let parent = component.parent().unwrap_or(Path::new(""));
        let lock = fs::create_dir_all(parent).and_then(|()| lock_file(&lock)).map_err(not_prepared(parent))?;
        shell.lock(&lock, &work)?;
        let wit = self.wit.as_ref().map(Folder::text);
        let inputs = match self.recipe.cargo {
            true => None,
            false => Some(digest(&self.recipe, wit.as_deref()).map_err(not_prepared(&self.recipe.source))?),
        };
        let seal = places.work.join("inputs");
        if inputs.as_ref().is_some_and(|inputs| sealed(&seal, inputs, component)) {
            return Ok(());
        }
        let started = Instant::now();
        let task = shell.observer().begun(&work);
        places.begin()?;
        places.prepare(&self.recipe, wit.as_deref()).map_err(not_prepared(&places.work))?;
        match (self.recipe.bindings, &mut self.wit) {
            (Some(Bindings::C), Some(wit)) => encode::write_c_bindings(wit, self.recipe.style(), &places.bindings)?,
            (Some(Bindings::Go), Some(wit)) => go::write_bindings(wit, &self.recipe.source, &places)?,
            (Some(Bindings::Js), Some(wit)) => js::write_bindings(wit, &places.work.join("sdk/lp"))?,
            (Some(Bindings::Python), Some(wit)) => {
                let written =
                    places.write_place(shell.dir()).and_then(|()| python::write_types(wit, &places.work.join("sdk")));
                written.map_err(not_prepared(&places.work))?;
            }
            _ => {}
        }
        for step in &self.recipe.steps {
            steps::run(step, &places, &work, shell, &*task)?;
        }
        if let (Some(Bindings::Go), Some(wit)) = (self.recipe.bindings, &self.wit) {
            go::embed_types(wit, &places.core)?;
        }
        if self.recipe.core_module {
            encode::write_component(&places.core, &self.recipe.title, component)?;
        }
        if let Some(changes) = self.recipe.changes() {
            bindings::rewrite(component, changes)?;
        }
        if self.recipe.cargo {
            artifact::copy(&places.messages, &self.recipe.source, component)?;
        }
        if let (Some(inputs), Ok(output)) = (inputs, fs::read(component)) {
            fs::write(&seal, format!("{inputs}\n{}\n", hex(&Sha256::digest(output)))).map_err(not_prepared(&seal))?;
        }
        drop(task);
        shell.observer().note(Note::Built { nodes, elapsed: started.elapsed() });
        Ok(())
    }
}

/// Writes the interfaces of handles anew that are kept as files and are stale.
fn refresh_handles(wit: &Path, program: &Program, shell: &Shell<'_>) -> Result<(), BuildError> {
    // The build reports what is wrong with the WIT when it reads that.
    for kept in Folder::kept_handles(wit).unwrap_or_default().iter().filter(|kept| kept.is_stale()) {
        let (file, interface) = (shown(program, &kept.file), kept.interface.as_str());
        if !kept.is_alone() {
            shell.observer().note(Note::HandlesStale { file, interface });
            continue;
        }
        fs::write(&kept.file, &kept.text).map_err(not_prepared(&kept.file))?;
        shell.observer().note(Note::HandlesWritten { file, interface });
    }
    Ok(())
}

fn not_prepared(path: &Path) -> impl Fn(std::io::Error) -> BuildError {
    move |source| BuildError::NotPrepared { path: path.to_owned(), source }
}

/// Whether the component is the one that was built from these inputs.
fn sealed(seal: &Path, inputs: &str, component: &Path) -> bool {
    let Ok(seal) = fs::read_to_string(seal) else { return false };
    let Ok(output) = fs::read(component) else { return false };
    seal == format!("{inputs}\n{}\n", hex(&Sha256::digest(output)))
}

/// A digest of all that a component is made from: its source, its WIT, its recipe, the SDK and this program.
fn digest(recipe: &Recipe, wit: Option<&str>) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    let mut add = |name: &str, bytes: &[u8]| {
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name);
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    add("version", env!("CARGO_PKG_VERSION").as_bytes());
    add("recipe", &serde_json::to_vec(recipe).expect("a recipe has text for keys"));
    add("wit", wit.unwrap_or_default().as_bytes());
    if let Some(language) = Language::find(&recipe.sdk) {
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
    for stamp in stamps(&recipe.source)? {
        add(&stamp, &[]);
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

/// The files of the packages that a source brings along, with their sizes and times: they are many, and who changes one by hand
/// changes these.
fn stamps(source: &Path) -> std::io::Result<Vec<String>> {
    let (mut dirs, mut stamps) = (vec![source.join("node_modules")], Vec::new());
    dirs.retain(|dir| dir.is_dir());
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            match metadata.is_dir() {
                true => dirs.push(entry.path()),
                false => {
                    let (path, len) = (entry.path(), metadata.len());
                    stamps.push(format!("{} {len} {:?}", path.display(), metadata.modified()?));
                }
            }
        }
    }
    stamps.sort();
    Ok(stamps)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
