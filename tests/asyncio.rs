//! asyncio in nodes written in Python, and promises in JavaScript: the same as CPython's and Node.js's, within a call and
//! between calls.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{host, languages, python};

/// How often 100 calls wait for each other by events, and by each other means, in one run.
const ROUNDS: [&str; 2] = ["nodes.crowd.config.rounds=\"20\"", "nodes.crowd.config.shares=\"1\""];

type Said = BTreeMap<String, Vec<String>>;

/// The program in `tests/asyncio`, copied to where what it is built into is kept.
fn copied(name: &str, files: &[&str]) -> PathBuf {
    let (from, to) = (python::folder().join("asyncio"), Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    for file in files.iter().chain(&["wit/program.wit", "nodes/crowd/build.toml", "nodes/crowd/node.py"]) {
        let target = to.join(file);
        fs::create_dir_all(target.parent().expect("it is in a folder")).expect("a writable directory");
        fs::copy(from.join(file), target).expect("a writable directory");
    }
    to.join(files[0])
}

/// Runs a program whose actor plays the scenarios that `oracle` has played: under each launch type it says the same, and all
/// calls that wait for each other get their own answers.
fn check(program: &Path, oracle: &mut Command, scenarios_min: usize) {
    let said = python::run(oracle).expect("the oracle runs");
    let (printed, json) = said.trim_end().rsplit_once('\n').unwrap_or(("", &said));
    let oracle: Said = serde_json::from_str(json).expect("it says JSON");
    assert!(oracle.len() >= scenarios_min, "{oracle:?}");
    for launch_type in host::LAUNCH_TYPES {
        let mut run = Command::new(host::BINARY);
        run.arg("run").arg(program).arg(format!("--launch-type={launch_type}"));
        let output = run.args(ROUNDS.iter().flat_map(|set| ["--set", set])).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let of = |node: &str| -> Vec<_> {
            let prefix = format!("{node}/0 │ ");
            stdout.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
        };
        assert_eq!(of("actor").join("\n"), printed, "under {launch_type}");
        let mut lines = of("crowd").into_iter();
        let said: Said = serde_json::from_str(&lines.next().expect("it says what it was told")).expect("it says JSON");
        assert_eq!(said, oracle, "under {launch_type}");
        let means = ["future", "lock", "queue", "condition", "semaphore", "barrier", "timeout"];
        let shared = means.map(|means| format!("shared {means}"));
        let expected = [&["linked".to_owned()][..], &shared, &["left".to_owned()]].concat();
        assert_eq!(lines.collect::<Vec<_>>(), expected, "under {launch_type}: {stderr}");
    }
}

#[test]
fn asyncio_in_a_node_does_what_it_does_in_cpython() {
    let files = ["program.toml", "nodes/actor/build.toml", "nodes/actor/node.py", "nodes/actor/scenarios.py"];
    let program = copied("asyncio", &files);
    if let Err(reason) = languages::build_program(&program) {
        return eprintln!("skipped: {reason}");
    }
    let mut cpython = Command::new("python3");
    cpython.arg(program.with_file_name("nodes").join("actor/scenarios.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    check(&program, &mut cpython, 40);
}

#[test]
fn promises_and_the_web_in_a_node_do_what_they_do_in_node_js() {
    let files = ["js.toml", "nodes/js/build.toml", "nodes/js/node.js", "nodes/js/scenarios.mjs", "nodes/js/oracle.mjs"];
    let program = copied("asyncio", &files);
    if let Err(reason) = languages::build_program(&program) {
        return eprintln!("skipped: {reason}");
    }
    let mut node = Command::new("node");
    node.arg(program.with_file_name("nodes").join("js/oracle.mjs"));
    check(&program, &mut node, 20);
}
