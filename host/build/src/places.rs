//! Where a recipe's commands read and write: the words in braces that they name files by.

use std::path::{Path, PathBuf};
use std::{fs, io};

use lp_base::own_dir::OwnDir;
use lp_wit::NODE_WORLD;

use crate::error::BuildError;
use crate::languages::Language;
use crate::recipe::Recipe;

/// What the mark in the folder of a build says that it is for.
const WORK_PURPOSE: &str = "the build of a component";

/// What the words in braces of a recipe stand for.
pub(crate) struct Places {
    pub(crate) source: PathBuf,
    component: PathBuf,
    tools: PathBuf,
    /// A folder beside the component, for all that the build makes on the way.
    pub(crate) work: PathBuf,
    pub(crate) bindings: PathBuf,
    /// The core module, of which this program makes the component.
    pub(crate) core: PathBuf,
    /// What Cargo says of what it has made.
    pub(crate) messages: PathBuf,
}

impl Places {
    pub(crate) fn new(recipe: &Recipe, component: &Path, tools: PathBuf) -> Places {
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
    pub(crate) fn begin(&self) -> Result<(), BuildError> {
        // What was left here by a build from other inputs could be taken for a part of this one.
        let made = OwnDir::create_anew(&self.work, WORK_PURPOSE);
        made.map(drop).map_err(|source| BuildError::WorkDir { path: self.work.clone(), source })
    }

    /// Writes what the steps read: the WIT, if they do, and the SDK.
    pub(crate) fn prepare(&self, recipe: &Recipe, wit: Option<&str>) -> io::Result<()> {
        fs::create_dir_all(self.work.join("wit"))?;
        fs::create_dir_all(&self.bindings)?;
        fs::create_dir_all(self.work.join("sdk"))?;
        if let Some(wit) = wit {
            fs::write(self.work.join("wit/node.wit"), wit)?;
        }
        for (path, contents) in Language::find(&recipe.sdk).map(|sdk| sdk.files("sdk")).unwrap_or_default() {
            let path = self.work.join("sdk").join(path);
            fs::create_dir_all(path.parent().expect("a file is in a folder"))?;
            fs::write(path, contents)?;
        }
        Ok(())
    }

    /// Writes `lp_place.py` beside the SDK: what the files of the source begin with for whoever is in `dir`.
    pub(crate) fn write_place(&self, dir: &Path) -> io::Result<()> {
        let place = self.source.strip_prefix(dir).unwrap_or(&self.source).join("").display().to_string();
        let place = serde_json::Value::from(if place == "/" { "" } else { &place }).to_string();
        fs::write(self.work.join("sdk/lp_place.py"), format!("PLACE = {place}\n"))
    }

    /// What a command has said, with the names that the user knows the files of the source by: some languages compile a
    /// copy of it in `{sdk}`, and componentize-py calls the first folder that it is given `/0`.
    pub(crate) fn in_source(&self, said: &[u8], dir: &Path) -> String {
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

    pub(crate) fn fill(&self, word: &str) -> String {
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
