//! Why a build failed, and on whose side the cause is.

use std::io;
use std::path::PathBuf;

use lp_program::program::Problems;
use lp_run::supervise::Signal;
use lp_run::worker::WorkerError;
use lp_wit::FolderError;

use crate::artifact::ArtifactError;
use crate::bindings::BindingsError;
use crate::encode::EncodeError;
use crate::observe::Work;
use crate::recipe::{Need, RecipeError};
use crate::shell::ShellError;

/// Why the nodes of a program have no components.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The program has no node of a name that was asked for.
    #[error("no node is named `{name}`")]
    UnknownNode {
        /// The name.
        name: String,
        /// The name of the program.
        program: String,
        /// The nodes that it has.
        known: Vec<String>,
    },
    /// The program is wrong, or a component of it is.
    #[error(transparent)]
    Program(Box<Problems>),
    /// No processes can be started.
    #[error(transparent)]
    Setup(io::Error),
    /// A `build.toml` can't be followed.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The WIT that a `build.toml` names can't be read.
    #[error("`{path}`: {error}")]
    Wit {
        /// The `build.toml`, relative to the program's directory.
        path: String,
        /// What is wrong with the WIT.
        error: FolderError,
    },
    /// A program is missing that a language needs.
    #[error("{title} needs {}, which is not there", .need.name)]
    Missing {
        /// The language as people call it.
        title: String,
        /// The program.
        need: Need,
    },
    /// The environment names no folder for tools.
    #[error("there is no folder to install tools into")]
    NoToolsDir,
    /// The folder of tools can't be written.
    #[error("failed to install tools into `{}`", .dir.display())]
    Tools {
        /// The folder of these tools.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Rust lacks a target, and there is nothing to add it by.
    #[error("Rust lacks the target `{target}`, and there is no `rustup` to add it")]
    NoRustup {
        /// The target, such as `wasm32-wasip2`.
        target: String,
    },
    /// The files that a build reads or writes on its way can't be read or written.
    #[error("failed to prepare the build in `{}`", .path.display())]
    NotPrepared {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder for what a build makes on the way can't be made, or is the user's.
    #[error("failed to build in `{}`", .path.display())]
    WorkDir {
        /// The folder.
        path: PathBuf,
        /// What the system said; [`io::ErrorKind::AlreadyExists`] for a folder that is not lp-host's.
        source: io::Error,
    },
    /// A step of a recipe names files of which there is none.
    #[error("`{dir}` has no file `*.{extension}`")]
    NoFiles {
        /// Where the files should be.
        dir: String,
        /// How their names should end.
        extension: String,
    },
    /// A command failed or was ended.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// Bindings or a component could not be made.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The bindings of a component could not be rewritten.
    #[error(transparent)]
    Bindings(#[from] BindingsError),
    /// Two interfaces of a world have one name in the node's language.
    #[error("the world exports `{one}` and `{other}`, which are both `{name}` in JavaScript: rename one of them")]
    SameName {
        /// The name.
        name: String,
        /// One of them, as WIT names it.
        one: String,
        /// The other.
        other: String,
    },
    /// What JavaScript knows of a node's world can't be written.
    #[error("failed to write the bindings: {0}")]
    Js(io::Error),
    /// Cargo made no component, or none that could be copied.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A node has no build, and its component is not there.
    #[error("`{component}`, the component of `{node}`, does not exist, and `{node}` has no `build` line")]
    NoBuild {
        /// The node.
        node: String,
        /// Its component, as the user would write it in the program file.
        component: String,
    },
    /// A build went well, and its component is not there.
    #[error("the build of `{node}` ended well, but did not write `{component}`: {line}")]
    NotWritten {
        /// The node.
        node: String,
        /// Its component, as the user would write it in the program file.
        component: String,
        /// Its build.
        line: String,
        /// A component that the build may have written instead, as the user would write it.
        similar: Option<String>,
    },
    /// A component can't be compiled.
    #[error(transparent)]
    Compile(WorkerError),
}

/// On whose side the cause of a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The caller asked for a node that the program does not have.
    Request,
    /// The program file, the source of a node or its build is wrong: another try is worth it when they have changed.
    Source,
    /// This machine lacks something.
    Machine,
    /// A signal stopped the build.
    Stopped(Signal),
}

impl BuildError {
    /// On whose side the cause is.
    pub fn cause(&self) -> Cause {
        match self {
            Self::UnknownNode { .. } => Cause::Request,
            Self::WorkDir { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => Cause::Source,
            Self::Setup(_)
            | Self::WorkDir { .. }
            | Self::Missing { .. }
            | Self::NoToolsDir
            | Self::Tools { .. }
            | Self::NoRustup { .. }
            | Self::Js(_)
            | Self::NotPrepared { .. } => Cause::Machine,
            Self::Program(_)
            | Self::Recipe(_)
            | Self::Wit { .. }
            | Self::NoFiles { .. }
            | Self::Encode(_)
            | Self::Bindings(_)
            | Self::SameName { .. }
            | Self::Artifact(_)
            | Self::NoBuild { .. }
            | Self::NotWritten { .. }
            | Self::Compile(_) => Cause::Source,
            Self::Shell(error) => match error {
                ShellError::Stopped { signal, .. } => Cause::Stopped(*signal),
                ShellError::Failed { work: Work::Build { .. }, .. } | ShellError::GivenUp { .. } => Cause::Source,
                ShellError::Failed { .. } | ShellError::Start { .. } | ShellError::Lock { .. } => Cause::Machine,
            },
        }
    }
}

impl From<Problems> for BuildError {
    fn from(problems: Problems) -> Self {
        Self::Program(Box::new(problems))
    }
}
