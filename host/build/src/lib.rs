//! Builds the components of a program's nodes: by lines of the shell's, or by the recipes of the languages that nodes
//! can be written in.
//!
//! [`build()`] builds them once, in a [`Shell`] that says where and in what [`Environment`]; [`watch`] builds them again
//! while the program runs. Nothing here prints, exits or reads the environment: an [`Observer`] learns what a build
//! does, and a [`BuildError`] says why it failed.
//!
//! Modules in reading order:
//!
//! * `nodes`: from the nodes of a program to their components
//! * `jobs`: the builds that this takes, several at once
//! * `source`: a component by a recipe, unless it is there already
//! * `recipe`: what a `build.toml` says, over what `languages` has for its language
//! * `tools` and `toolchain`: what a language needs on this machine
//! * `steps` and `places`: the commands of a recipe, and the words in braces that they name files by
//! * `encode`, `go`, `js`, `python`, `bindings` and `artifact`: what happens to a component before and after those
//! * `compile`: the compile cache
//! * `shell`, `environment`, `observe`, `error` and `paths`: what all of them stand on

mod artifact;
mod bindings;
mod compile;
mod encode;
mod environment;
mod error;
mod go;
mod jobs;
mod js;
mod languages;
mod nodes;
mod observe;
mod paths;
mod places;
mod python;
mod recipe;
mod shell;
mod source;
mod steps;
mod toolchain;
mod tools;
pub mod watch;

pub use artifact::ArtifactError;
pub use bindings::BindingsError;
pub use encode::EncodeError;
pub use environment::Environment;
pub use error::{BuildError, Cause};
pub use languages::{LANGUAGES, Language};
pub use nodes::{Compile, build, wit_folders};
pub use observe::{Note, Observer, Task, Work};
pub use paths::shown;
pub use recipe::{Need, RecipeError};
pub use shell::{Shell, ShellError};
pub use tools::{Readiness, install, readiness};
