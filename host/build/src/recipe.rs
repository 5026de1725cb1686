//! `build.toml`: how a node's source becomes a component. What a node's own file leaves out, its language's says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lp_wit::Style;
use serde::{Deserialize, Serialize};

use crate::bindings::{Changes, Numbers};
use crate::languages::Language;
use crate::toolchain::{self, Target};

/// The name of the files that say how a node's source becomes a component.
const BUILD_FILE: &str = "build.toml";

/// The largest `build.toml`.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What a `build.toml` may say, all of it optional in a node's own.
///
/// ```toml
/// language = "python"
/// world = "counter-node"
/// wit = "../../wit"
/// ```
#[derive(Debug, Default, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RecipeFile {
    /// The language, by its folder of `guest-sdk`.
    language: Option<String>,
    /// The engine, where a language has another one than its usual.
    engine: Option<String>,
    /// The engines, and what is different with each.
    #[serde(default)]
    engines: BTreeMap<String, RecipeFile>,
    /// The language as people call it.
    title: Option<String>,
    /// The world that the node implements; may be left out if the WIT has one only.
    world: Option<String>,
    /// The folder of WIT, relative to the file: `../../wit` if left out.
    wit: Option<String>,
    /// How calls wait: `async`, `future` or `sync`.
    style: Option<StyleName>,
    /// The styles that can't be had, and why.
    refused_styles: Option<BTreeMap<StyleName, String>>,
    /// Interfaces of the host that the language's SDK needs, beside those that every node has.
    imports: Option<Vec<String>>,
    /// Programs that must be there.
    needs: Option<Vec<Need>>,
    /// Packages of PyPI, with their versions, that are installed into a virtual environment, the folder `{tools}`: those of the
    /// language, and these, which may have another version of one.
    pypi: Option<Vec<String>>,
    /// Packages of npm, with their versions, that are installed into the folder `{tools}`.
    npm: Option<Vec<String>>,
    /// What npm installs in place of packages that those depend on, as in `overrides` of a `package.json`.
    npm_overrides: Option<BTreeMap<String, toml::Value>>,
    /// Packages of PyPI, with their versions, whose components never free the lists of bytes that they pass: the build has
    /// them do so.
    leaks_bytes: Option<Vec<String>>,
    /// What the bindings of the component pass numbers as, which the SDK knows.
    numbers: Option<Numbers>,
    /// The language whose folder `sdk` of `guest-sdk` is `{sdk}`, if it is another one.
    sdk: Option<String>,
    /// Bindings that are generated into the folder `{bindings}`, `c` or `go`, or into `{sdk}`, `js` and `python`, or none.
    bindings: Option<Bindings>,
    /// Whether the steps write a core module, `{core}`, of which a component is made, or the component itself.
    core_module: Option<bool>,
    /// Whether the steps run Cargo, which writes its messages as JSON to `{messages}`, knows by itself what has changed,
    /// and leaves the component in a folder of its own.
    cargo: Option<bool>,
    /// The commands that build, one after the other.
    steps: Option<Vec<Step>>,
}

impl RecipeFile {
    /// This file, with what it leaves out as its engine says, or else its language. Fails if there is no such engine.
    fn over_language(self, mut language: RecipeFile) -> Result<RecipeFile, String> {
        let Some(name) = &self.engine else { return Ok(self.with_packages_of(&language).over(language)) };
        let Some(engine) = language.engines.remove(name) else {
            let known: Vec<_> = language.engines.keys().map(|known| format!("`{known}`")).collect();
            return Err(match known.is_empty() {
                true => "the language has no engines to choose from".to_owned(),
                false => format!("there is no engine `{name}`, but {} beside the usual one", known.join(", ")),
            });
        };
        let engine = engine.over(language);
        Ok(self.with_packages_of(&engine).over(engine))
    }

    /// This file with the packages of its language, or its engine, of which it names no other version.
    fn with_packages_of(self, language: &RecipeFile) -> RecipeFile {
        let pypi = with_packages(self.pypi, language.pypi.as_deref());
        let npm = with_packages(self.npm, language.npm.as_deref());
        RecipeFile { pypi, npm, ..self }
    }

    /// This file, with what it leaves out as `other` says.
    fn over(self, other: RecipeFile) -> RecipeFile {
        RecipeFile {
            language: self.language.or(other.language),
            engine: self.engine.or(other.engine),
            engines: other.engines,
            title: self.title.or(other.title),
            world: self.world.or(other.world),
            wit: self.wit.or(other.wit),
            style: self.style.or(other.style),
            refused_styles: self.refused_styles.or(other.refused_styles),
            imports: self.imports.or(other.imports),
            needs: self.needs.or(other.needs),
            pypi: self.pypi.or(other.pypi),
            npm: self.npm.or(other.npm),
            npm_overrides: self.npm_overrides.or(other.npm_overrides),
            leaks_bytes: self.leaks_bytes.or(other.leaks_bytes),
            numbers: self.numbers.or(other.numbers),
            sdk: self.sdk.or(other.sdk),
            bindings: self.bindings.or(other.bindings),
            core_module: self.core_module.or(other.core_module),
            cargo: self.cargo.or(other.cargo),
            steps: self.steps.or(other.steps),
        }
    }

