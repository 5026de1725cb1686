//! `lp-host build`, with build lines of the shell's and with a toolchain of scripts: no compiler runs here.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{check, command, screen, shown};
use crate::config::sandbox;

/// A directory with components, and a program of these nodes: their names, components and build lines.
fn program(nodes: &[(&str, &str, &str)]) -> TempDir {
    let dir = sandbox();
    let mut toml = "name = \"built\"\n".to_owned();
    for (name, component, line) in nodes {
        toml.push_str(&format!("\n[nodes.{name}]\ncomponent = \"{component}\"\nbuild = '''{line}'''\n"));
    }
    fs::write(dir.path().join("program.toml"), toml).expect("a writable directory");
    dir
}

/// A script in the folder `bin` of the directory.
fn script(dir: &Path, name: &str, text: &str) {
    let path = dir.join("bin").join(name);
    fs::create_dir_all(dir.join("bin")).expect("a writable directory");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a writable directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
}

/// Runs a command line with nothing but those scripts and the shell's own tools to be found.
fn with_scripts(dir: &Path, line: &str) -> String {
    for tool in ["sh", "cp", "mkdir", "touch"] {
        let _ = std::os::unix::fs::symlink(Path::new("/bin").join(tool), dir.join("bin").join(tool));
    }
    let output = command(dir, line)
        .env("PATH", dir.join("bin"))
        .env("LP_HOST_TOOLS", dir.join("tools"))
        .output()
        .expect("the binary runs");
    without_times(&shown(line, &output))
}

/// A screen without how long builds took, and without their order, since they run at once: the notes that begin it are
/// sorted.
fn without_times(screen: &str) -> String {
    let line = |line: &str| match line.strip_prefix("note: built ").and_then(|built| built.split_once(" in ")) {
        Some((nodes, _)) => format!("note: built {nodes} in N s"),
        None => line.to_owned(),
    };
    let mut lines: Vec<_> = screen.lines().map(line).collect();
    let is_note = |line: &String| line.starts_with("note: ");
    let begin = lines.iter().position(is_note).unwrap_or_default();
    let end = begin + lines[begin..].iter().take_while(|line| is_note(line)).count();
    lines[begin..end].sort();
    lines.join("\n") + "\n"
}

/// Runs the lines in the directory and compares their screens, as `without_times` has them, with `cli/NAME.txt`.
fn check_builds(dir: &Path, name: &str, lines: &[&str]) {
    let screens: Vec<_> = lines.iter().map(|line| without_times(&screen(dir, line))).collect();
    let expected = crate::host::root().join("tests/cli").join(name).with_extension("txt");
    crate::config::check_text(&screens.join("\n"), &expected);
}

#[test]
fn a_line_that_nodes_have_in_common_runs_once() {
    let line = "echo built >> log; cp counter.wasm made.wasm";
    let dir = program(&[("a", "made.wasm", line), ("b", "made.wasm", line), ("c", "hello.wasm", "echo other >> log")]);
    check_builds(
        dir.path(),
        "build",
        &["build program.toml", "build program.toml --node c --quiet", "build program.toml --node d"],
    );
    let log = fs::read_to_string(dir.path().join("log")).expect("the log is there");
    let mut lines: Vec<_> = log.lines().collect();
    lines.sort();
    assert_eq!(lines, ["built", "other", "other"]);
}

#[test]
fn what_a_line_prints_is_shown_if_it_fails() {
    let dir = program(&[("good", "hello.wasm", "echo not shown")]);
    check_builds(dir.path(), "build-good", &["build program.toml"]);
    let dir = program(&[("bad", "hello.wasm", "echo one; echo two >&2; exit 7")]);
    check_builds(dir.path(), "build-failing", &["build program.toml"]);
}

/// Whether this machine has the cores for two builds at once.
fn has_cores() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores == 1 {
        eprintln!("skipped: one core runs one build after the other");
    }
    cores > 1
}

