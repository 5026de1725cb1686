//! The environment of builds, as values that the caller fills in.

use std::io;
use std::path::PathBuf;

use lp_run::supervise::Signal;
use tokio::sync::mpsc;

/// Facts about the process that builds run in, and about its user.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The folder that tools are installed into, which all programs of the user share; `None` if there is no place for it.
    pub tools_dir: Option<PathBuf>,
    /// The folder of compiled components; `None` if they are not kept.
    pub cache_dir: Option<PathBuf>,
    /// How many bytes of compiled components are kept.
    pub cache_bytes_max: u64,
    /// Whether Cargo is asked for colours, which it would leave out by itself: it prints to a pipe.
    pub cargo_coloured: bool,
    /// Whether Cargo runs this process. Then `RUSTUP_TOOLCHAIN` names the toolchain that built it, which is not for builds.
    pub under_cargo: bool,
    /// Begins to receive the signals that stop a build, for as long as what it returns is there. It is called on a tokio
    /// runtime, once for each [`Shell`](crate::Shell).
    pub signals: fn() -> io::Result<mpsc::UnboundedReceiver<Signal>>,
}
