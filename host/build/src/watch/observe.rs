//! What a watch reports.

use std::io;

use lp_run::worker::WorkerError;

use super::files::FilesError;
use crate::error::BuildError;

/// Shows what a watch does, beside the builds that it runs.
pub trait Observer: crate::Observer {
    /// Something that the user should know.
    fn event(&self, event: Event<'_>);
}

/// Something that happened to a program that is watched.
#[derive(Debug)]
pub enum Event<'a> {
    /// A build failed, or the program can't be read or linked. The watch goes on.
    Failed(BuildError),
    /// The program can't run yet, so that a change is waited for.
    Waiting,
    /// The program file has changed, which is not read again.
    ProgramChanged {
        /// The file, as the user knows it.
        file: String,
    },
    /// A file changes with every build, so that it is not watched any more.
    Unwatched {
        /// The file, as the user knows it.
        file: String,
    },
    /// Not all that a program is built from can be watched.
    NotWatched(FilesError),
    /// A build made the component that runs.
    Unchanged {
        /// The node.
        node: &'a str,
    },
    /// A component can't be copied into the directory of the run.
    NotCopied(io::Error),
    /// A component can't be compiled.
    NotCompiled(WorkerError),
    /// A node goes on as it was, though its source has changed.
    Kept {
        /// The node.
        node: &'a str,
        /// What kept it from being replaced, which the event before this one is about.
        obstacle: Obstacle,
    },
}

/// What keeps a node from being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its build failed.
    Build,
    /// Its component does not fit the program.
    Fit,
    /// Its component can't be copied.
    Copy,
    /// Its component can't be compiled.
    Compile,
}
