//! One set of features for every command, so that naming fewer packages builds nothing anew.

use std::collections::BTreeSet;
use std::process::Command;

use crate::host;

/// Every dependency of the default packages, or of one package, with the features that Cargo gives it.
fn features(package: Option<&str>) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["tree", "--offline", "--color", "never", "--prefix", "none", "--format", "{p} {f}"])
        .current_dir(host::root());
    cargo.args(package.iter().flat_map(|package| ["--package", package]));
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    // A line that was there before is marked.
    lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn a_command_that_names_few_packages_builds_nothing_anew() {
    let all = features(None);
    for package in ["lp-tests", "lp-run", "lp-runtime", "lp-sandbox", "lp-courier"] {
        let others: Vec<_> = features(Some(package)).difference(&all).cloned().collect();
        let mend = "name it with all its features in host/features/Cargo.toml";
        assert!(others.is_empty(), "`-p {package}` builds {others:?}, which the default packages don't: {mend}");
    }
}
