//! Many calls at once, from one guest and in one instance, in each language: no clock is looked at, since calls that waited
//! for each other would wait forever.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use lp_host::plan::LaunchType;

use crate::host;
use crate::languages::{Built, build};

pub(crate) fn component(language: &str) -> Built {
    static RUST: OnceLock<PathBuf> = OnceLock::new();
    match language {
        "rust" => Ok(RUST.get_or_init(|| host::build(&["gate", "meeting"]).join("meeting.wasm")).clone()),
        _ => build(&format!("tests/meeting/{language}")),
    }
}

/// Has a guest in one language make a hundred calls at once to one in another, or a single one where either can't, and then
/// `calls` more with 1 KiB each. Returns the report of the run.
fn meet(caller: &str, relay: &str, launch_type: LaunchType, calls: u32) -> Result<serde_json::Value, String> {
    let at_once = if [caller, relay].contains(&"go") { 1 } else { 100 };
    // The gate is in Rust.
    component("rust")?;
    let set = |node: &str, path: PathBuf| format!("nodes.{node}.component={}", path.display());
    let (caller, relay) = (set("caller", component(caller)?), set("relay", component(relay)?));
    let mut command = Command::new(host::BINARY);
    command
        .args(["run", "--format", "json", "--set", &caller, "--set", &relay])
        .args(["--set", &format!("nodes.caller.config.calls=\"{calls}\"")])
        .args(["--set", &format!("nodes.caller.config.at-once=\"{at_once}\"")])
        .arg(host::root().join("tests/meeting/program.toml"));
    let output = host::launched(command, launch_type).output().expect("the binary runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert!(stdout.contains(&format!("{at_once} calls met {at_once}")), "{stdout}{stderr}");
    Ok(serde_json::from_str(stdout.lines().last().expect("there is a report")).expect("a report is JSON"))
}

/// Every language that can have many calls under way, as caller and as relay.
const AT_ONCE: [&str; 6] = ["rust", "python", "js", "c", "cpp", "zig"];

/// Every language.
const LANGUAGES: [&str; 7] = ["rust", "python", "js", "c", "cpp", "zig", "go"];

/// Meets relays in every language under each launch type.
fn check(caller: &str) {
    for relay in AT_ONCE {
        for &launch_type in host::ALL_LAUNCH_TYPES {
            if let Err(reason) = meet(caller, relay, launch_type, 0) {
                eprintln!("skipped: {reason}");
            }
        }
    }
}

#[test]
fn a_hundred_calls_at_once_from_rust() {
    check("rust");
}

#[test]
fn a_hundred_calls_at_once_from_python() {
    check("python");
}

#[test]
fn a_hundred_calls_at_once_from_javascript() {
    check("js");
}

#[test]
fn a_hundred_calls_at_once_from_c() {
    check("c");
}

#[test]
fn a_hundred_calls_at_once_from_cpp() {
    check("cpp");
}

#[test]
fn a_hundred_calls_at_once_from_zig() {
    check("zig");
}

/// The most memory of a replica in any of the languages: calls that each left their kilobyte behind would need 100 MiB.
const MEMORY_BYTES_MAX: u64 = 24 * 1024 * 1024;

/// Makes a hundred thousand calls with 1 KiB each, and looks at the memory of both ends.
fn check_memory(caller: &str, relay: &str, launch_type: LaunchType) {
    let report = match meet(caller, relay, launch_type, 100_000) {
        Ok(report) => report,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    for replica in report["replicas"].as_array().expect("the report has replicas") {
        let bytes = replica["memory_peak_bytes"].as_u64().expect("the report has the memory");
        assert!(bytes < MEMORY_BYTES_MAX, "{caller} to {relay}: {replica}");
    }
}

#[test]
fn a_hundred_thousand_calls_leave_the_memory_of_a_called_node_bounded() {
    LANGUAGES.iter().for_each(|relay| check_memory("rust", relay, LaunchType::Threads));
}

#[test]
fn a_hundred_thousand_calls_leave_the_memory_of_a_calling_node_bounded() {
    LANGUAGES[1..].iter().for_each(|caller| check_memory(caller, "rust", LaunchType::Threads));
}

#[test]
fn a_hundred_thousand_calls_from_go_to_go_collect_their_garbage() {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        check_memory("go", "go", launch_type);
    }
}
