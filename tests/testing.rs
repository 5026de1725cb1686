//! `lp-host test`: files of tests in, results out, under both launch types.

mod in_rust;
mod listed;
mod update;
mod watch;

use std::path::Path;
use std::process::{Command, Output};

use crate::config::check_text;
use crate::host;
use crate::run::Program;

/// A node that serves `echo` and does nothing by itself, and one that holds a handle of it.
const PROGRAM: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
                       [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:5']\n";

/// A program and its tests, run by the real binary with these words.
pub(crate) fn test(program: &str, tests: &str, words: &[&str]) -> Output {
    let program = Program::new(program);
    let tests = tests.replace("ASYNC", &format!("component = \"{}\"", host::guests().join("probe.wasm").display()));
    std::fs::write(program.path().with_file_name("program.test.toml"), tests).expect("it can be written");
    let dir = program.path().parent().expect("it is in a folder").to_owned();
    let mut command = Command::new(host::BINARY);
    command.arg("test").args(words).arg("program.toml").current_dir(dir).env("NO_COLOR", "1");
    command.output().expect("the binary runs")
}

/// Runs tests under both launch types, and returns each one's result as JSON by its name.
#[track_caller]
fn results(program: &str, tests: &str) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for launch_type in ["test-threads", "test-processes"] {
        let output = test(program, tests, &["--no-fail-fast", "--format", "json", "--launch-type", launch_type]);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!lines.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        all.extend(lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("it is JSON")));
    }
    all.retain(|result| result["type"] == "test");
    all
}

#[track_caller]
fn check_passes(program: &str, tests: &str) {
    let results = results(program, tests);
    assert!(!results.is_empty() && results.iter().all(|result| result["passed"] == true), "{results:#?}");
}

/// Checks that every test fails with a problem that has this text in it.
#[track_caller]
fn check_fails(program: &str, tests: &str, problem: &str) {
    let results = results(program, tests);
    assert!(!results.is_empty());
    for result in results {
        let problems = result["problems"].as_array().expect("it has a list of them");
        let told = problems.iter().filter_map(|text| text.as_str()).any(|text| text.contains(problem));
        assert!(result["passed"] == false && told, "{result:#}");
    }
}

#[test]
fn calls_are_made_in_order_and_compared_with_what_is_expected() {
    check_passes(
        PROGRAM,
        "[tests.right]\ndoubles.b.answers = []\ncalls = ['a.echo([1, 2]) -> [1, 2]', 'a.echo([3, 4]) -> [_, 4]', 'a/0.echo([])']\n",
    );
    check_fails(
        PROGRAM,
        "[tests.wrong]\ndoubles.b.answers = []\ncalls = ['a.echo([1, 2]) -> [1, 3]']\n",
        "`a.echo([1, 2]) -> [1, 3]`: expected another result, found `[1, 2]`",
    );
    check_fails(
        PROGRAM,
        "[tests.wrong]\ndoubles.b.answers = []\ncalls = ['a.echo([1]) fails denied']\n",
        "expected fails denied, found `[1]`",
    );
}

#[test]
fn a_test_waits_for_the_runs_that_it_names_and_for_those_of_its_own_nodes() {
    check_passes(PROGRAM, "[tests.waits]\nwaits-for = ['b']\nexpect = { states = { b = 'finished', a = 'ended' } }\n");
    let own = "[tests.drives]\nexpect = { output = ['driver/0 │'] }\n\
               [tests.drives.program.nodes.driver]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:5']\n";
    check_passes(PROGRAM, own);
    check_fails(PROGRAM, &own.replace("'plain-echo:5'", "'fail'"), "`driver/0` failed");
}

#[test]
fn a_program_that_a_node_has_stopped_is_not_hurried_when_the_test_has_what_it_waits_for() {
    let program = "grace = '10s'\n[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['stop']\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nargs = ['wait-for-stop', 'sleep:300', 'print:done']\n";
    let tests = "[tests.stops]\nwaits-for = ['a']\nexpect = { states = { b = 'finished' }, output = ['b/0 │ done'] }\n";
    check_passes(program, tests);
}

