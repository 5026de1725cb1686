//! Nodes that have tests of their own: each is found, run and reported by itself.

use std::path::Path;
use std::process::Output;

use super::test;
use crate::host;
use crate::languages::build;

const PROGRAM: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n";

/// A test whose tests a node has, which is this component with these lines.
fn listing(component: &Path, lines: &str) -> String {
    format!("[tests.own]\n[tests.own.program.nodes.driver]\ncomponent = '{}'\n{lines}", component.display())
}

fn rust() -> std::path::PathBuf {
    host::build(&["tested"]).join("tested.wasm")
}

fn lines(output: &Output) -> Vec<serde_json::Value> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(!stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    stdout.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

/// Checks the results of a component's tests under both launch types, in their order: the name, and a part of the first
/// problem of one that fails.
#[track_caller]
fn check(component: &Path, expected: &[(&str, Option<&str>)]) {
    for launch_type in ["test-threads", "test-processes"] {
        let words = ["--no-fail-fast", "--jobs", "1", "--format", "json", "--launch-type", launch_type];
        let lines = lines(&test(PROGRAM, &listing(component, ""), &words));
        let found: Vec<_> = lines.iter().filter(|line| line["type"] == "test").collect();
        assert_eq!(found.len(), expected.len(), "{lines:#?}");
        for (line, (name, problem)) in found.into_iter().zip(expected) {
            assert_eq!((&line["name"], &line["passed"]), (&(*name).into(), &problem.is_none().into()), "{line:#}");
            let first = line["problems"][0].as_str().unwrap_or_default();
            assert!(first.contains(problem.unwrap_or_default()), "{line:#}");
        }
    }
}

#[test]
fn the_tests_of_a_node_in_rust_are_run_one_by_one() {
    let expected = [
        ("own/passes", None),
        ("own/fails", Some("`driver.run(\"fails\")`: 7 is not 8")),
        ("own/traps", Some("`driver.run(\"traps\")`")),
    ];
    check(&rust(), &expected);
}

#[test]
fn the_tests_of_a_node_in_python_are_run_one_by_one() {
    let component = match build("tests/testing/python") {
        Ok(component) => component,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let expected = [
        ("own/passes", None),
        ("own/fails", Some("AssertionError (line 11 of node.py, in `test_fails`)")),
        ("own/raises", Some("KeyError: 'nowhere' (line 15 of node.py, in `test_raises`)")),
    ];
    check(&component, &expected);
}

#[test]
fn the_tests_of_a_node_in_javascript_are_run_one_by_one() {
    let component = match build("tests/testing/js") {
        Ok(component) => component,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let expected = [
        ("own/passes", None),
        ("own/fails", Some("Error: 7 is not 8")),
        ("own/fails-with-a-call-error", Some("{\"tag\":\"unavailable\"}")),
    ];
    check(&component, &expected);
}

#[test]
fn listed_tests_are_named_after_their_test() {
    let tests = listing(&rust(), "") + "[tests.plain]\ncalls = ['a.echo([1]) -> [1]']\n";
    let listed = |words: &[&str]| {
        let output = test(PROGRAM, &tests, &[&["--list"], words].concat());
        String::from_utf8_lossy(&output.stdout).replace("program.test.toml ", "").replace('\n', " ")
    };
    assert_eq!(listed(&[]), "own/passes own/fails own/traps plain ");
    assert_eq!(listed(&["--name", "own"]), "own/passes own/fails own/traps ");
    assert_eq!(listed(&["--name", "own/fails"]), "own/fails ");
    assert_eq!(listed(&["--name", "trap"]), "own/traps ");
    assert_eq!(listed(&["--name", "plain"]), "plain ");
    let output = test(PROGRAM, &tests, &["--name", "own/passes", "--junit", "junit.xml", "--seeds", "3"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("program.test.toml own/passes, 3 seeds\n1 passed, 0 failed\n"), "{stderr}");
    let output = test(PROGRAM, &tests, &["--name", "own/fails", "--seeds", "3", "--set", "nodes.a.args=['x']"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let replayed = "lp-host test program.test.toml --set 'nodes.a.args=['\\''x'\\'']' --name own/fails --seed 0";
    assert!(stderr.contains(replayed), "{stderr}");
}

#[test]
fn names_that_name_no_tests_are_refused() {
    let refused = |names: &str| {
        let lines = format!("config = {{ names = \"{names}\" }}\n");
        let output = test(PROGRAM, &listing(&rust(), &lines), &[]);
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused("").contains("program.test.toml own: `driver` has no tests: it lists none"));
    assert!(refused("a,B_c").contains("`driver` lists a test `B_c`;"));
    assert!(refused("a,b,a").contains("`driver` and `driver` both list a test `a`"));
    // A name of the terminal's is shown as what it is.
    assert!(refused("a\\u001b[2K").contains("a\\u{1b}[2K"), "{}", refused("a\\u001b[2K"));
}

#[test]
fn another_interface_of_that_name_is_refused() {
    let text = r#"(component
        (core module $m (func (export "names") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $names (result u32) (canon lift (core func $i "names")))
        (instance $tests (export "names" (func $names)))
        (export "lp:test/tests@0.1.0" (instance $tests)))"#;
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let component = dir.path().join("driver.wasm");
    std::fs::write(&component, wat::parse_str(text).expect("it is a component")).expect("it can be written");
    let output = test(PROGRAM, &listing(&component, ""), &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let expected = "error[bad-tests]: the `lp:test/tests@0.1.0` of `driver` is another interface of that name\n \
                    --> program.test.toml:1:8";
    assert!(output.status.code() == Some(3) && stderr.contains(expected), "{stderr}");
}

#[test]
fn calls_of_the_test_come_before_each_of_its_tests() {
    let tests = listing(&rust(), "").replace("[tests.own]\n", "[tests.own]\ncalls = ['a.echo([1]) -> [2]']\n");
    let output = test(PROGRAM, &tests, &["--name", "own/passes"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("`a.echo([1]) -> [2]`: expected another result, found `[1]`"), "{stderr}");
}
