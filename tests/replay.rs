//! The stock client of Reverb against a replay service and against the original: it has to see the same.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::python;

/// The last release. It needs one minor version of TensorFlow and Python 3.11 at most.
const PACKAGES: [&str; 2] = ["dm-reverb==0.14.0", "tensorflow-cpu~=2.15.0"];

const SERVER: &str = env!("CARGO_BIN_EXE_replay-server");

/// What each case of `replay/conformance.py` comes to against a server.
fn outcomes(python: &Path, server: &str) -> BTreeMap<String, Value> {
    let mut script = python::script(python, "replay/conformance.py");
    let printed = python::run(script.arg(server)).unwrap_or_else(|error| panic!("{server}: {error}"));
    let lines = printed.lines().map(|line| serde_json::from_str(line).expect("the script prints JSON"));
    lines.map(|(name, outcome): (String, Value)| (name, outcome)).collect()
}

#[test]
fn the_stock_client_of_reverb_sees_no_difference() {
    let python = match python::environment("python3.11", &PACKAGES) {
        Ok(python) => python,
        Err(reason) => return eprintln!("skipped: there is no Python 3.11 with dm-reverb: {reason}"),
    };
    let (mut ours, theirs) = (outcomes(&python, SERVER), outcomes(&python, "original"));
    // What either writes, the other one loads as if it were its own.
    for crossed in ["theirs here", "ours there"] {
        assert_eq!(ours.remove(crossed), theirs.get("checkpoint").cloned(), "{crossed}");
    }
    let kills = ours.remove("kills");
    assert_eq!(kills, Some(serde_json::json!([[], true])), "servers that were killed while they wrote a checkpoint");
    assert!(theirs.len() > 15, "{theirs:?}");
    for (name, outcome) in &theirs {
        assert_eq!(ours.get(name), Some(outcome), "case `{name}`");
    }
    assert_eq!(ours.len(), theirs.len());
}
