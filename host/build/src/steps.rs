//! The commands of a recipe, with the places filled in that they name.

use std::fs;
use std::path::PathBuf;

use crate::error::BuildError;
use crate::observe::{Task, Work};
use crate::places::Places;
use crate::recipe::Step;
use crate::shell::{Shell, ShellError, quoted};

/// Runs one command. What it prints is shown if it fails, and nothing else of the build then.
pub(crate) fn run(
    step: &Step,
    places: &Places,
    work: &Work,
    shell: &Shell<'_>,
    task: &dyn Task,
) -> Result<(), BuildError> {
    if step.when.as_ref().is_some_and(|file| !places.source.join(file).exists()) {
        return Ok(());
    }
    let mut line = String::new();
    for (name, value) in &step.env {
        line.push_str(&format!("{name}={} ", quoted(&places.fill(value))));
    }
    for word in &step.run {
        for word in words(&places.fill(word))? {
            line.push_str(&quoted(&word));
            line.push(' ');
        }
    }
    if let Some(file) = &step.stdout {
        line.push_str(&format!("> {}", quoted(&places.fill(file))));
    }
    shell.run(&line, work, task).map_err(|error| match error {
        ShellError::Failed { work, status, output } => {
            ShellError::Failed { work, status, output: places.in_source(&output, shell.dir()).into_bytes() }
        }
        error => error,
    })?;
    Ok(())
}

/// The files that `DIR/*.EXTENSION` stands for, in the order of their names, or the word itself.
fn words(word: &str) -> Result<Vec<String>, BuildError> {
    let Some((dir, extension)) = word.split_once("/*.") else { return Ok(vec![word.to_owned()]) };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_meant = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    let mut files: Vec<_> = entries.filter(is_meant).map(|path| path.display().to_string()).collect();
    files.sort();
    if files.is_empty() {
        return Err(BuildError::NoFiles { dir: dir.to_owned(), extension: extension.to_owned() });
    }
    Ok(files)
}
