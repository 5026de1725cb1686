//! What a build reports while it runs.

use std::fmt;
use std::time::Duration;

use lp_run::worker::Compiling;
use lp_runtime::CacheError;

/// Shows what a build does. Several threads call it, since builds run at once.
pub trait Observer: Sync {
    /// Some work has begun. It has ended when the returned task is dropped, whether it went well or not.
    fn begun(&self, work: &Work) -> Box<dyn Task>;
    /// Something that the user should know.
    fn note(&self, note: Note<'_>);
    /// A component is compiled, after the builds.
    fn compiling(&self, compiling: &Compiling);
}

/// Work that goes on.
pub trait Task {
    /// A command that is part of the work has just printed this.
    fn printed(&self, output: &[u8]);
}

/// Work that takes a while. Its text names it in errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// The component of these nodes is built.
    Build {
        /// The nodes that have the same build.
        nodes: Vec<String>,
        /// The line that builds them, or the title of the language.
        by: String,
    },
    /// Packages are installed, once for all programs of the user.
    Install {
        /// The packages, with their versions.
        packages: Vec<String>,
        /// The name of the language that needs them.
        language: String,
        /// The same as people call it.
        title: String,
    },
    /// Another build installs these packages, which is waited for.
    AwaitInstall {
        /// The packages, with their versions.
        packages: Vec<String>,
    },
    /// rustup adds a target to Rust.
    AddTarget {
        /// The target, such as `wasm32-wasip2`.
        target: String,
        /// The line that adds it.
        line: String,
    },
    /// The components are compiled for this machine.
    Compile,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build { nodes, .. } => {
                let nodes: Vec<_> = nodes.iter().map(|node| format!("`{node}`")).collect();
                write!(f, "the build of {}", nodes.join(", "))
            }
            Self::Install { packages, .. } | Self::AwaitInstall { packages } => {
                write!(f, "the installation of {}", packages.join(", "))
            }
            Self::AddTarget { line, .. } => write!(f, "`{line}`"),
            Self::Compile => f.write_str("the compilation"),
        }
    }
}

/// Something that the user should know of a build that goes on.
#[derive(Debug)]
pub enum Note<'a> {
    /// A component was built.
    Built {
        /// The nodes that have it.
        nodes: &'a [String],
        /// How long that took.
        elapsed: Duration,
    },
    /// A file with the interface of handles was stale, and has been written anew.
    HandlesWritten {
        /// The file, as the user would write it in the program file.
        file: String,
        /// The interface that it is derived from.
        interface: &'a str,
    },
    /// A file with the interface of handles is stale, and has more in it, so that it is left as it is.
    HandlesStale {
        /// The file, as the user would write it in the program file.
        file: String,
        /// The interface that it is derived from.
        interface: &'a str,
    },
    /// The compile cache can't be used, so that components are compiled at every start.
    NoCache(CacheError),
}
