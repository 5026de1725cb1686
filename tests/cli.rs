//! Command lines in, screens and files out: every verb but `run`, through the real binary.
//!
//! After a deliberate change of a screen, `SNAPSHOTS=overwrite cargo test -p lp-tests` writes the expected files anew.

mod build;
mod handles;
mod lock;
mod new;
mod read;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::config::check_text;
use crate::host;

/// `lp-host` with the words of a command line, in a directory.
fn command(dir: &Path, line: &str) -> Command {
    let mut command = Command::new(host::BINARY);
    command.args(line.split_whitespace()).current_dir(dir).env("NO_COLOR", "1").env_remove("COLUMNS");
    command
}

/// What a user sees of a command: its exit code and both streams.
fn screen(dir: &Path, line: &str) -> String {
    let output = command(dir, line).output().expect("the binary runs");
    shown(line, &output)
}

fn shown(line: &str, output: &Output) -> String {
    let mut screen = format!("$ lp-host {line}\n");
    for (stream, name) in [(&output.stdout, "stdout"), (&output.stderr, "stderr")] {
        if !stream.is_empty() {
            screen.push_str(&format!("--- {name}\n{}", String::from_utf8_lossy(stream)));
        }
    }
    screen.push_str(&format!("--- exit {}\n", output.status.code().expect("it was not killed")));
    screen
}

/// Runs the lines in the directory and compares their screens with `cli/NAME.txt`.
fn check(dir: &Path, name: &str, lines: &[&str]) {
    let screens: Vec<_> = lines.iter().map(|line| screen(dir, line)).collect();
    check_text(&screens.join("\n"), &expected(name));
}

/// The file with the screens of that name.
fn expected(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cli").join(name).with_extension("txt")
}
