//! `build.toml`: how a node's source becomes a component. What a node's own file leaves out, its language's says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lp_wit::Style;
use serde::{Deserialize, Serialize};

use super::languages::{self, LANGUAGES};

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
pub(in crate::cli) struct RecipeFile {
    /// The language, by its folder of `guest-sdk`.
    language: Option<String>,
    /// The language as people call it.
    title: Option<String>,
    /// The world that the node implements; may be left out if the WIT has one only.
    world: Option<String>,
    /// The folder of WIT, relative to the file: `../../wit` if left out.
    wit: Option<String>,
    /// How calls wait: `async`, `future` or `sync`.
    style: Option<StyleName>,
    /// Interfaces of the host that the language's SDK needs, beside those that every node has.
    imports: Option<Vec<String>>,
    /// Programs that must be there.
    needs: Option<Vec<Need>>,
    /// Packages of PyPI, with their versions, that are installed into a virtual environment, the folder `{tools}`.
    pypi: Option<Vec<String>>,
    /// Packages of npm, with their versions, that are installed into the folder `{tools}`.
    npm: Option<Vec<String>>,
    /// The language whose folder `sdk` of `guest-sdk` is `{sdk}`, if it is another one.
    sdk: Option<String>,
    /// Bindings that are generated into the folder `{bindings}`: `c`, or none.
    bindings: Option<Bindings>,
    /// Whether the steps write a core module, `{core}`, of which a component is made, or the component itself.
    #[serde(default)]
    core_module: Option<bool>,
    /// The commands that build, one after the other.
    steps: Option<Vec<Step>>,
}

/// A program that a language needs beside its packages.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Need {
    /// A line of the shell's that fails if it is missing.
    pub(in crate::cli) check: String,
    /// What it is.
    pub(in crate::cli) name: String,
    /// How it is had: a command, or a place to get it from.
    pub(in crate::cli) mend: String,
}

/// A command of a recipe.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// The program and its arguments. A word with `*` stands for the files that it matches, of which there must be one.
    pub(super) run: Vec<String>,
    /// The file that its output goes to, if it is what the step makes.
    pub(super) stdout: Option<String>,
    /// Variables for the program.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// A file of the source without which the step is left out, such as `tsconfig.json`.
    pub(super) when: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum StyleName {
    Async,
    Future,
    Sync,
}

/// Bindings that this program writes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Bindings {
    /// By wit-bindgen, for C and what can use its headers.
    C,
}

/// A recipe with everything said.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Recipe {
    /// The name of the language.
    pub(in crate::cli) language: String,
    /// The language as people call it.
    pub(in crate::cli) title: String,
    /// The folder of the source.
    #[serde(skip)]
    pub(super) source: PathBuf,
    #[serde(skip)]
    pub(super) wit: PathBuf,
    pub(super) world: Option<String>,
    pub(super) imports: Vec<String>,
    style: StyleName,
    pub(in crate::cli) needs: Vec<Need>,
    pub(in crate::cli) pypi: Vec<String>,
    pub(in crate::cli) npm: Vec<String>,
    pub(super) sdk: String,
    pub(super) bindings: Option<Bindings>,
    pub(super) core_module: bool,
    pub(super) steps: Vec<Step>,
}

/// Why a `build.toml` can't be followed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum RecipeError {
    #[error("failed to read `{}`: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` is larger than a `build.toml` may be", .path.display())]
    TooLarge { path: PathBuf },
    #[error("`{}` is not a build file: {reason}", .path.display())]
    Invalid { path: PathBuf, reason: String },
    #[error("`{}` names no language that there is a recipe for", .path.display())]
    Language { path: PathBuf },
}

impl Recipe {
    /// The recipe of a language alone.
    pub(in crate::cli) fn of_language(language: &languages::Language) -> Recipe {
        let file = toml::from_str(language.recipe()).expect("the recipes of the SDK are tested");
        complete(language.name.to_owned(), RecipeFile::default(), file, PathBuf::new())
    }

    /// Reads the `build.toml` at `path`, relative to `dir`; messages name it by `path`.
    pub(super) fn read(dir: &Path, path: &Path) -> Result<Recipe, RecipeError> {
        let read = |source| RecipeError::Read { path: path.to_owned(), source };
        if std::fs::metadata(dir.join(path)).map_err(read)?.len() > FILE_BYTES_MAX {
            return Err(RecipeError::TooLarge { path: path.to_owned() });
        }
        let text = std::fs::read_to_string(dir.join(path)).map_err(read)?;
        let own: RecipeFile = toml::from_str(&text).map_err(|error| RecipeError::Invalid {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
        let language = own.language.as_deref().and_then(languages::find);
        let language = language.ok_or_else(|| RecipeError::Language { path: path.to_owned() })?;
        let file = toml::from_str(language.recipe()).expect("the recipes of the SDK are tested");
        let path = dir.join(path);
        let source = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(complete(language.name.to_owned(), own, file, source))
    }

    /// How calls wait in the node.
    pub(super) fn style(&self) -> Style {
        match self.style {
            StyleName::Async => Style::Async,
            StyleName::Future => Style::Future,
            StyleName::Sync => Style::Sync,
        }
    }
}

/// The languages, as a hint.
pub(in crate::cli) fn language_names() -> String {
    LANGUAGES.iter().map(|language| format!("`{}`", language.name)).collect::<Vec<_>>().join(", ")
}

fn complete(language: String, own: RecipeFile, of_language: RecipeFile, source: PathBuf) -> Recipe {
    Recipe {
        title: own.title.or(of_language.title).unwrap_or_else(|| language.clone()),
        sdk: own.sdk.or(of_language.sdk).unwrap_or_else(|| language.clone()),
        language,
        wit: source.join(own.wit.or(of_language.wit).as_deref().unwrap_or("../../wit")),
        source,
        world: own.world.or(of_language.world),
        style: own.style.or(of_language.style).unwrap_or(StyleName::Async),
        imports: own.imports.or(of_language.imports).unwrap_or_default(),
        needs: own.needs.or(of_language.needs).unwrap_or_default(),
        pypi: own.pypi.or(of_language.pypi).unwrap_or_default(),
        npm: own.npm.or(of_language.npm).unwrap_or_default(),
        bindings: own.bindings.or(of_language.bindings),
        core_module: own.core_module.or(of_language.core_module).unwrap_or_default(),
        steps: own.steps.or(of_language.steps).unwrap_or_default(),
    }
}
