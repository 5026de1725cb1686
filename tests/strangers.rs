//! Files and folders of the user's beside, and by the names of, those that lp-host makes and deletes: all of them stay.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use lp_host::own_dir::{MARK, mark_text};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::host;
use crate::run::Going;
use crate::runs::{Machine, eventually};

/// A component whose `run` never returns.
const SPINS: &str = r#"(component
    (core module $m (func (export "run") (result i32) (loop (br 0)) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $run)))"#;

/// A component whose `run` returns at once.
fn ends() -> Vec<u8> {
    wat::parse_str(SPINS.replace("(loop (br 0))", "")).expect("it compiles")
}

fn temp() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

fn make_dir(path: &Path) {
    fs::DirBuilder::new().mode(0o700).recursive(true).create(path).expect("it can be made");
}

fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
    fs::write(path, contents).expect("it can be written");
}

/// All that is below a folder, with what is in it. What goes meanwhile is left out.
fn tree(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let contents = match () {
            () if metadata.is_symlink() => format!("to {}", path.read_link().unwrap_or_default().display()),
            () if metadata.is_dir() => {
                found.extend(tree(&path));
                "a folder".to_owned()
            }
            () if metadata.is_file() => String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned(),
            () => "neither a file nor a folder".to_owned(),
        };
        found.insert(path, contents);
    }
    found
}

/// A folder that has the name of the directory of all runs, with the user's own things in it.
fn clone_of_a_repository(root: &Path) {
    make_dir(root);
    for folder in ["docs", "host", "tests", ".git", "year-2023", "spin-2345", "copy-2345"] {
        make_dir(&root.join(folder));
        write(root.join(folder).join("file"), "theirs");
        write(root.join(folder).join("control.sock"), "");
    }
    // The mark of another folder proves nothing, and neither does one that is a link or a folder.
    write(root.join("copy-2345").join(MARK), mark_text("run spin-2345"));
    write(root.join("mark"), mark_text("run link-2345"));
    make_dir(&root.join("link-2345"));
    symlink("../mark", root.join("link-2345").join(MARK)).expect("it can be made");
    make_dir(&root.join("fold-2345").join(MARK));
    write(root.join("README.md"), "theirs");
    write(root.join("file-2345"), "theirs");
    symlink("docs", root.join("docs-2345")).expect("it can be made");
    symlink("nowhere", root.join("lost-2345")).expect("it can be made");
    assert!(Command::new("mkfifo").arg(root.parent().expect("it has one").join("fifo")).status().is_ok());
    symlink("../fifo", root.join("fifo-2345")).expect("it can be made");
}

#[test]
fn verbs_on_runs_leave_all_but_runs_alone() {
    let machine = Machine::new();
    let root = machine.runtime_dir().join("lp-host");
    clone_of_a_repository(&root);
    let before = tree(&root);
    let program = temp();
    write(program.path().join("spin.wasm"), wat::parse_str(SPINS).expect("it compiles"));
    write(program.path().join("program.toml"), "name = \"spin\"\n[nodes.a]\ncomponent = \"spin.wasm\"\n");
    let nothing_runs = (Some(0), String::new(), "note: no program is running\n".to_owned());
    assert_eq!(machine.screen(&["ps"]), nothing_runs);
    for launch_type in host::LAUNCH_TYPES {
        let start = || {
            let mut command = machine.command(&["run", "--launch-type", &launch_type.to_string()]);
            let going = Going::spawn({
                command.arg(program.path().join("program.toml"));
                command
            });
            eventually("the run", || machine.data(&["ps"]).contains("running"));
            going
        };
        let going = start();
        let [run] = &machine.ps()[..] else { panic!("one program runs: {:?}", machine.ps()) };
        assert_eq!(run["program"], "spin");
        for id in ["spin-2345", "copy-2345", "link-2345", "docs-2345", "file-2345", "year-2023"] {
            for verb in ["logs", "stop"] {
                let (code, _, stderr) = machine.screen(&[verb, id]);
                assert!(code == Some(2) && stderr.contains(&format!("no run is called `{id}`")), "{stderr}");
            }
        }
        machine.data(&["stop", "spin", "--now"]);
        assert_eq!(going.end().0, Some(143));
        assert_eq!(tree(&root), before);
        let going = start();
        going.signal(Signal::KILL);
        eventually("the removal of the directory", || tree(&root) == before);
        drop(going);
    }
    assert_eq!(machine.screen(&["ps"]), nothing_runs);
    // The guardian of a run that there never was.
    assert_eq!(machine.command(&["guard", "spin-2345"]).output().expect("the binary runs").status.code(), Some(0));
    assert_eq!(tree(&root), before);
}

