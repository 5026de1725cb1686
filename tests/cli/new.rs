//! `lp-host new`: what it makes is built and run as it is, by the real toolchain.

use std::fs;
use std::path::{Path, PathBuf};

use super::{check, command, screen};
use crate::host;

/// A directory for new programs. Their target directory outlives it, so that only the first test run builds everything.
fn workshop() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new");
    let target = dir.join("target");
    fs::create_dir_all(&target).expect("a writable directory");
    let _ = fs::remove_dir_all(dir.join("demo"));
    dir
}

#[test]
fn a_new_program_runs_unchanged_and_takes_another_node() {
    let dir = workshop();
    check(&dir, "new", &["new demo"]);
    let demo = dir.join("demo");
    std::os::unix::fs::symlink(dir.join("target"), demo.join("target")).expect("a new directory has no `target`");
    // The versions that the workspace has, so that nothing newer than what was tried is fetched.
    fs::copy(host::root().join("Cargo.lock"), demo.join("Cargo.lock")).expect("the workspace has a lock file");
    let run = command(&demo, "run --build program.toml").output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{stderr}");
    let stdout = String::from_utf8_lossy(&run.stdout);
    let lines: Vec<_> = stdout.lines().map(|line| line.split_once("│ ").map_or(line, |(_, line)| line)).collect();
    assert_eq!(lines, ["after adding 1: [1, 1]", "after adding 2: [3, 3]", "after adding 3: [6, 6]"], "{stderr}");
    let tested = command(&demo, "test program.toml").output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success() && stderr.ends_with("2 passed, 0 failed\n"), "{stderr}");

    let program = fs::read_to_string(demo.join("program.toml")).expect("it is there");
    fs::write(demo.join("program.toml"), format!("# A comment of the user's.\n{program}# The end.")).expect("writable");
    check(&demo, "new-node", &["new --node word-greeter", "new --node word-greeter", "new --node counter"]);
    let changed = fs::read_to_string(demo.join("program.toml")).expect("it is there");
    assert!(changed.starts_with(&format!("# A comment of the user's.\n{program}# The end.\n\n[nodes.word-greeter]\n")));
    let build = screen(&demo, "build program.toml --node word-greeter");
    assert!(build.ends_with("--- exit 0\n"), "{build}");
    check(&demo, "new-node-check", &["check program.toml", "graph program.toml"]);
}

#[test]
fn bad_names_and_places_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(dir.path().join("taken")).expect("a writable directory");
    fs::write(dir.path().join("taken/file"), "").expect("a writable directory");
    fs::create_dir(dir.path().join("empty")).expect("a writable directory");
    let lines = [
        "new Demo",
        "new a--b",
        "new taken",
        "new --node worker",
        "new --node loop",
        "new demo --path empty --quiet",
        "new --node Worker --path empty",
    ];
    check(dir.path(), "new-refused", &lines);
    assert!(dir.path().join("empty/program.toml").is_file());
}

#[test]
fn a_node_is_not_added_to_what_it_does_not_fit() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).expect("a writable directory");
    write("Cargo.toml", "[package]\nname = \"other\"\n");
    write("program.toml", "name = \"other\"\nnodes = { a = { component = \"a.wasm\" } }\n");
    check(dir.path(), "new-node-other-workspace", &["new --node worker"]);
    write("Cargo.toml", "[workspace]\nmembers = [\"nodes/*\"]\n[workspace.dependencies]\nlp-guest = \"1\"\n");
    check(dir.path(), "new-node-closed-table", &["new --node worker", "new --node a"]);
    write("program.toml", "name = ");
    check(dir.path(), "new-node-not-toml", &["new --node worker"]);
    let left: Vec<_> =
        fs::read_dir(dir.path()).expect("it is there").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
