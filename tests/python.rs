//! A Python with the protobuf and gRPC packages of PyPI, in a virtual environment that is made once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host;

/// What is installed: all that a stock client needs, with stubs or with reflection alone.
const PACKAGES: [&str; 4] = ["grpcio==1.84.2", "grpcio-tools==1.84.2", "grpcio-reflection==1.84.2", "protobuf==7.36.2"];

/// The Python that has the packages, or why there is none: then a test prints it after `skipped: ` and ends.
pub fn interpreter() -> Result<PathBuf, String> {
    environment("python3", &PACKAGES)
}

/// The same for a certain Python and other packages.
///
/// It is below `target`, under the versions of its packages. Whoever calls while it is made waits.
pub fn environment(base: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let name = format!("python-{}", packages.join("-").replace(['=', '~'], ""));
    let dir = host::root().join("target").join(&name);
    fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
    let (python, ready) = (dir.join("bin/python"), dir.join("ready"));
    let lock = File::create(dir.with_file_name(format!("{name}.lock"))).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if !ready.exists() {
        run(Command::new(base).args(["-m", "venv", "--clear"]).arg(&dir))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
        fs::write(ready, "").map_err(|error| error.to_string())?;
    }
    Ok(python)
}

/// The folder of the tests, where the scripts are.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A command that runs a script of the tests, such as `proto/examples.py`.
pub fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(folder().join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// What a command prints, or, if it fails, what it says.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
