//! The components that are compared, and the binary that runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).expect("the package is in host/benches")
}

/// The binary, beside this program.
pub fn lp_host() -> PathBuf {
    let this = std::env::current_exe().expect("the system knows this program");
    this.with_file_name("lp-host")
}

/// Builds the node in Rust, and the gate that the program has besides.
pub fn rust() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--target", "wasm32-wasip2", "-p", "gate", "-p", "meeting"]);
    let status = cargo.current_dir(root()).env_remove("CARGO_TARGET_DIR").status().expect("cargo runs");
    assert!(status.success(), "the guests in Rust do not build");
    root().join("target/wasm32-wasip2/release/meeting.wasm")
}

/// Builds the node in another language, where the tests build it too; or says what is missing for that.
pub fn other(language: &str) -> Result<PathBuf, String> {
    let dir = root().join("target/guests").join(format!("tests-meeting-{language}"));
    fs::create_dir_all(&dir).expect("target is writable");
    let recipe = root().join("tests/meeting").join(language).join("build.toml");
    let toml = format!("name = \"built\"\n[nodes.node]\ncomponent = \"node.wasm\"\nbuild = \"{}\"\n", recipe.display());
    fs::write(dir.join("program.toml"), toml).expect("target is writable");
    let mut command = Command::new(lp_host());
    let output = command.arg("build").arg(dir.join("program.toml")).output().expect("`cargo build --release` was run");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(dir.join("node.wasm")),
        Some(4) => Err(stderr),
        _ => panic!("{stderr}"),
    }
}
