//! Faults, and the search for orders and faults that a program does not stand: planted bugs are found, made again and shrunk.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::config::check_text;
use crate::host;
use crate::testing::test;

/// The planted bugs, each with a mended form of the same name with `-mended` behind it, and where to search for it, so that a
/// test takes seconds: from 0 on, the first seeds that fail are 116, 19, 13 and 509.
const BUGS: [(&str, &[&str]); 4] = [
    ("lost-update", &["--seed", "110", "--steps", "283"]),
    ("at-most-once", &["--seed", "0"]),
    ("deadlock", &["--seed", "0"]),
    ("check-then-act", &["--seed", "505", "--steps", "2514"]),
];

/// `lp-host test` with these words, in the folder of the repository.
fn lp_host_test(words: &[&str]) -> Output {
    host::build(&["bugs"]);
    let mut command = Command::new(host::BINARY);
    command.arg("test").args(words).current_dir(host::root()).env("NO_COLOR", "1");
    command.output().expect("the binary runs")
}

/// The result of one of the tests of `tests/bugs`, as JSON.
#[track_caller]
fn result(name: &str, words: &[&str]) -> Value {
    let output = lp_host_test(&[&["tests/bugs", "--name", name, "--format", "json"], words].concat());
    let stdout = String::from_utf8_lossy(&output.stdout);
    let first = stdout.lines().next().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(first).expect("it is JSON")
}

/// The words of a command as the search prints it, behind `lp-host test`.
fn words(command: &Value) -> Vec<String> {
    let command = command.as_str().expect("it is a text");
    command.split(' ').skip(2).map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[test]
fn the_search_finds_planted_bugs_makes_them_again_and_shrinks_them() {
    for (bug, from) in BUGS {
        let result = result(bug, &[from, &["--seeds", "1000"]].concat());
        let found = &result["found"];
        assert!(found.is_object(), "{bug}: {result:#}");
        let (happenings, left) = (found["happenings"].as_u64(), found["left"].as_u64());
        assert!(left.is_some_and(|left| 0 < left && left * 4 <= happenings.unwrap_or_default()), "{bug}: {found}");
        for command in ["command", "shrunk-command"] {
            let words = words(&found[command]);
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let again = || lp_host_test(&[&words[..], &["--format", "json"]].concat()).stdout;
            let first = again();
            for _ in 0..4 {
                assert_eq!(again(), first, "{bug}: {words:?}");
            }
            let again: Value = serde_json::from_slice(first.split(|byte| *byte == b'\n').next().unwrap_or_default())
                .expect("it is JSON");
            assert_eq!(again["problems"][0], result["problems"][0], "{bug}: {words:?}");
        }
    }
}

#[test]
fn no_seed_fails_what_was_mended() {
    for (bug, _) in BUGS {
        let result = result(&format!("{bug}-mended"), &["--seeds", "60"]);
        assert!(result["passed"] == true && result["seeds"] == 60, "{result:#}");
    }
}

#[test]
fn clocks_are_ahead_for_the_time_that_a_test_says() {
    let program = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nreplicas = 2\n\
                   args = ['time', 'sleep:2000', 'time', 'sleep:2000', 'time']\n";
    let times = |faults: &str| {
        let tests =
            format!("[tests.reads]\nwaits-for = ['a']\nexpect = {{ output = ['never'] }}\nfaults = [{faults}]\n");
        let output = test(program, &tests, &["--format", "json"]);
        let result: Value =
            serde_json::from_slice(output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default())
                .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let of = |replica: usize| {
            let lines = result["output"][replica]["lines"].as_array().expect("it printed").iter();
            let seconds = lines.filter_map(|line| line.as_str()?.strip_prefix("Ok(")?.split(['.', 's']).next());
            seconds.map(|seconds| seconds.parse::<u64>().expect("seconds")).collect::<Vec<_>>()
        };
        (of(0), of(1))
    };
    let (first, second) = times("");
    assert_eq!((first.len(), &first), (3, &second));
    let ahead = |by: [u64; 3]| first.iter().zip(by).map(|(time, by)| time + by).collect::<Vec<_>>();
    assert_eq!(times("{ skew = 'a/1', by = '1h' }"), (first.clone(), ahead([3600; 3])));
    assert_eq!(times("{ skew = 'a', by = '5s', at = '1s', for = '2s' }"), (ahead([0, 5, 0]), ahead([0, 5, 0])));
}

#[test]
fn a_seed_has_one_timeline() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let drawn = |name: &str, seed: &str| {
        let path = dir.path().join(name);
        let path_text = path.to_str().expect("it is UTF-8").to_owned();
        let words = ["tests/bugs", "--name", "at-most-once", "--seed", seed, "--timeline", &path_text];
        let output = lp_host_test(&words);
        (std::fs::read_to_string(path).expect("it was written"), output.stderr)
    };
    let first = drawn("a.svg", "19");
    assert_eq!(drawn("b.svg", "19"), first);
    assert_ne!(drawn("c.svg", "20").0, first.0);
    assert!(first.0.contains(">client/0</text>") && first.0.contains("✗ partition client"), "{}", first.0);
}

