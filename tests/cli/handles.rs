//! Interfaces of handles: derived from WIT or from a component, and stale where a user keeps one as a file.

use std::fs;

use super::{check, screen};
use crate::config::sandbox;

#[test]
fn handles_are_derived_from_a_component_too() {
    let dir = sandbox();
    let toml = "name = 'x'\n[nodes.counter]\ncomponent = 'counter.wasm'\n[nodes.hello]\ncomponent = 'hello.wasm'\n";
    fs::write(dir.path().join("program.toml"), toml).expect("a writable directory");
    check(
        dir.path(),
        "wit-handles-component",
        &[
            "wit handles counter.wasm --style sync",
            "wit handles program.toml --node counter --check counter.wit",
            "wit handles program.toml",
            "wit handles hello.wasm",
            "wit handles truncated.wasm",
        ],
    );
    // What is printed is WIT by itself.
    let printed = |line| super::command(dir.path(), line).output().expect("the binary runs").stdout;
    let document = String::from_utf8(printed("wit handles counter.wasm")).expect("it is text");
    fs::write(dir.path().join("counter.wit"), &document).expect("a writable directory");
    let derived = String::from_utf8(printed("wit handles counter.wit")).expect("it is text");
    let (base, handles) = document.split_once("/// Handles of").expect("the derived interface has a comment");
    assert!(base.contains("interface counter {") && derived.contains(handles), "{document}\n{derived}");
}

/// A program whose node is built by a recipe that needs no tool, with kept handles.
fn kept() -> tempfile::TempDir {
    let dir = sandbox();
    let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).expect("a writable directory");
    fs::create_dir_all(dir.path().join("wit")).expect("a writable directory");
    fs::create_dir_all(dir.path().join("node")).expect("a writable directory");
    write("program.toml", "name = 'x'\n[nodes.a]\ncomponent = 'a.wasm'\nbuild = 'node/build.toml'\n");
    write(
        "node/build.toml",
        "language = 'js'\nwit = '../wit'\nneeds = []\nnpm = []\nimports = []\nnumbers = 'plain'\n\
         [[steps]]\nrun = ['cp', 'counter.wasm', '{component}']\n",
    );
    write(
        "wit/a.wit",
        "package a:b;\ninterface adder { add: async func(n: u64) -> u64; }\nworld w { import adder-handles; }\n",
    );
    let derived = super::command(dir.path(), "wit handles wit --style future").output().expect("the binary runs");
    write("wit/adder-handles.wit", &String::from_utf8_lossy(&derived.stdout));
    dir
}

#[test]
fn kept_handles_are_stale_when_their_base_has_changed() {
    let dir = kept();
    let path = dir.path().join("wit/adder-handles.wit");
    assert!(screen(dir.path(), "build program.toml").ends_with("--- exit 0\n"));
    let kept = fs::read_to_string(&path).expect("it was written");
    // Layout and comments are the user's.
    let compact: Vec<_> = kept.lines().map(str::trim).filter(|line| !line.starts_with("///")).collect();
    fs::write(&path, compact.join("\n")).expect("a writable directory");
    let checked = screen(dir.path(), "check program.toml");
    assert!(!checked.contains("stale"), "{checked}");
    let base = "package a:b;\ninterface adder { add: async func(n: u64, m: u64) -> u64; }\nworld w { import adder-handles; }\n";
    fs::write(dir.path().join("wit/a.wit"), base).expect("a writable directory");
    check(dir.path(), "check-stale", &["check program.toml", "check program.toml --format json"]);
    let built = screen(dir.path(), "build program.toml");
    assert!(built.contains("note: rewrote `wit/adder-handles.wit`, since `adder` has changed\n"), "{built}");
    let fresh = fs::read_to_string(&path).expect("it was written");
    assert!(fresh.contains("add: func(n: u64, m: u64) -> future<result<u64, call-error>>;"), "{fresh}");
    assert!(!screen(dir.path(), "check program.toml").contains("stale"));
}

#[test]
fn a_file_with_more_than_kept_handles_is_not_written_over() {
    let dir = kept();
    let path = dir.path().join("wit/adder-handles.wit");
    fs::write(&path, "interface adder-handles { resource adder; }\ninterface mine { f: func(); }\n").expect("writable");
    let built = screen(dir.path(), "build program.toml");
    let warning =
        "warning: `wit/adder-handles.wit` is stale, and has more than the handles of `adder`: update it by hand\n";
    assert!(built.contains(warning), "{built}");
    assert!(fs::read_to_string(&path).expect("it is there").contains("interface mine"));
}
