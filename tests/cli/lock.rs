//! `lp-host lock`, which writes the digests of components into a program file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use lp_host::component::Digest;
use tempfile::TempDir;

use super::{check, screen};
use crate::config::sandbox;

/// The digest of a component of the folder.
fn digest(dir: &TempDir, name: &str) -> String {
    Digest::of(&fs::read(dir.path().join(name)).expect("it is there")).to_string()
}

fn write(dir: &Path, text: &str) {
    fs::write(dir.join("program.toml"), text).expect("a writable directory");
}

fn read(dir: &Path) -> String {
    fs::read_to_string(dir.join("program.toml")).expect("it is there")
}

/// Locks a program, and then once more, which changes nothing.
#[track_caller]
fn locks(before: &str, after: &str) {
    let dir = sandbox();
    write(dir.path(), before);
    let screen = |line: &str| screen(dir.path(), line);
    assert!(screen("lock program.toml --check").ends_with("--- exit 3\n"));
    assert_eq!(read(dir.path()), before);
    let locked = screen("lock program.toml");
    assert!(locked.ends_with("--- exit 0\n"), "{locked}");
    let after = after.replace("HELLO", &digest(&dir, "hello.wasm")).replace("COUNTER", &digest(&dir, "counter.wasm"));
    assert_eq!(read(dir.path()), after);
    for line in ["lock program.toml --check", "lock program.toml", "check program.toml"] {
        let shown = screen(line);
        assert!(shown.ends_with("--- exit 0\n"), "{shown}");
    }
    assert_eq!(read(dir.path()), after);
}

#[test]
fn a_digest_is_a_line_below_the_component() {
    locks(
        "# Kept.\nname = 'a'\n\n[nodes.a]\ncomponent = \"hello.wasm\"  # kept too\nargs = [\"{\"]\n\n[nodes.b]\n  component = 'counter.wasm'",
        "# Kept.\nname = 'a'\n\n[nodes.a]\ncomponent = \"hello.wasm\"  # kept too\nsha256 = \"HELLO\"\nargs = [\"{\"]\n\n[nodes.b]\n  component = 'counter.wasm'\n  sha256 = \"COUNTER\"",
    );
    locks(
        "name = 'a'\r\n[nodes.a]\r\n'component'=\"hello.wasm\"\r\n",
        "name = 'a'\r\n[nodes.a]\r\n'component'=\"hello.wasm\"\r\nsha256 = \"HELLO\"\r\n",
    );
}

#[test]
fn a_digest_within_braces_stays_there() {
    locks(
        "name = 'a'\n[nodes]\na = { component = 'hello.wasm', args = [] }\nb = { args = ['{'], component = 'hello.wasm' } # b\n",
        "name = 'a'\n[nodes]\na = { component = 'hello.wasm', sha256 = \"HELLO\", args = [] }\nb = { args = ['{'], component = 'hello.wasm', sha256 = \"HELLO\" } # b\n",
    );
    locks(
        "name = 'a'\nnodes = { a.component = 'hello.wasm', b = {component='counter.wasm'} }\n",
        "name = 'a'\nnodes = { a.component = 'hello.wasm', a.sha256 = \"HELLO\", b = {component='counter.wasm', sha256 = \"COUNTER\"} }\n",
    );
}

#[test]
fn a_digest_follows_a_dotted_key() {
    locks(
        "name = 'a'\nnodes.a.component = 'hello.wasm'\nnodes.b.component = 'counter.wasm'\n",
        "name = 'a'\nnodes.a.component = 'hello.wasm'\nnodes.a.sha256 = \"HELLO\"\nnodes.b.component = 'counter.wasm'\nnodes.b.sha256 = \"COUNTER\"\n",
    );
}

#[test]
fn a_digest_of_another_component_is_replaced() {
    let other = "0".repeat(64);
    locks(
        &format!("name = 'a'\n[nodes.a]\nsha256 = '{other}' # old\ncomponent = 'hello.wasm'\n"),
        "name = 'a'\n[nodes.a]\nsha256 = \"HELLO\" # old\ncomponent = 'hello.wasm'\n",
    );
}

#[test]
fn a_program_with_a_mistake_stays_as_it_is() {
    let dir = sandbox();
    for text in [
        "name = 'a'\n[nodes.a]\ncomponent = 'hello.wasm'\n[nodes.b]\ncomponent = 'nowhere.wasm'\n",
        "name = 'a'\n[nodes.a]\ncomponent = 'hello.wasm'\nreplica = 2\n",
        "name = 'a'\n[nodes.a]\ncomponent = 'core-module.wasm'\n",
        "name = 'a\n",
    ] {
        write(dir.path(), text);
        let shown = screen(dir.path(), "lock program.toml");
        assert!(shown.contains("error[") && shown.ends_with("--- exit 3\n"), "{shown}");
        assert_eq!(read(dir.path()), text);
    }
}

#[test]
fn a_locked_file_keeps_its_mode_and_the_link_to_it() {
    let dir = sandbox();
    let real = dir.path().join("real.toml");
    fs::write(&real, "name = 'a'\n[nodes.a]\ncomponent = 'hello.wasm'\n").expect("a writable directory");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("it is ours");
    symlink("real.toml", dir.path().join("program.toml")).expect("a writable directory");
    screen(dir.path(), "lock program.toml");
    assert!(dir.path().join("program.toml").is_symlink());
    assert!(read(dir.path()).contains(&digest(&dir, "hello.wasm")));
    let mode = fs::metadata(&real).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let left = fs::read_dir(dir.path()).expect("it can be listed").flatten().map(|entry| entry.file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().ends_with(".lock")));
}

#[test]
fn lock_says_what_it_pins() {
    let dir = sandbox();
    let stale = format!("sha256 = '{}'", "0".repeat(64));
    write(
        dir.path(),
        &format!("name = 'a'\n[nodes.new]\ncomponent = 'hello.wasm'\n[nodes.old]\ncomponent = 'hello.wasm'\n{stale}\n"),
    );
    let lines = [
        "lock program.toml --check",
        "lock program.toml --check --format json",
        "lock program.toml",
        "lock program.toml",
        "lock nowhere.toml",
    ];
    check(dir.path(), "lock", &lines);
}
