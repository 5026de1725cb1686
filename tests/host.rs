//! The binary under test and the guests that it runs, each built once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use lp_host::plan::LaunchType;

/// The `lp-host` binary.
pub const BINARY: &str = env!("CARGO_BIN_EXE_lp-host-under-test");

/// The launch types that need nothing but this machine, which every program runs under in the same way.
pub const LAUNCH_TYPES: &[LaunchType] = &[LaunchType::Threads, LaunchType::Processes];

/// All of them. The hosts of `remote` are those of [`crate::remote::shared`].
pub const ALL_LAUNCH_TYPES: &[LaunchType] = &[LaunchType::Threads, LaunchType::Processes, LaunchType::Remote];

/// A command of a program that runs under `launch_type`, with hosts if it takes some.
pub fn launched(mut command: Command, launch_type: LaunchType) -> Command {
    command.args(["--launch-type", &launch_type.to_string()]);
    match launch_type {
        LaunchType::Remote => crate::remote::shared().launcher(command),
        LaunchType::Threads | LaunchType::Processes => command,
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a folder of the repository")
}

/// The directory with the components of `tests/guests`, which are built if that has not been done.
pub fn guests() -> &'static Path {
    static GUESTS: OnceLock<PathBuf> = OnceLock::new();
    GUESTS.get_or_init(|| build(&["probe", "probe-plain", "values", "hostile", "hostile-async", "wasi-checks"]))
}

/// Builds guests of this repository, all at once, and returns the directory with their components.
pub fn build(packages: &[&str]) -> PathBuf {
    add_target();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--target", "wasm32-wasip2"]);
    cargo.args(packages.iter().flat_map(|package| ["-p", package]));
    // The components are below the workspace, wherever the tests themselves were built.
    let output = cargo.current_dir(root()).env_remove("CARGO_TARGET_DIR").output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    root().join("target/wasm32-wasip2/release")
}

/// Has rustup add the target of the guests, if that has not been done.
fn add_target() {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", "wasm32-wasip2"]).current_dir(root());
    let library = rustc.output().expect("rustc runs").stdout;
    if !Path::new(String::from_utf8_lossy(&library).trim()).is_dir() {
        let added = Command::new("rustup").args(["target", "add", "wasm32-wasip2"]).current_dir(root()).status();
        assert!(added.is_ok_and(|status| status.success()), "the tests need the target wasm32-wasip2 of Rust");
    }
}
