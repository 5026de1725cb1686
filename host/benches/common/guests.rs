//! Builds the guests once per run, by the cargo that runs the benchmark.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The component files of packages.
pub struct Guests(Vec<PathBuf>);

impl Guests {
    /// Builds `packages` for WebAssembly.
    pub fn build(packages: &[&str]) -> Self {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
        cargo.args(["build", "--release", "--quiet", "--target", "wasm32-wasip2", "--message-format", "json"]);
        cargo.args(packages.iter().flat_map(|package| ["--package", package]));
        let output = cargo.output().expect("cargo runs this benchmark, so it can be run");
        assert!(output.status.success(), "failed to build the guests");
        let messages = output.stdout.split(|&byte| byte == b'\n');
        let messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let files = messages.flat_map(|message| {
            let files = message["filenames"].as_array().cloned().unwrap_or_default();
            files.into_iter().filter_map(|file| file.as_str().map(PathBuf::from))
        });
        Self(files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm")).collect())
    }

    /// The component of `package`.
    pub fn path(&self, package: &str) -> &Path {
        let name = package.replace('-', "_");
        let found = self.0.iter().find(|file| file.file_stem().is_some_and(|stem| stem == name.as_str()));
        found.expect("the package was built")
    }
}