#[test]
fn chaos_is_the_same_for_the_same_seed_and_strikes() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let drawn = |seed: u32| {
        let path = dir.path().join("chaos.svg").to_str().expect("it is UTF-8").to_owned();
        let seed = seed.to_string();
        lp_host_test(&["tests/bugs", "--name", "deadlock-mended", "--seed", &seed, "--chaos", "--timeline", &path]);
        std::fs::read_to_string(path).expect("it was written")
    };
    let runs: Vec<_> = (0..10).map(drawn).collect();
    assert_eq!(runs, (0..10).map(drawn).collect::<Vec<_>>());
    let faults = runs.iter().flat_map(|run| run.split("✗ ").skip(1)).filter_map(|text| text.split(' ').next());
    let kinds: BTreeSet<_> = faults.collect();
    assert!(kinds.len() > 3, "{kinds:?}");
}

/// A node that serves, and one that calls it and prints what came of that. Its handle has a timeout.
const CALLS: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\nrestart = { policy = 'on-failure' }\n\
                     [nodes.b]\nASYNC\nhandles = { probe = { node = 'a', timeout = '500ms', when-full = 'fail' } }\n";

/// Checks what `b` prints when it does these steps with this fault.
#[track_caller]
fn check(fault: &str, steps: &str, lines: &[&str]) {
    let program = format!("{CALLS}args = [{steps}]\n");
    let lines: Vec<_> = lines.iter().map(|line| format!("'b/0 │ {line}'")).collect();
    let tests = format!(
        "[tests.faulty]\nwaits-for = ['b']\nfaults = [{{ {fault} }}]\nexpect = {{ output = [{}] }}\n",
        lines.join(", ")
    );
    let output = test(&program, &tests, &[]);
    assert!(output.status.success(), "{fault}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn each_fault_does_what_it_says() {
    check("fail = 'b -> a', with = 'overloaded', call = 2", "'plain-check:1', 'plain-check:2'", &["Ok(1)", "Err(Over"]);
    check("fail = 'a', probability = 1.0, times = 1", "'plain-check:1', 'plain-check:2'", &["Err(Unav", "Ok(2)"]);
    check("drop = 'b/0 -> a/0.check'", "'plain-check:1'", &["Err(DeadlineExceeded)"]);
    check("drop = 'a', leg = 'answer', call = 1", "'plain-check:1', 'plain-check:2'", &["Err(Deadline", "Ok(2)"]);
    check("drop = 'a.echo'", "'plain-check:1'", &["Ok(1)"]);
    check("delay = 'b -> a', by = '400ms'", "'plain-check:1'", &["Ok(1)"]);
    check("delay = 'b -> a', by = '501ms'", "'plain-check:1'", &["Err(DeadlineExceeded)"]);
    check("delay = 'a', by = '1h', at = '1m', for = '1s'", "'plain-check:1'", &["Ok(1)"]);
    check("reorder = 'a', by = '400ms', probability = 0.5", "'plain-check:1', 'plain-check:2'", &["Ok(1)", "Ok(2)"]);
    check("fill = 'a', by = '1s', call = 1", "'plain-check:1', 'plain-check:2'", &["Err(Overloaded)", "Ok(2)"]);
    check("crash = 'a', call = 1", "'plain-check:1', 'sleep:300', 'plain-check:2'", &["Err(Failed", "Ok(2)"]);
    check("crash = ['a/0'], at = '10ms'", "'plain-check:20', 'sleep:300', 'plain-check:2'", &["Err(Failed", "Ok(2)"]);
    check(
        "crash = 'a', leg = 'answer', call = 1",
        "'plain-check:1', 'sleep:300', 'plain-check:2'",
        &["Err(Fai", "Ok(2)"],
    );
    let later = "'plain-check:1', 'sleep:2000', 'plain-check:2'";
    check("pause = 'a', at = '0ms', for = '1s'", later, &["Err(DeadlineExceeded)", "Ok(2)"]);
    check("partition = 'b', at = '0ms', for = '1s'", later, &["Err(DeadlineExceeded)", "Ok(2)"]);
}

#[test]
fn a_crash_fails_a_program_whose_node_may_not_restart() {
    let program = CALLS.replace("restart = { policy = 'on-failure' }\n", "");
    let tests = "[tests.faulty]\nfaults = [{ crash = 'a', call = 1 }]\n\
                 expect = { outcome = 'failed', states = { a = 'failed' } }\n";
    let output = test(&format!("{program}args = ['plain-check:1']\n"), tests, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn wrong_faults_are_told_with_their_places() {
    let wrong = "\
[tests.faulty]
waits-for = ['b']
faults = [
    { drop = 'c' },
    { drop = 'a -> b' },
    { drop = 'b -> a/1' },
    { drop = 'b -> a.ecko' },
    { drop = 'a', probability = 1.5 },
    { drop = 'a', call = 0 },
    { drop = 'a', call = 1, probability = 0.5 },
    { drop = 'a', fail = 'a' },
    { call = 1 },
    { delay = 'a' },
    { delay = 'a', by = 'long' },
    { fail = 'a', with = 'sadness' },
    { drop = 'a', by = '1s' },
    { crash = 'a' },
    { pause = ['a', 'b'], at = '1s' },
    { partition = 'd', at = '1s', for = '1s' },
]
";
    let output = test(&format!("{CALLS}args = ['plain-check:1']\n"), wrong, &[]);
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8_lossy(&output.stderr);
    check_text(&stderr, &Path::new(env!("CARGO_MANIFEST_DIR")).join("testing/faults.txt"));
}

#[test]
fn what_needs_a_deterministic_run_is_refused_without_one() {
    let faulty = "[tests.faulty]\nwaits-for = ['b']\nfaults = [{ drop = 'a' }]\n";
    let program = format!("{CALLS}args = ['plain-check:1']\n");
    for words in [&["--no-deterministic"][..], &["--launch-type", "test-processes"]] {
        let output = test(&program, faulty, words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains("needs a deterministic run"), "{stderr}");
    }
    let two = format!("{faulty}[tests.plain]\nwaits-for = ['b']\n");
    let output = test(&program, &two, &["--no-deterministic"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.contains("are left out, as they need a deterministic run: 1"),
        "{stderr}"
    );
    let output = test(&program, &two, &["--no-deterministic", "--name", "faulty"]);
    assert_eq!(output.status.code(), Some(2), "it was asked for");
    let output = test(&program, &two, &["--timeline", "a.svg"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("`--name` picks"), "it writes one timeline");
}
