//! The examples, as their READMEs run them: built from source, and their output compared with what they say.

use std::path::PathBuf;
use std::process::Command;

use lp_host::plan::LaunchType;

use crate::{host, languages, slurm};

/// Runs `examples/NAME`, changed by `overrides`, under `launch_type` and compares its output, without tags, with its `expected.txt`.
pub(crate) fn check(name: &str, launch_type: LaunchType, overrides: &[String]) {
    check_as(name, overrides, |command| Some(host::launched(command, launch_type)));
}

/// The same for a command that is launched in another way; if it can't be, nothing is checked.
pub(crate) fn check_as(name: &str, overrides: &[String], launched: impl FnOnce(Command) -> Option<Command>) {
    let program = program(name);
    if let Err(reason) = languages::build_program(&program) {
        return eprintln!("skipped: {reason}");
    }
    let mut command = Command::new(host::BINARY);
    command.args(["run", "--build"]).args(overrides.iter().flat_map(|change| ["--set", change]));
    command.arg(program);
    let Some(mut command) = launched(command) else { return };
    let output = command.output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    check_output(name, &String::from_utf8_lossy(&output.stdout), &stderr);
}

/// The program of an example.
pub(crate) fn program(name: &str) -> PathBuf {
    host::root().join("examples").join(name).join("program.toml")
}

/// Compares the output of an example, without tags, with its `expected.txt`.
#[track_caller]
pub(crate) fn check_output(name: &str, stdout: &str, stderr: &str) {
    let lines: Vec<_> = stdout.lines().map(|line| line.split_once("│ ").map_or(line, |(_, line)| line)).collect();
    let expected =
        std::fs::read_to_string(program(name).with_file_name("expected.txt")).expect("expected.txt is there");
    assert_eq!(lines, expected.lines().collect::<Vec<_>>(), "{stderr}");
}

macro_rules! examples {
    ($($name:ident = $folder:literal),* $(,)?) => {
        /// Their folders.
        pub(crate) const FOLDERS: &[&str] = &[$($folder),*];

        $(
            #[test]
            fn $name() {
                for &launch_type in host::ALL_LAUNCH_TYPES {
                    check($folder, launch_type, &[]);
                }
                check_as($folder, &[], slurm::launched);
            }
        )*
    };
}

examples! {
    hello = "hello",
    consumer_producers = "consumer-producers",
    parameter_server = "parameter-server",
    map_reduce = "map-reduce",
    evolution_strategies = "evolution-strategies",
    hello_python = "hello-python",
    hello_javascript = "hello-js",
    hello_c = "hello-c",
    hello_cpp = "hello-cpp",
    hello_zig = "hello-zig",
    hello_go = "hello-go",
    polyglot = "polyglot",
    actor_learner = "actor-learner",
    python_env = "python-env",
}

#[test]
fn a_guest_made_with_plain_wit_bindgen_runs_as_one_made_with_the_sdk_does() {
    let component = host::build(&["plain-consumer"]).join("plain_consumer.wasm");
    let change = format!("nodes.consumer.component={}", component.display());
    check("consumer-producers", LaunchType::Threads, &[change]);
}

#[test]
fn guests_without_async_need_no_engine_with_it() {
    let dir = host::build(&["probe", "probe-plain", "hello", "parameter-server"]);
    let uses_async = |name: &str| {
        lp_host::component::Component::read(&dir.join(name)).expect("the component can be read").uses_async
    };
    for plain in ["probe_plain.wasm", "hello.wasm", "parameter_server.wasm"] {
        assert!(!uses_async(plain), "{plain}");
    }
    assert!(uses_async("probe.wasm"));
}

/// Needs a client, and so is run by `replay.rs`.
const REPLAY_PYTHON: &str = "replay-python";

#[test]
fn every_example_is_tested_and_complete() {
    assert!(host::root().join("examples").join(REPLAY_PYTHON).is_dir());
    let tested = include_str!("examples.rs");
    for entry in std::fs::read_dir(host::root().join("examples")).expect("examples/ can be listed") {
        let path = entry.expect("the entry can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8").to_owned();
        assert!(tested.contains(&format!("= \"{name}\"")), "{name} is not tested");
        for file in ["README.md", "program.toml", "program.test.toml", "expected.txt"] {
            assert!(path.join(file).is_file(), "examples/{name} lacks {file}");
        }
    }
}

#[test]
fn words_are_counted_as_sort_and_uniq_count_them() {
    let dir = host::root().join("examples/map-reduce");
    let readme = std::fs::read_to_string(dir.join("README.md")).expect("the README is there");
    let pipeline = readme.lines().find(|line| line.contains("uniq -c")).expect("the README states the pipeline").trim();
    let output = Command::new("sh").args(["-c", pipeline]).current_dir(dir.join("data")).output().expect("sh runs");
    let expected = std::fs::read_to_string(dir.join("expected.txt")).expect("expected.txt is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{pipeline}");
}

#[test]
fn the_tests_of_the_examples_pass() {
    for (launch_type, passed) in [("test-threads", 45), ("test-processes", 32)] {
        let mut command = Command::new(host::BINARY);
        command.args(["test", "--build", "--no-fail-fast", "--launch-type", launch_type]);
        let output = command.arg(host::root().join("examples")).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        // They are in all languages.
        if output.status.code() == Some(4) {
            return eprintln!("skipped: {stderr}");
        }
        let ending = format!("\n{passed} passed, 0 failed\n");
        assert!(output.status.success() && stderr.ends_with(&ending), "{launch_type}: {stderr}");
    }
}