#[test]
fn what_a_dead_run_left_goes_and_only_that() {
    let machine = Machine::new();
    let root = machine.runtime_dir().join("lp-host");
    clone_of_a_repository(&root);
    let before = tree(&root);
    let left = root.join("test-2345");
    make_dir(&left.join("components"));
    write(left.join("control.sock"), "");
    write(left.join(MARK), mark_text("run test-2345"));
    symlink(root.join("docs"), left.join("docs")).expect("it can be made");
    machine.data(&["ps"]);
    assert_eq!(tree(&root), before);
}

/// A folder with a program whose only node is built by a recipe without a compiler, with lines of its own in it.
fn built(recipe: &str) -> TempDir {
    let dir = temp();
    for folder in ["node", "bin", "build", "tools"] {
        make_dir(&dir.path().join(folder));
    }
    let toml = "name = \"built\"\n[nodes.a]\ncomponent = \"build/a.wasm\"\nbuild = \"node/build.toml\"\n";
    write(dir.path().join("program.toml"), toml);
    let steps = "language = \"rust\"\ncargo = false\nneeds = []\nwit = \"node.wit\"\n\
        [[steps]]\nrun = [\"cp\", \"{source}/given.wasm\", \"{component}\"]\n";
    write(dir.path().join("node/build.toml"), format!("{recipe}{steps}"));
    write(dir.path().join("node/node.wit"), "package a:b;\nworld w { export wasi:cli/run@0.2.0; }\n");
    write(dir.path().join("node/given.wasm"), ends());
    dir
}

