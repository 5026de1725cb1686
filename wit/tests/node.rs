//! The world that a node's toolchain sees, of folders written here.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use lp_wit::{Folder, FolderError, Style};

const TEXT: &str = "package a:b;
interface p { f: async func() -> u8; g: async func(); }
interface q { h: async func(); }
world w { import p; import p-handles; export q; export wasi:cli/run@0.3.0; }";

fn read(text: &str, world: Option<&str>, style: Style) -> Result<Folder, FolderError> {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let name = format!("node-{}.wit", FILES.fetch_add(1, Ordering::Relaxed));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, text).unwrap();
    Folder::read_node(&file, world, &["lp:node/program@0.1.0"], style)
}

#[track_caller]
fn check(style: Style, expected: &[&str]) {
    let text = read(TEXT, None, style).unwrap_or_else(|error| panic!("{error}")).text();
    for line in
        expected.iter().chain(&["world lp-node {", "import lp:node/program@0.1.0;", "run: async func() -> result;"])
    {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[track_caller]
fn check_error(text: &str, world: Option<&str>, style: Style, expected: &str) {
    let error = read(text, world, style).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn calls_wait_in_the_style_of_the_toolchain() {
    check(Style::Async, &["f: async func() -> u8;", "g: async func();", "h: async func();"]);
    let future = [
        "f: func() -> future<u8>;",
        "g: func() -> future;",
        "h: async func();",
        "wait-for-stop: func() -> future<bool>;",
    ];
    check(Style::Future, &future);
    check(Style::Sync, &["f: func() -> u8;", "g: func();", "h: func();", "wait-for-stop: func();"]);
}

#[test]
fn an_interface_on_both_sides_can_not_be_declared_in_two_ways() {
    let text = "package a:b; interface p { f: async func(); } world w { import p; export p; }";
    check_error(text, None, Style::Future, "`a:b/p` is both imported and exported");
    let text = "package a:b; interface p { f: func(); } world w { import p; export p; }";
    assert!(read(text, None, Style::Future).is_ok());
}

#[test]
fn a_world_that_can_not_be_told_is_asked_for() {
    let text = "package a:b; world v {} world w {}";
    check_error(text, None, Style::Async, "choose a world: there are `v`, `w`");
    check_error(text, Some("x"), Style::Async, "there is no `x`, but `v`, `w`");
    check_error("package a:b;", None, Style::Async, "the package has none");
    assert!(read(text, Some("w"), Style::Async).is_ok());
}