#[test]
fn builds_run_at_once() {
    if !has_cores() {
        return;
    }
    // Each waits for the other one: to the end of the test if they were not at once.
    let dir = program(&[
        ("a", "hello.wasm", "mkfifo one.new; mv one.new one; read line < one; echo back > two"),
        ("b", "hello.wasm", "mkfifo two; until [ -p one ]; do :; done; echo there > one; read line < two"),
    ]);
    check_builds(dir.path(), "build-at-once", &["build program.toml"]);
}

#[test]
fn a_build_that_fails_ends_the_others_and_nothing_is_said_of_them() {
    if !has_cores() {
        return;
    }
    let dir = program(&[
        ("bad", "hello.wasm", "until [ -e going ]; do :; done; echo wrong; exit 1"),
        ("slow", "hello.wasm", "echo not shown; touch going; sleep 1000"),
        ("later", "hello.wasm", "touch must-not-be"),
    ]);
    check_builds(dir.path(), "build-others", &["build program.toml"]);
    assert!(!dir.path().join("must-not-be").exists());
}

#[test]
fn lines_of_cargo_run_one_after_the_other() {
    let line = |package| format!("cargo build -p {package}");
    let dir =
        program(&[("a", "hello.wasm", &line("a")), ("b", "hello.wasm", &line("b")), ("c", "hello.wasm", &line("c"))]);
    script(dir.path(), "cargo", "mkdir running || exit 1; touch a b c; rmdir running");
    let _ = std::os::unix::fs::symlink("/bin/rmdir", dir.path().join("bin/rmdir"));
    let screen = with_scripts(dir.path(), "build program.toml");
    assert!(screen.ends_with("--- exit 0\n"), "{screen}");
}

#[test]
fn a_build_compiles_the_components_and_a_component_that_is_none_is_named() {
    let dir = program(&[("a", "counter.wasm", "true"), ("b", "truncated.wasm", "true")]);
    let cache = dir.path().join("cache");
    let entries = || {
        let entries = fs::read_dir(&cache).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "cwasm")).count()
    };
    let build = |line: &str| {
        let output = command(dir.path(), line).env("LP_HOST_CACHE", &cache).output().expect("the binary runs");
        without_times(&shown(line, &output))
    };
    assert!(build("build program.toml --no-compile").ends_with("--- exit 0\n"));
    assert_eq!(entries(), 0);
    assert!(build("build program.toml --node a").ends_with("--- exit 0\n"));
    assert_eq!(entries(), 1);
    let screen = build("build program.toml --node b");
    crate::config::check_text(&screen, &crate::host::root().join("tests/cli/build-no-component.txt"));
}

#[test]
fn a_component_that_is_not_there_afterwards_is_named_with_its_fix() {
    let dir = program(&[("a", "my-node.wasm", "cp hello.wasm my_node.wasm")]);
    check_builds(dir.path(), "build-other-name", &["build program.toml"]);
    let dir = program(&[("a", "out/release/a.wasm", "mkdir -p out/debug; cp hello.wasm out/debug/a.wasm")]);
    check_builds(dir.path(), "build-other-profile", &["build program.toml"]);
    let dir = program(&[("a", "a.wasm", "true")]);
    check_builds(dir.path(), "build-nothing", &["build program.toml", "check program.toml"]);
    fs::write(dir.path().join("program.toml"), "name = \"x\"\n[nodes.a]\ncomponent = \"a.wasm\"\n").expect("writable");
    check(dir.path(), "build-no-line", &["build program.toml"]);
}

#[test]
fn variables_that_move_or_break_a_build_are_taken_away() {
    let dir = program(&[("a", "hello.wasm", "env > seen")]);
    let removed =
        ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTUP_TOOLCHAIN"];
    let mut build = command(dir.path(), "build program.toml");
    for name in removed {
        build.env(name, "elsewhere");
    }
    let output = build.env("CARGO", "cargo").env("KEPT", "here").output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = fs::read_to_string(dir.path().join("seen")).expect("the line wrote it");
    assert!(seen.contains("KEPT=here"), "{seen}");
    assert!(!seen.contains("elsewhere"), "{seen}");
    // A toolchain that the user chose, rather than the Cargo that runs this, is left alone.
    let mut build = command(dir.path(), "build program.toml");
    let output = build.env_remove("CARGO").env("RUSTUP_TOOLCHAIN", "chosen").output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = fs::read_to_string(dir.path().join("seen")).expect("the line wrote it");
    assert!(seen.contains("RUSTUP_TOOLCHAIN=chosen"), "{seen}");
}

