//! Many calls at once, from one guest and in one instance, in each language that can: no clock is looked at, since calls
//! that waited for each other would wait forever.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::host;
use crate::languages::{Built, build};

fn component(language: &str) -> Built {
    static RUST: OnceLock<PathBuf> = OnceLock::new();
    match language {
        "rust" => Ok(RUST.get_or_init(|| host::build(&["gate", "meeting"]).join("meeting.wasm")).clone()),
        _ => build(&format!("tests/meeting/{language}")),
    }
}

/// Has a guest in one language make a hundred calls at once to one in another, and then `calls` more with 1 KiB each.
/// Returns the report of the run.
fn meet(caller: &str, relay: &str, launch_type: &str, calls: u32) -> Result<serde_json::Value, String> {
    // The gate is in Rust.
    component("rust")?;
    let set = |node: &str, path: PathBuf| format!("nodes.{node}.component={}", path.display());
    let (caller, relay) = (set("caller", component(caller)?), set("relay", component(relay)?));
    let output = Command::new(host::BINARY)
        .args(["run", "--format", "json", "--launch-type", launch_type, "--set", &caller, "--set", &relay])
        .args(["--set", &format!("nodes.caller.config.calls=\"{calls}\"")])
        .arg(host::root().join("tests/meeting/program.toml"))
        .output()
        .expect("the binary runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("100 calls met 100"), "{stdout}{stderr}");
    Ok(serde_json::from_str(stdout.lines().last().expect("there is a report")).expect("a report is JSON"))
}

/// Meets under each launch type.
fn check(caller: &str, relay: &str) {
    for (launch_type, _) in lp_host::plan::LaunchType::NAMES {
        if let Err(reason) = meet(caller, relay, &launch_type.to_string(), 0) {
            return eprintln!("skipped: {reason}");
        }
    }
}

#[test]
fn a_hundred_calls_at_once_from_rust() {
    ["rust", "python", "js"].iter().for_each(|relay| check("rust", relay));
}

#[test]
fn a_hundred_calls_at_once_from_python() {
    ["rust", "python", "js"].iter().for_each(|relay| check("python", relay));
}

#[test]
fn a_hundred_calls_at_once_from_javascript() {
    ["rust", "python", "js"].iter().for_each(|relay| check("js", relay));
}

/// The most memory of a replica in any of the languages: calls that each left their kilobyte behind would need 100 MiB.
const MEMORY_BYTES_MAX: u64 = 24 * 1024 * 1024;

#[test]
fn a_hundred_thousand_calls_leave_the_memory_of_each_language_bounded() {
    // Python as a caller is left out: docs/languages.md says what its toolchain keeps of each call.
    for (caller, relay) in [("rust", "rust"), ("rust", "python"), ("rust", "js"), ("js", "rust")] {
        let report = match meet(caller, relay, "threads", 100_000) {
            Ok(report) => report,
            Err(reason) => return eprintln!("skipped: {reason}"),
        };
        for replica in report["replicas"].as_array().expect("the report has replicas") {
            let bytes = replica["memory_peak_bytes"].as_u64().expect("the report has the memory");
            assert!(bytes < MEMORY_BYTES_MAX, "{caller} to {relay}: {replica}");
        }
    }
}