/// The exit code and stderr of `lp-host` in a folder, with the programs of its `bin` before all others.
fn in_dir(dir: &Path, words: &[&str]) -> (Option<i32>, String) {
    let path = format!("{}:{}", dir.join("bin").display(), std::env::var("PATH").expect("there is a path"));
    let mut command = Command::new(host::BINARY);
    command.args(words).current_dir(dir).env("PATH", path).env("NO_COLOR", "1");
    command.env("LP_HOST_TOOLS", dir.join("tools")).env("LP_HOST_CACHE", dir.join("cache"));
    let output = command.output().expect("the binary runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_build_takes_no_folder_of_the_user_for_its_own() {
    let dir = built("");
    let work = dir.path().join("build/a.build");
    let build = ["build", "program.toml", "--no-compile"];
    let check_refused = || {
        let before = tree(&dir.path().join("build"));
        let (code, stderr) = in_dir(dir.path(), &build);
        assert_eq!(code, Some(3), "{stderr}");
        let text = "build/a.build`: it is there already and this lp-host did not make it; delete it or move it away\n";
        assert!(stderr.ends_with(text), "{stderr}");
        assert_eq!(tree(&dir.path().join("build")), before);
    };
    // What a lock and a build need is kept, whatever it was made for.
    write(dir.path().join("build/a.lock"), "theirs");
    make_dir(&work);
    check_refused();
    write(work.join("notes"), "theirs");
    check_refused();
    make_dir(&work.join(MARK));
    check_refused();
    fs::rename(&work, dir.path().join("moved")).expect("it can be moved");
    symlink("../moved", &work).expect("it can be made");
    check_refused();
    fs::remove_file(&work).expect("it can be removed");
    write(&work, "theirs");
    check_refused();
    fs::remove_file(&work).expect("it can be removed");
    let (code, stderr) = in_dir(dir.path(), &build);
    assert_eq!(code, Some(0), "{stderr}");
    // Its own makes way for that of a build from something else.
    write(work.join("left"), "by the first build");
    write(dir.path().join("node/more"), "to build from");
    let (code, stderr) = in_dir(dir.path(), &build);
    assert!(code == Some(0) && stderr.contains("built `a`"), "{stderr}");
    assert!(!work.join("left").exists());
    assert_eq!(fs::read_to_string(dir.path().join("build/a.lock")).expect("it is there"), "theirs");
    assert_eq!(fs::read_to_string(dir.path().join("moved/notes")).expect("it is there"), "theirs");
}

#[test]
fn an_installation_takes_no_folder_of_the_user_for_its_own() {
    let dir = built("npm = [\"some@1.0.0\"]\n");
    let npm = |text: &str| {
        let path = dir.path().join("bin/npm");
        write(&path, format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    };
    let tools = dir.path().join("tools");
    let own = tools.join("npm-some-1.0.0");
    make_dir(&own);
    write(own.join("notes"), "theirs");
    write(tools.join("npm-some-1.0.0.lock"), "theirs");
    let before = tree(&tools);
    npm("true");
    let build = ["build", "program.toml", "--no-compile"];
    let (code, stderr) = in_dir(dir.path(), &build);
    assert_eq!(code, Some(4), "{stderr}");
    assert!(stderr.contains("did not make it; delete it or move it away"), "{stderr}");
    assert_eq!(tree(&tools), before);
    fs::rename(&own, tools.join("moved")).expect("it can be moved");
    npm("touch tools/npm-some-1.0.0/half; exit 1");
    assert_eq!(in_dir(dir.path(), &build).0, Some(4));
    assert!(own.join("half").exists());
    npm("true");
    let (code, stderr) = in_dir(dir.path(), &build);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!own.join("half").exists() && own.join("ready").exists());
    assert_eq!(fs::read_to_string(tools.join("moved/notes")).expect("it is there"), "theirs");
    assert_eq!(fs::read_to_string(tools.join("npm-some-1.0.0.lock")).expect("it is there"), "theirs");
}

#[test]
fn a_compile_cache_leaves_all_but_its_entries_alone() {
    let dir = temp();
    write(dir.path().join("a.wasm"), ends());
    write(dir.path().join("program.toml"), "name = \"cached\"\n[nodes.a]\ncomponent = \"a.wasm\"\n");
    let cache = dir.path().join("cache");
    make_dir(&cache.join("folder"));
    write(cache.join("folder/file"), "theirs");
    write(cache.join("notes.cwasm"), "theirs");
    // The user's own key, and not lp-host's.
    write(cache.join("key"), "-----BEGIN PRIVATE KEY-----\n");
    fs::set_permissions(cache.join("key"), fs::Permissions::from_mode(0o600)).expect("it is ours");
    let before = tree(&cache);
    let (code, stderr) = in_dir(dir.path(), &["run", "program.toml"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("cache/key` is not a key of lp-host; delete it or move it away"), "{stderr}");
    assert_eq!(tree(&cache), before);
    fs::rename(cache.join("key"), cache.join("id")).expect("it can be moved");
    let mut before = tree(&cache);
    for _ in 0..2 {
        let (code, stderr) = in_dir(dir.path(), &["run", "program.toml"]);
        assert!(code == Some(0) && !stderr.contains("key"), "{stderr}");
        let after = tree(&cache);
        // A key and one entry have come, and nothing else.
        assert_eq!(after.len(), before.len().max(6), "{:?}", after.keys());
        before.retain(|path, contents| after.get(path) != Some(contents));
        assert!(before.is_empty(), "{before:?}");
        before = after;
    }
}
