//! The rows of docs/languages.md that say what ordinary library features do in nodes, and what a caller sees of each way to
//! fail: nodes in Python and JavaScript run them.
//!
//! After a deliberate change, `SNAPSHOTS=overwrite cargo test -p lp-tests` writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::{host, languages};

/// What a replica says.
#[derive(Deserialize)]
struct Said {
    /// Values that may differ between replicas and runs.
    facts: BTreeMap<String, Value>,
    /// A number, what is asked, what the outcome is, and what that means.
    rows: Vec<[String; 4]>,
    /// A way to fail, and what its caller sees by the kind of the function.
    failures: Vec<Vec<String>>,
}

/// The runs, by the randomness of their nodes.
const SEEDED: [bool; 4] = [false, false, true, true];

const LANGUAGES: [(&str, &str); 2] = [("python", "Python"), ("js", "JavaScript")];

/// What each replica of a node says in one run, by `NODE/REPLICA`.
fn run(program: &Path, is_seeded: bool) -> BTreeMap<String, Said> {
    let mut run = Command::new(host::BINARY);
    run.arg("run").arg(program);
    if is_seeded {
        for (node, _) in LANGUAGES {
            run.args(["--set", &format!("nodes.{node}.sandbox.random={{ seed = 1 }}")]);
        }
    }
    let output = run.output().expect("the binary runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stdout.contains("printed while importing") && stdout.contains("logged while importing"), "{stdout}");
    assert!(stderr.contains("error that nobody awaits, in a promise of node.js:"), "{stderr}");
    let said = stdout.lines().filter_map(|line| line.split_once("│ {"));
    said.map(|(replica, json)| {
        (replica.trim().to_owned(), serde_json::from_str(&format!("{{{json}")).expect("a replica says JSON"))
    })
    .collect()
}

/// How a fact differs between replicas and runs.
fn compared(runs: &[BTreeMap<String, Said>], node: &str, fact: &str) -> String {
    let values = |seeded: bool| -> Vec<[&Value; 2]> {
        let runs = runs.iter().zip(SEEDED).filter(|(_, is_seeded)| *is_seeded == seeded);
        runs.map(|(run, _)| [0, 1].map(|replica| &run[&format!("{node}/{replica}")].facts[fact])).collect()
    };
    let named = |values: Vec<[&Value; 2]>| match &values[..] {
        [[a, b], [c, d]] if [b, c, d].iter().all(|other| *other == a) => "the same in all replicas and runs",
        [[a, b], [c, d]] if a == c && b == d => "each replica has its own, the same in every run",
        [[a, b], [c, d]] if a != b && c != d && a != c && b != d => "each replica has its own, in every run another",
        _ => "neither the same nor another",
    };
    let (real, seeded) = (named(values(false)), named(values(true)));
    if real == seeded { real.to_owned() } else { format!("{real}; with `random = {{ seed = 1 }}`, {seeded}") }
}

fn tables(runs: &[BTreeMap<String, Said>]) -> String {
    let mut text = String::new();
    for (node, title) in LANGUAGES {
        let first = &runs[0][&format!("{node}/0")];
        text.push_str(&format!("### {title}\n\n| | what | what it does | |\n|---|---|---|---|\n"));
        for fact in first.facts.keys() {
            text.push_str(&format!("| | {fact} | {} | fine |\n", compared(runs, node, fact)));
        }
        for [number, question, outcome, verdict] in &first.rows {
            text.push_str(&format!("| {number} | {question} | {} | {verdict} |\n", outcome.replace('|', "\\|")));
        }
        text.push_str(
            "\n| in a function | `-> u64` | `async`, `-> u64` | `async`, `-> option<string>` | `async`, no result | \
             `-> result<u64, string>` | `async`, `-> result<u64, string>` |\n|---|---|---|---|---|---|---|\n",
        );
        for row in &first.failures {
            text.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        text.push('\n');
    }
    text
}

const BEGIN: &str = "<!-- The rest of this section is written by tests/rows.rs. -->\n\n";
const END: &str = "<!-- end -->\n";

#[test]
fn library_features_do_in_nodes_what_the_docs_say() {
    let (from, to) = (host::root().join("tests/rows"), Path::new(env!("CARGO_TARGET_TMPDIR")).join("rows"));
    for file in [
        "program.toml",
        "wit/program.wit",
        "nodes/python/build.toml",
        "nodes/python/failing.py",
        "nodes/python/node.py",
        "nodes/js/build.toml",
        "nodes/js/node.js",
    ] {
        let target = to.join(file);
        fs::create_dir_all(target.parent().expect("it is in a folder")).expect("a writable directory");
        fs::copy(from.join(file), target).expect("a writable directory");
    }
    let program = to.join("program.toml");
    if let Err(reason) = languages::build_program(&program) {
        return eprintln!("skipped: {reason}");
    }
    let runs = SEEDED.map(|is_seeded| run(&program, is_seeded));
    let path = host::root().join("docs/languages.md");
    let docs = fs::read_to_string(&path).expect("the docs are there");
    let (before, rest) = docs.split_once(BEGIN).expect("the docs have the rows");
    let (_, after) = rest.split_once(END).expect("the rows have an end");
    let expected = format!("{before}{BEGIN}{}{END}{after}", tables(&runs));
    if std::env::var_os("SNAPSHOTS").is_some_and(|action| action == "overwrite") {
        fs::write(&path, &expected).expect("the docs can be written");
    }
    snapbox::Assert::new().eq(fs::read_to_string(&path).expect("the docs are there"), expected);
}