    /// The first key that says something of the WIT, if there is one.
    fn first_key_of_wit(&self) -> Option<&'static str> {
        let given = [
            ("world", self.world.is_some()),
            ("wit", self.wit.is_some()),
            ("style", self.style.is_some()),
            ("imports", self.imports.is_some()),
        ];
        given.iter().find(|(_, is_given)| *is_given).map(|(key, _)| *key)
    }
}

/// A program that a language needs beside its packages.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// A line of the shell's that fails if it is missing.
    pub check: String,
    /// What it is.
    pub name: String,
    /// How it is had: a command, or a place to get it from.
    pub mend: String,
}

/// A command of a recipe.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// The program and its arguments. A word with `*` stands for the files that it matches, of which there must be one.
    pub(crate) run: Vec<String>,
    /// The file that its output goes to, if it is what the step makes.
    pub(crate) stdout: Option<String>,
    /// Variables for the program.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// A file of the source without which the step is left out, such as `tsconfig.json`.
    pub(crate) when: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum StyleName {
    Async,
    Future,
    Sync,
}

/// Bindings that this program writes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bindings {
    /// By wit-bindgen, for C and what can use its headers.
    C,
    /// By wit-bindgen, as a module of a workspace of Go modules, `{work}/go.work`. It is Go's main package, of which a core
    /// module is made.
    Go,
    /// The types, imports and exports of the world, as modules in the folder `lp` of the SDK.
    Js,
    /// The modules `lp_place`, which says where the source is, and `lp_wit`, which has what passes lists of numbers.
    Python,
}

/// A recipe with everything said.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Recipe {
    /// The name of the language.
    pub(crate) language: String,
    /// The language as people call it.
    pub(crate) title: String,
    /// The folder of the source.
    #[serde(skip)]
    pub(crate) source: PathBuf,
    #[serde(skip)]
    pub(crate) wit: PathBuf,
    pub(crate) world: Option<String>,
    pub(crate) imports: Vec<String>,
    style: StyleName,
    pub(crate) needs: Vec<Need>,
    pub(crate) pypi: Vec<String>,
    pub(crate) npm: Vec<String>,
    pub(crate) npm_overrides: BTreeMap<String, toml::Value>,
    leaks_bytes: Vec<String>,
    numbers: Numbers,
    pub(crate) sdk: String,
    pub(crate) bindings: Option<Bindings>,
    pub(crate) core_module: bool,
    pub(crate) cargo: bool,
    pub(crate) steps: Vec<Step>,
}

/// Why a `build.toml` can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file can't be read.
    #[error("failed to read `{}`", .path.display())]
    Read {
        /// The file, as the node names it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is probably something else.
    #[error("`{}` is larger than a `build.toml` may be", .path.display())]
    TooLarge {
        /// The file, as the node names it.
        path: PathBuf,
    },
    /// The file is not TOML, or a key of it is wrong.
    #[error("`{}` is not a build file: {reason}", .path.display())]
    Invalid {
        /// The file, as the node names it.
        path: PathBuf,
        /// What is wrong, with its line if it is known.
        reason: String,
    },
    /// The file names none of [`LANGUAGES`](crate::LANGUAGES).
    #[error("`{}` names no language that there is a recipe for", .path.display())]
    Language {
        /// The file, as the node names it.
        path: PathBuf,
    },
}

impl Recipe {
    /// The recipe of a language alone.
    pub(crate) fn of_language(language: &Language) -> Recipe {
        complete(language.name.to_owned(), of_language(language), PathBuf::new())
    }

    /// Reads the `build.toml` at `path`, relative to `dir`; messages name it by `path`.
    pub(crate) fn read(dir: &Path, path: &Path) -> Result<Recipe, RecipeError> {
        let read = |source| RecipeError::Read { path: path.to_owned(), source };
        let invalid = |reason| RecipeError::Invalid { path: path.to_owned(), reason };
        if std::fs::metadata(dir.join(path)).map_err(read)?.len() > FILE_BYTES_MAX {
            return Err(RecipeError::TooLarge { path: path.to_owned() });
        }
        let text = std::fs::read_to_string(dir.join(path)).map_err(read)?;
        let own: RecipeFile =
            toml::from_str(&text).map_err(|error| invalid(error.to_string().trim_end().to_owned()))?;
        let language = own.language.as_deref().and_then(Language::find);
        let language = language.ok_or_else(|| RecipeError::Language { path: path.to_owned() })?;
        let first_key_of_wit = own.first_key_of_wit();
        let file = own.over_language(of_language(language)).map_err(invalid)?;
        if let (true, Some(key)) = (file.cargo.unwrap_or_default(), first_key_of_wit) {
            return Err(invalid(format!("`{key}` is set in the crate itself, by `lp_guest::node!`")));
        }
        let refused = file.refused_styles.as_ref().zip(file.style).and_then(|(refused, style)| refused.get(&style));
        if let Some(reason) = refused {
            return Err(invalid(format!("its `style` can't be used: {reason}")));
        }
        let path = dir.join(path);
        let source = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(complete(language.name.to_owned(), file, source))
    }

