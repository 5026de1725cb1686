//! From the nodes of a program to their components: which are built, and whether each is there afterwards.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lp_program::program::{Node, Program};

use crate::error::BuildError;
use crate::paths::{shown, similar};
use crate::recipe::{Recipe, is_build_file};
use crate::shell::Shell;
use crate::{compile, jobs};

/// Whether the components are compiled once they are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compile {
    /// Yes, so that the next run starts at once.
    Yes,
    /// No: the first run compiles them.
    No,
}

/// Builds the nodes of `program` with these names, or all of them if there are none, in a shell in its directory.
///
/// # Errors
///
/// If there is no node of such a name, a build fails or is stopped, or a component is not there afterwards. The first
/// build that fails ends the others.
pub fn build(shell: &Shell<'_>, program: &Program, names: &[String], then: Compile) -> Result<(), BuildError> {
    let nodes = selected(program, names)?;
    let jobs = jobs::jobs(program, &nodes, shell)?;
    jobs::run(jobs, shell)?;
    nodes.iter().try_for_each(|node| verify(program, node))?;
    match then {
        Compile::Yes => compile::fill_cache(program, &nodes, shell),
        Compile::No => Ok(()),
    }
}

fn selected<'a>(program: &'a Program, names: &[String]) -> Result<Vec<&'a Node>, BuildError> {
    let unknown = names.iter().find(|name| !program.nodes.iter().any(|node| node.name == **name));
    if let Some(unknown) = unknown {
        let known = program.nodes.iter().map(|node| node.name.clone()).collect();
        return Err(BuildError::UnknownNode { name: unknown.clone(), program: program.name.clone(), known });
    }
    Ok(program.nodes.iter().filter(|node| names.is_empty() || names.contains(&node.name)).collect())
}

/// The folders of WIT that the builds of a program's nodes read.
pub fn wit_folders(program: &Program) -> BTreeSet<PathBuf> {
    let lines = program.nodes.iter().filter_map(|node| node.build.as_deref()).filter(|line| is_build_file(line));
    let recipes = lines.filter_map(|line| Recipe::read(&program.dir, Path::new(line)).ok());
    let folders = recipes.filter(Recipe::reads_wit).filter_map(|recipe| recipe.wit.canonicalize().ok());
    folders.collect()
}

/// Fails if the component of a node is not there.
fn verify(program: &Program, node: &Node) -> Result<(), BuildError> {
    if node.component.is_file() || node.replay.is_some() {
        return Ok(());
    }
    let (name, component) = (node.name.clone(), shown(program, &node.component));
    Err(match &node.build {
        None => BuildError::NoBuild { node: name, component },
        Some(line) => {
            let similar = similar(&node.component).map(|found| shown(program, &found));
            BuildError::NotWritten { node: name, component, line: line.clone(), similar }
        }
    })
}
