//! The commands of a recipe, with the places filled in that they name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{fs, io};

use lp_base::own_dir::OwnDir;
use lp_wit::NODE_WORLD;

use super::super::screen::{Failure, Task, exit_code};
use super::languages;
use super::recipe::{Recipe, Step};
use super::shell::{Shell, quoted};

/// What the mark in the folder of a build says that it is for.
const WORK_PURPOSE: &str = "the build of a component";

/// What the words in braces of a recipe stand for.
pub(super) struct Places {
    source: PathBuf,
    component: PathBuf,
    tools: PathBuf,
    /// A folder beside the component, for all that the build makes on the way.
    pub(super) work: PathBuf,
    pub(super) bindings: PathBuf,
    /// The core module, of which this program makes the component.
    pub(super) core: PathBuf,
    /// What Cargo says of what it has made.
    pub(super) messages: PathBuf,
}

impl Places {
    pub(super) fn new(recipe: &Recipe, component: &Path, tools: PathBuf) -> Places {
        let work = component.with_extension("build");
        Places {
            source: recipe.source.clone(),
            component: component.to_owned(),
            tools,
            bindings: work.join("bindings"),
            core: work.join("core.wasm"),
            messages: work.join("messages.json"),
            work,
        }
    }

    /// Makes the folder of the build, empty. One that the user has by that name stays, and the build fails.
    pub(super) fn begin(&self) -> Result<(), Failure> {
        // What was left here by a build from other inputs could be taken for a part of this one.
        OwnDir::create_anew(&self.work, WORK_PURPOSE).map(drop).map_err(|error| {
            let message = format!("failed to build in `{}`: {error}", self.work.display());
            match error.kind() {
                ErrorKind::AlreadyExists => Failure::new(exit_code::WRONG_PROGRAM, message),
                _ => Failure::new(exit_code::NOT_LAUNCHED, message),
            }
        })
    }

    /// Writes what the steps read: the WIT, if they do, and the SDK.
    pub(super) fn prepare(&self, recipe: &Recipe, wit: Option<&str>) -> io::Result<()> {
        fs::create_dir_all(self.work.join("wit"))?;
        fs::create_dir_all(&self.bindings)?;
        fs::create_dir_all(self.work.join("sdk"))?;
        if let Some(wit) = wit {
            fs::write(self.work.join("wit/node.wit"), wit)?;
        }
        for (path, contents) in languages::find(&recipe.sdk).map(|sdk| sdk.files("sdk")).unwrap_or_default() {
            let path = self.work.join("sdk").join(path);
            fs::create_dir_all(path.parent().expect("a file is in a folder"))?;
            fs::write(path, contents)?;
        }
        Ok(())
    }

    /// What a command has said, with the names that the user knows the files of the source by: some languages compile a
    /// copy of it in `{sdk}`, and componentize-py calls the first folder that it is given `/0`.
    fn in_source(&self, said: &[u8], dir: &Path) -> String {
        let shown = |path: &Path| path.strip_prefix(dir).unwrap_or(path).display().to_string();
        let copy = self.work.join("sdk");
        let copies = [copy.display().to_string(), shown(&copy), "/0".to_owned()];
        let source = shown(&self.source);
        copies.iter().fold(String::from_utf8_lossy(said).into_owned(), |said, copy| {
            let copy = format!("{copy}/");
            let mut parts = said.split(&copy);
            let mut text = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let name = part.split(|end: char| end.is_whitespace() || "\"'(:".contains(end)).next();
                let is_of_source = name.is_some_and(|name| !name.is_empty() && self.source.join(name).is_file());
                text.push_str(&if is_of_source { format!("{source}/") } else { copy.clone() });
                text.push_str(part);
            }
            text
        })
    }

    fn fill(&self, word: &str) -> String {
        let places = [
            ("{source}", self.source.display().to_string()),
            ("{component}", self.component.display().to_string()),
            ("{tools}", self.tools.display().to_string()),
            ("{work}", self.work.display().to_string()),
            ("{wit}", self.work.join("wit").display().to_string()),
            ("{sdk}", self.work.join("sdk").display().to_string()),
            ("{bindings}", self.bindings.display().to_string()),
            ("{core}", self.core.display().to_string()),
            ("{messages}", self.messages.display().to_string()),
            ("{world}", NODE_WORLD.to_owned()),
        ];
        places.iter().fold(word.to_owned(), |word, (name, place)| word.replace(name, place))
    }
}

/// Runs one command. What it prints is shown if it fails, and nothing else of the build then.
pub(super) fn run(step: &Step, places: &Places, what: &str, shell: &Shell<'_>, task: &Task) -> Result<(), Failure> {
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
    shell.run(&line, what, exit_code::WRONG_PROGRAM, task).map_err(|failure| match failure {
        Failure::Other { code, error, hint, output } => {
            Failure::Other { code, error, hint, output: places.in_source(&output, shell.dir()).into_bytes() }
        }
        failure => failure,
    })
}

/// The files that `DIR/*.EXTENSION` stands for, in the order of their names, or the word itself.
fn words(word: &str) -> Result<Vec<String>, Failure> {
    let Some((dir, extension)) = word.split_once("/*.") else { return Ok(vec![word.to_owned()]) };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_meant = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    let mut files: Vec<_> = entries.filter(is_meant).map(|path| path.display().to_string()).collect();
    files.sort();
    if files.is_empty() {
        return Err(Failure::new(exit_code::WRONG_PROGRAM, format!("`{dir}` has no file `*.{extension}`")));
    }
    Ok(files)
}