#[test]
fn a_missing_target_is_added_once_in_the_directory_of_the_program() {
    let dir = program(&[
        ("a", "hello.wasm", "cargo build --target wasm32-wasip2 -p a"),
        ("b", "hello.wasm", "cargo build --target wasm32-wasip2 -p b"),
    ]);
    script(dir.path(), "cargo", "echo cargo $* >> log");
    script(dir.path(), "rustc", "echo rustc $* >> log; echo $PWD/library");
    script(dir.path(), "rustup", "echo rustup $* >> log; mkdir library");
    let mut screen = with_scripts(dir.path(), "build program.toml");
    screen.push_str(&with_scripts(dir.path(), "build program.toml"));
    screen.push_str(&fs::read_to_string(dir.path().join("log")).expect("the scripts wrote it"));
    crate::config::check_text(&screen, &crate::host::root().join("tests/cli/build-target.txt"));
}

#[test]
fn a_target_that_can_not_be_added_ends_the_build() {
    let dir = program(&[("a", "hello.wasm", "cargo build --target wasm32-wasip2")]);
    script(dir.path(), "cargo", "echo must not run");
    script(dir.path(), "rustc", "echo nowhere");
    let mut screen = with_scripts(dir.path(), "build program.toml");
    script(dir.path(), "rustup", "echo no network >&2; exit 1");
    screen.push_str(&with_scripts(dir.path(), "build program.toml"));
    crate::config::check_text(&screen, &crate::host::root().join("tests/cli/build-no-target.txt"));
}

#[test]
fn a_language_without_its_tools_says_what_it_needs() {
    let dir = program(&[("a", "a.wasm", "a/build.toml"), ("b", "b.wasm", "b/build.toml")]);
    fs::create_dir_all(dir.path().join("a")).expect("a writable directory");
    fs::create_dir_all(dir.path().join("b")).expect("a writable directory");
    fs::write(dir.path().join("a/build.toml"), "language = \"python\"\nwit = \"a.wit\"\n").expect("writable");
    fs::write(dir.path().join("a/a.wit"), "package a:b;\nworld w { export wasi:cli/run@0.3.0; }\n").expect("writable");
    fs::write(dir.path().join("b/build.toml"), "language = \"cobol\"\n").expect("writable");
    fs::create_dir_all(dir.path().join("bin")).expect("a writable directory");
    let mut screen = with_scripts(dir.path(), "build program.toml --node a");
    screen.push_str(&with_scripts(dir.path(), "build program.toml --node b"));
    fs::write(dir.path().join("b/build.toml"), "languages = \"c\"\n").expect("writable");
    screen.push_str(&with_scripts(dir.path(), "build program.toml --node b"));
    screen.push_str(&with_scripts(dir.path(), "doctor"));
    crate::config::check_text(&screen, &crate::host::root().join("tests/cli/build-languages.txt"));
}

#[test]
fn a_signal_ends_a_build_and_all_that_it_started() {
    let dir = program(&[("a", "hello.wasm", "exec 3> started; echo yes >&3; sleep 1000 & wait")]);
    let fifo = dir.path().join("started");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    for (signal, code) in [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143)] {
        let mut build = command(dir.path(), "run --build program.toml");
        let mut child = build.stderr(Stdio::piped()).spawn().expect("the binary runs");
        // Opening waits until the line has opened the other end, and the end of the stream until nothing holds that.
        let mut line = BufReader::new(fs::File::open(&fifo).expect("the pipe is there"));
        let mut text = String::new();
        line.read_line(&mut text).expect("the line writes");
        assert_eq!(text, "yes\n");
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).expect("it runs");
        line.read_to_string(&mut text).expect("the pipe ends");
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
        let mut stderr = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut stderr).expect("it is text");
        assert!(stderr.contains("error: the build of `a` was stopped by SIG"), "{stderr}");
    }
}
