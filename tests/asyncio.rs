//! asyncio in nodes written in Python: the same as CPython's, within a call and between calls.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{host, languages, python};

/// How often 100 calls wait for each other by events, and by each other means, in one run.
const ROUNDS: [&str; 2] = ["nodes.crowd.config.rounds=\"20\"", "nodes.crowd.config.shares=\"1\""];

type Said = BTreeMap<String, Vec<String>>;

/// The program in `tests/asyncio`, copied to where what it is built into is kept.
fn program() -> PathBuf {
    let (from, to) = (python::folder().join("asyncio"), Path::new(env!("CARGO_TARGET_TMPDIR")).join("asyncio"));
    for file in [
        "program.toml",
        "wit/program.wit",
        "nodes/actor/build.toml",
        "nodes/actor/node.py",
        "nodes/actor/scenarios.py",
        "nodes/crowd/build.toml",
        "nodes/crowd/node.py",
    ] {
        let target = to.join(file);
        fs::create_dir_all(target.parent().expect("it is in a folder")).expect("a writable directory");
        fs::copy(from.join(file), target).expect("a writable directory");
    }
    to.join("program.toml")
}

#[test]
fn asyncio_in_a_node_does_what_it_does_in_cpython() {
    let program = program();
    if let Err(reason) = languages::build_program(&program) {
        return eprintln!("skipped: {reason}");
    }
    let mut cpython = Command::new("python3");
    cpython.arg(program.with_file_name("nodes").join("actor/scenarios.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    let oracle: Said = serde_json::from_str(&python::run(&mut cpython).expect("Python runs")).expect("it says JSON");
    assert!(oracle.len() >= 40, "{oracle:?}");
    for launch_type in host::LAUNCH_TYPES {
        let mut run = Command::new(host::BINARY);
        run.arg("run").arg(&program).arg(format!("--launch-type={launch_type}"));
        let output = run.args(ROUNDS.iter().flat_map(|set| ["--set", set])).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let mut lines = stdout.lines().filter_map(|line| line.strip_prefix("crowd/0 │ "));
        let said: Said = serde_json::from_str(lines.next().expect("it says what it was told")).expect("it says JSON");
        assert_eq!(said, oracle, "under {launch_type}");
        let means = ["future", "lock", "queue", "condition", "semaphore", "barrier", "timeout"];
        let shared = means.map(|means| format!("shared {means}"));
        let expected = [&["linked".to_owned()][..], &shared, &["left".to_owned()]].concat();
        assert_eq!(lines.collect::<Vec<_>>(), expected, "under {launch_type}: {stderr}");
    }
}