#[test]
fn a_double_answers_counts_and_fails_on_what_nobody_expected() {
    let answered = "[tests.answered]\nwaits-for = ['b']\n[tests.answered.doubles.a]\nanswers = [";
    check_passes(PROGRAM, &format!("{answered}{{ call = 'echo(_) -> [1, 2]', times = 1 }}]\n"));
    check_fails(PROGRAM, &format!("{answered}{{ call = 'echo(_) -> [1, 2]', times = 2 }}]\n"), "answered 1 calls of 2");
    check_fails(PROGRAM, &format!("{answered}'echo([7]) -> []']\n"), "no answer is left for the call `echo([");
}

#[test]
fn a_test_that_takes_too_long_says_what_it_waited_for() {
    let program = PROGRAM.replace("'plain-echo:5'", "'sleep:600000'");
    check_fails(&program, "[tests.slow]\nwaits-for = ['b']\ntimeout = '300ms'\n", "waiting for the `run` of `b`");
}

#[test]
fn a_test_writes_to_a_copy_and_leaves_nothing() {
    let program = Program::new(
        "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['create:/data/file']\nsandbox = { dirs = [{ host = 'data', guest = '/data', access = 'read-write' }] }\n",
    );
    let dir = program.path().parent().expect("it is in a folder").to_owned();
    std::fs::create_dir(dir.join("data")).expect("it can be made");
    std::fs::write(dir.join("program.test.toml"), "[tests.writes]\nwaits-for = ['a']\n").expect("it can be written");
    let temporary = tempfile::tempdir().expect("a temporary directory can be made");
    let mut command = Command::new(host::BINARY);
    let output = command.arg("test").arg("program.toml").current_dir(&dir).env("TMPDIR", temporary.path()).output();
    let output = output.expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let left = |dir: &Path| std::fs::read_dir(dir).expect("it can be listed").count();
    assert_eq!((left(&dir.join("data")), left(temporary.path())), (0, 0));
}

#[test]
fn a_node_that_reads_files_takes_no_virtual_time() {
    check_passes(
        "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['read:/data/program.toml']\n\
         sandbox = { dirs = [{ host = '.', guest = '/data', access = 'read' }] }\n",
        "[tests.reads]\nwaits-for = ['a']\ntimeout = '5s'\nexpect = { output = ['a/0 │ Ok('] }\n",
    );
}

#[test]
fn wrong_tests_are_told_with_their_places() {
    let wrong = "\
[tests.unknown-node]
calls = [\"c.echo([])\"]

[tests.unknown-method]
calls = [\"a.ecko([])\", \"a.echo()\", \"a.echo(\\\"x\\\")\", \"a.echo([1]) -> true\", \"a/1.echo([])\", \"a.echo([1]) fails badly\", \"echo\"]

[tests.nothing]
timeout = \"5s\"

[tests.waits-for-nobody]
waits-for = [\"a\", \"c\"]
doubles.c.answers = []

[tests.doubles]
doubles.a.answers = [\"echo(1) -> []\", \"echo(_) -> 7\", \"ecko(_)\"]
";
    let output = test(PROGRAM, wrong, &[]);
    assert_eq!(output.status.code(), Some(3));
    check_text(
        &String::from_utf8_lossy(&output.stderr),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("testing/wrong.txt"),
    );
    let output = test(PROGRAM, "[tests.a]\ntimout = \"5s\"\n[tests.B_c]\ntimeout = \"5 parsecs\"\ncalls = 5\n", &[]);
    assert_eq!(output.status.code(), Some(3));
    check_text(
        &String::from_utf8_lossy(&output.stderr),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("testing/unread.txt"),
    );
}

#[test]
fn results_are_read_by_people_and_by_machines() {
    let tests = "[tests.right]\ndoubles.b.answers = []\ncalls = ['a.echo([1]) -> [1]']\n\
                 [tests.wrong]\ndoubles.b.answers = []\ncalls = ['a.echo([1]) -> [2]']\n";
    let output = test(PROGRAM, tests, &["--jobs", "1", "--format", "github", "--junit", "junit.xml"]);
    assert_eq!(output.status.code(), Some(1));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        stdout.starts_with("::error file=program.test.toml,title=wrong::`a.echo([1]) -> [2]`: expected"),
        "{stdout}"
    );
    assert!(stderr.contains("program.test.toml right\n") && stderr.ends_with("1 passed, 1 failed\n"), "{stderr}");
    let output = test(PROGRAM, tests, &["--list", "--name", "ri"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "program.test.toml right\n");
}
