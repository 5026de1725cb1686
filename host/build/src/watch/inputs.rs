//! What the nodes of a program are made of: which of them a changed file concerns, and where to look for changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lp_base::words::Access;
use lp_program::program::Program;

use super::cargo::Packages;
use super::real;
use crate::error::BuildError;
use crate::recipe::{Recipe, is_build_file};
use crate::shell::Shell;

/// The files and folders that matter for a program.
pub(super) struct Inputs {
    builds: Vec<Build>,
    /// The component files, with the nodes that run them.
    components: BTreeMap<PathBuf, Vec<String>>,
    /// The folder of the program.
    dir: PathBuf,
    /// The program file, which is not read again.
    pub(super) program_file: PathBuf,
    /// Where the nodes themselves or their builds write.
    pub(super) left_out: BTreeSet<PathBuf>,
}

/// A build and what it reads.
struct Build {
    nodes: Vec<String>,
    /// All that is below them.
    folders: Vec<PathBuf>,
    /// The folders of a `build.toml`, which no other build reads.
    is_recipe: bool,
    packages: Option<Packages>,
}

impl Inputs {
    /// Those of `program`, which was read from `program_file` and writes to `log_dir`.
    pub(super) fn new(
        program: &Program,
        program_file: &Path,
        log_dir: Option<&Path>,
        shell: &Shell<'_>,
    ) -> Result<Inputs, BuildError> {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut components: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for node in program.nodes.iter().filter(|node| node.replay.is_none()) {
            components.entry(real(&node.component)).or_default().push(node.name.clone());
            if let Some(line) = &node.build {
                lines.entry(line).or_default().push(node.name.clone());
            }
        }
        let dir = real(&program.dir);
        let mut builds = Vec::new();
        for (line, nodes) in lines {
            builds.push(match is_build_file(line) {
                true => {
                    let recipe = Recipe::read(&program.dir, Path::new(line))?;
                    let packages = Packages::in_folder(&recipe.source, shell);
                    let folders = vec![real(&recipe.source), real(&recipe.wit)];
                    Build { nodes, packages, folders, is_recipe: true }
                }
                // A line of the shell's may read anything.
                false => {
                    let packages = Packages::of_line(line, shell);
                    Build { nodes, packages, folders: vec![dir.clone()], is_recipe: false }
                }
            });
        }
        let made = components.keys().flat_map(|component| ["build", "lock"].map(|end| component.with_extension(end)));
        let sandboxes = || program.nodes.iter().map(|node| &node.sandbox);
        let dirs = sandboxes().flat_map(|sandbox| &sandbox.dirs).filter(|dir| dir.access == Access::ReadWrite);
        let files = sandboxes().flat_map(|sandbox| &sandbox.files).filter(|file| file.access == Access::ReadWrite);
        let written = dirs.map(|dir| real(&dir.host)).chain(files.map(|file| real(&file.host)));
        // A node that may write where its source is would leave nothing to be watched.
        let written = written.chain(log_dir.map(real)).filter(|path| !dir.starts_with(path));
        let left_out = made.chain(written).collect();
        Ok(Inputs { builds, components, program_file: real(program_file), left_out, dir })
    }

    /// The folders to look for changes in, with all that is below them.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        let packages = self.builds.iter().filter_map(|build| build.packages.as_ref()).flat_map(|found| &found.built);
        self.builds.iter().flat_map(|build| &build.folders).chain(packages).cloned().collect()
    }

    /// The files that matter beside them.
    pub(super) fn files(&self) -> BTreeSet<PathBuf> {
        let roots = self.builds.iter().filter_map(|build| build.packages.as_ref()).map(|found| &found.root);
        let workspaces = roots.flat_map(|root| WORKSPACE_FILES.map(|file| root.join(file)));
        self.components.keys().cloned().chain([self.program_file.clone()]).chain(workspaces).collect()
    }

    /// Whether what a build reads may be another now.
    pub(super) fn depend_on(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == "Cargo.toml" || name == "build.toml")
    }

    /// The builds that a change of `path` concerns, by their places.
    pub(super) fn builds_of(&self, path: &Path) -> Vec<usize> {
        if *path == self.program_file || self.components.contains_key(path) {
            return Vec::new();
        }
        let recipes = || self.builds.iter().filter(|build| build.is_recipe);
        let of_recipe = recipes().any(|build| build.folders.first().is_some_and(|source| path.starts_with(source)));
        let reads = |build: &Build| match &build.packages {
            _ if of_recipe && !build.is_recipe => false,
            Some(packages) => {
                match packages.all.iter().filter(|dir| path.starts_with(dir)).max_by_key(|dir| dir.as_os_str().len()) {
                    Some(package) => packages.built.contains(package),
                    None => build.holds(path) || WORKSPACE_FILES.iter().any(|file| packages.root.join(file) == path),
                }
            }
            None => build.holds(path),
        };
        (0..).zip(&self.builds).filter(|(_, build)| reads(build)).map(|(place, _)| place).collect()
    }

    /// The nodes that run what is at `path`.
    pub(super) fn runs(&self, path: &Path) -> &[String] {
        self.components.get(path).map(Vec::as_slice).unwrap_or_default()
    }

    /// The nodes of a build.
    pub(super) fn nodes(&self, build: usize) -> &[String] {
        &self.builds[build].nodes
    }

    /// A path as the user knows it.
    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.dir).unwrap_or(path).display().to_string()
    }
}

impl Build {
    fn holds(&self, path: &Path) -> bool {
        self.folders.iter().any(|folder| path.starts_with(folder))
    }
}

/// The files of a Cargo workspace that concern each of its packages.
const WORKSPACE_FILES: [&str; 3] = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];