    /// Whether its steps read WIT that this program prepares; Rust's crates read their own.
    pub(crate) fn reads_wit(&self) -> bool {
        !self.cargo
    }

    /// What has to change in the bindings of the components that its steps make; `None` if nothing.
    pub(crate) fn changes(&self) -> Option<Changes> {
        let frees_bytes = self.leaks_bytes.iter().any(|package| self.pypi.contains(package));
        let changes = Changes { numbers: self.numbers, frees_bytes };
        (frees_bytes || self.numbers != Numbers::Plain).then_some(changes)
    }

    /// The targets of Rust that its steps build for.
    pub(crate) fn targets(&self) -> Vec<Target> {
        self.steps.iter().flat_map(|step| toolchain::targets(&step.run.join(" "))).collect()
    }

    /// How calls wait in the node.
    pub(crate) fn style(&self) -> Style {
        match self.style {
            StyleName::Async => Style::Async,
            StyleName::Future => Style::Future,
            StyleName::Sync => Style::Sync,
        }
    }
}

/// The packages of a node, after those of its language of which it names no other version; an empty list is none at
/// all.
fn with_packages(own: Option<Vec<String>>, of_language: Option<&[String]>) -> Option<Vec<String>> {
    // A package of npm may begin with the `@` of its scope.
    let name = |package: &str| {
        let end = package.char_indices().skip(1).find(|(_, c)| "=<>~!@[; ".contains(*c));
        package[..end.map_or(package.len(), |(at, _)| at)].to_owned()
    };
    let own = own?;
    if own.is_empty() {
        return Some(own);
    }
    let is_own = |package: &&String| own.iter().any(|other| name(other) == name(package));
    let others: Vec<_> = of_language.unwrap_or_default().iter().filter(|package| !is_own(package)).cloned().collect();
    Some([others, own].concat())
}

/// Whether a node's `build` names a `build.toml` instead of being a line of the shell's.
pub(crate) fn is_build_file(line: &str) -> bool {
    line == BUILD_FILE || (line.ends_with(&format!("/{BUILD_FILE}")) && !line.contains(char::is_whitespace))
}

fn of_language(language: &Language) -> RecipeFile {
    toml::from_str(language.recipe()).expect("the recipes of the SDK are tested")
}

fn complete(language: String, file: RecipeFile, source: PathBuf) -> Recipe {
    Recipe {
        title: file.title.unwrap_or_else(|| language.clone()),
        sdk: file.sdk.unwrap_or_else(|| language.clone()),
        language,
        wit: source.join(file.wit.as_deref().unwrap_or("../../wit")),
        source,
        world: file.world,
        style: file.style.unwrap_or(StyleName::Async),
        imports: file.imports.unwrap_or_default(),
        needs: file.needs.unwrap_or_default(),
        pypi: file.pypi.unwrap_or_default(),
        npm: file.npm.unwrap_or_default(),
        npm_overrides: file.npm_overrides.unwrap_or_default(),
        leaks_bytes: file.leaks_bytes.unwrap_or_default(),
        numbers: file.numbers.unwrap_or_default(),
        bindings: file.bindings,
        core_module: file.core_module.unwrap_or_default(),
        cargo: file.cargo.unwrap_or_default(),
        steps: file.steps.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn packages_of_a_node_come_beside_those_of_its_language() {
        let check = |own: &[&str], expected: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            let language = owned(&["componentize-py==0.25.1", "@scope/tool@1.0.0"]);
            assert_eq!(super::with_packages(Some(owned(own)), Some(&language)), Some(owned(expected)));
        };
        check(&[], &[]);
        check(&["attrs"], &["componentize-py==0.25.1", "@scope/tool@1.0.0", "attrs"]);
        check(&["componentize-py==0.26"], &["@scope/tool@1.0.0", "componentize-py==0.26"]);
        check(&["@scope/tool@2", "@scope/other@1"], &["componentize-py==0.25.1", "@scope/tool@2", "@scope/other@1"]);
        assert_eq!(super::with_packages(None, None), None);
    }
}
