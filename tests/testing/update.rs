//! `--update`: what came of calls becomes what the file of tests expects.

use std::path::Path;
use std::process::Command;

use super::PROGRAM;
use crate::config::check_text;
use crate::host;
use crate::run::Program;

const TESTS: &str = "\
# What is not about a call stays as it is.
[tests.wrong]   # so does this
doubles.b.answers = []
calls = [
    'a.echo( [1, 2] )  ->  [1, 3]', # and this
    \"a.echo([]) fails denied\",
    'a.echo([3]) -> [_]',
    'a.count() -> 7',
]

[tests.traps]
doubles.b.answers = []
calls = ['a.echo([1]) -> [2]', 'a.trap(\"as it must\")']

[tests.slow]
doubles.b.answers = []
timeout = '1s'
calls = ['a.echo([1]) -> [2]', 'a.sleep(600000)']

[tests.right]
doubles.b.answers = []
calls = ['a.echo([1]) -> [1]']
";

#[test]
fn calls_expect_what_came_of_them_and_other_failures_stay() {
    let program = Program::new(PROGRAM);
    let file = program.path().with_file_name("program.test.toml");
    std::fs::write(&file, TESTS).expect("it can be written");
    let run = |words: &[&str]| {
        let mut command = Command::new(host::BINARY);
        command.arg("test").args(words).arg("program.toml").current_dir(program.dir.path()).env("NO_COLOR", "1");
        command.output().expect("the binary runs")
    };
    let output = run(&["--update"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("program.test.toml wrong, 3 calls\n"), "{stderr}");
    assert!(stderr.ends_with("2 passed, 2 failed\n"), "{stderr}");
    let updated = std::fs::read_to_string(&file).expect("it is there");
    check_text(&updated, &Path::new(env!("CARGO_MANIFEST_DIR")).join("testing/updated.txt"));
    let output = run(&["--name", "wrong"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // What is as expected is written by nobody.
    let modified = || file.metadata().and_then(|metadata| metadata.modified()).expect("the system knows");
    let before = modified();
    assert!(run(&["--update", "--name", "wrong"]).status.success());
    assert_eq!(modified(), before);
}
