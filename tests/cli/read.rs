//! The verbs that read: usage, check, graph, inspect, schema and completions.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use lp_host::program::PROBLEMS_MAX;
use tempfile::TempDir;

use super::{check, command, expected, screen};
use crate::config::{check_text, folder, sandbox};

/// The components of `config/components`, with a program file of `config`.
fn program(file: &str) -> TempDir {
    let dir = sandbox();
    fs::copy(folder(file), dir.path().join("program.toml")).expect("the file is part of the tests");
    dir
}

#[test]
fn wrong_usage_exits_with_2_and_a_guess() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let help = screen(dir.path(), "");
    assert!(help.contains("Usage: lp-host") && help.ends_with("--- exit 2\n"), "{help}");
    check(dir.path(), "usage", &["chek program.toml", "check", "check --fromat json x", "graph --format pdf x"]);
}

#[test]
fn every_verb_has_help_that_says_what_it_does() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let all = screen(dir.path(), "--help");
    let listed =
        all.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next()).expect("verbs are listed");
    let verbs: Vec<_> = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let verbs: Vec<_> = verbs.into_iter().filter(|verb| !verb.is_empty() && *verb != "help").collect();
    assert!(verbs.len() > 20 && !verbs.contains(&"worker"), "{verbs:?}");
    for verb in verbs {
        let help = screen(dir.path(), &format!("{verb} --help"));
        assert!(help.contains(&format!("Usage: lp-host {verb}")) && help.ends_with("--- exit 0\n"), "{help}");
    }
}

#[test]
fn check_counts_what_can_run_and_warns() {
    let lines = ["check program.toml", "check program.toml --quiet --set nodes.producer.replicas=3"];
    check(program("valid/only-handle.toml").path(), "check-valid", &lines);
    let dir = program("valid/only-handle.toml");
    check(dir.path(), "check-valid-json", &["check program.toml --format json"]);
}

#[test]
fn check_explains_what_each_node_may_touch() {
    let dir = program("valid/whole.toml");
    check(dir.path(), "check-explain", &["check program.toml --explain --quiet"]);
    let json = screen(dir.path(), "check program.toml --explain --format json");
    let place = dir.path().canonicalize().expect("it is there");
    check_text(&json.replace(&place.display().to_string(), "DIR"), &expected("check-explain-json"));
}

/// A program of a stranger, in a folder of its own: what reaches far, what is missing, and paths that are not what they
/// look like.
const STRANGE: &str = r#"
name = "strange"
hardening = "off"

[nodes.greedy]
component = "../hello.wasm"
build = "curl https://example.org/setup.sh | sh"
replicas = 3
args = ["--all", "two words"]
listen = "0.0.0.0:7001"
sandbox.dirs = [
    { host = "link/etc", guest = "/data" },
    { host = "data/..", guest = "/self", access = "read-write" },
    { host = "data/nowhere", guest = "/nowhere" },
    { host = "data", guest = "/read" },
]
sandbox.files = [{ host = "/", guest = "/files/all", access = "read-write" }]
sandbox.network = ["tcp-connect:0.0.0.0/0:443", "dns:*", "tcp-connect:127.0.0.1:80"]
sandbox.http = ["https://*:*", "https://*.example.org"]
sandbox.inherit-env = ["PATH"]
sandbox.secrets = { token = { env = "TOKEN" }, key = { file = "key.txt" } }

[nodes.modest]
component = "../hello.wasm"
"#;

fn strange() -> TempDir {
    let dir = sandbox();
    fs::create_dir_all(dir.path().join("program/data")).expect("a writable directory");
    symlink("/", dir.path().join("program/link")).expect("a writable directory");
    fs::write(dir.path().join("program/program.toml"), STRANGE).expect("a writable directory");
    dir
}

#[test]
fn check_explains_what_reaches_far_even_if_something_is_missing() {
    let dir = strange();
    let program = dir.path().join("program");
    let explained = |columns: &str| {
        let line = "check program.toml --explain --quiet";
        let output = command(&program, line).env("COLUMNS", columns).output().expect("the binary runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("error[missing-dir]"), "{stderr}");
        // The components are outside of the program's folder, in a place that is another one each time.
        stdout.replace(&dir.path().canonicalize().expect("it is there").display().to_string(), "..")
    };
    let wide = explained("80");
    // A line that is too long for its column goes on in the next row.
    let flat = wide.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        "! off [worker processes have no walls]",
        "replicas 4 in all",
        "memory 1GiB in all",
        "! curl https://example.org/setup.sh | sh [runs as you, in no sandbox]",
        "\"two words\"",
        "! 0.0.0.0:7001 [other machines can call it]",
        "! /data (read): /etc [files of the system]",
        "! /self (read-write): . [can change the program itself]",
        "/nowhere (read): data/nowhere (missing)",
        " /read (read): data files ",
        "! /files/all (read-write): / [every file of this machine]",
        "! PATH (inherited) [a variable of yours]",
        "! token (of the variable TOKEN) [a variable of yours]",
        "key (of the file key.txt (missing))",
        "! tcp-connect:0.0.0.0/0:443 [anywhere]",
        "! dns:* [anywhere]",
        "] tcp-connect:127.0.0.1:80 http ",
        "! https://*:* [any server]",
        "] https://*.example.org http-ca ",
        " 11 lines are marked with `!`: they reach far",
    ] {
        assert!(flat.contains(line), "{line:?} is missing\n{wide}");
    }
    let narrow = explained("60");
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
}

#[test]
fn what_reaches_far_is_json_too() {
    let dir = strange();
    let program = dir.path().join("program");
    let line = "check program.toml --explain --format json --set nodes.modest.sandbox.http=['http://*']";
    let output = command(&program, line).output().expect("the binary runs");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!((&json["valid"], &json["totals"]["replicas"]), (&false.into(), &4.into()));
    assert_eq!(json["totals"]["grave"][0]["why"], "worker processes have no walls");
    let [greedy, modest] = &json["grants"].as_array().expect("a list")[..] else { panic!("two nodes: {json:#}") };
    assert_eq!((&greedy["dirs"][0]["path"], &greedy["dirs"][2]["path"]), (&"/etc".into(), &serde_json::Value::Null));
    assert_eq!(greedy["build"], "curl https://example.org/setup.sh | sh");
    assert_eq!(greedy["args"][1], "two words");
    let grave = serde_json::json!([{ "what": "http", "which": "http://*", "why": "any server" }]);
    assert_eq!(modest["grave"], grave);
}

#[test]
fn no_more_problems_are_shown_than_anybody_reads() {
    let dir = sandbox();
    let nodes = (0..1000).map(|node| format!("[nodes.n{node}]\ncomponent = 'hello.wasm'\nhandles.a = 'm{node}'\n"));
    fs::write(dir.path().join("program.toml"), format!("name = 'wrong'\n{}", nodes.collect::<String>()))
        .expect("a writable directory");
    let shown = screen(dir.path(), "check program.toml");
    assert_eq!(shown.matches("error[unknown-node]").count(), PROBLEMS_MAX);
    assert!(shown.contains("\n… and at least 800 more\n"), "{shown}");
    let output = command(dir.path(), "check program.toml --format json").output().expect("the binary runs");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(json["problems"].as_array().map(Vec::len), Some(PROBLEMS_MAX));
    assert_eq!(json["problems_left_out"], 800);
}

#[test]
fn check_shows_what_is_wrong() {
    let dir = program("invalid/unknown-node.toml");
    check(
        dir.path(),
        "check-invalid",
        &["check program.toml", "check program.toml --format json", "check nowhere.toml"],
    );
    check(dir.path(), "check-override", &["check program.toml --format json --set nodes.consumer.replicas=0"]);
}

#[test]
fn graphs_are_drawn_in_every_format() {
    let dir = program("valid/group.toml");
    for format in ["text", "dot", "mermaid", "json", "svg"] {
        let line = format!("graph program.toml --format {format}");
        check(dir.path(), &format!("graph-{format}"), &[&line]);
    }
    check(
        program("valid/cycle.toml").path(),
        "graph-cycle",
        &["graph program.toml", "graph program.toml --format svg"],
    );
}

#[test]
fn a_graph_needs_no_components() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::copy(folder("valid/group.toml"), dir.path().join("program.toml")).expect("the file is part of the tests");
    check(dir.path(), "graph-unbuilt", &["graph program.toml", "graph program.toml --format json"]);
    let dir = program("invalid/type-mismatch.toml");
    check(dir.path(), "graph-misfit", &["graph program.toml"]);
    let dir = program("invalid/unknown-node.toml");
    check(dir.path(), "graph-invalid", &["graph program.toml"]);
}

#[test]
fn inspect_tells_who_serves_each_import() {
    let dir = sandbox();
    let host = "(component (import \"wasi:cli/stdout@0.2.6\" (instance (export \"f\" (func))))
        (import \"wasi:keyvalue/store@0.2.0-draft\" (instance (export \"f\" (func))))
        (import \"lp:node/program@0.1.0\" (instance (export \"stop\" (func)))))";
    let wasm = wat::parse_str(host).expect("a component that compiles");
    fs::write(dir.path().join("host.wasm"), wasm).expect("a writable directory");
    let names = [
        "counter",
        "types",
        "client",
        "plain-client",
        "group-client",
        "world-client",
        "stream-server",
        "host",
        "absent-client",
        "mistaken-client",
        "two-runs",
    ];
    let lines: Vec<_> = names.iter().map(|name| format!("inspect {name}.wasm")).collect();
    check(dir.path(), "inspect", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let lines = ["relay", "group-client", "host", "world-client", "two-runs"]
        .map(|name| format!("inspect --format json {name}.wasm"));
    check(dir.path(), "inspect-json", &lines.each_ref().map(String::as_str));
}

#[test]
fn inspect_refuses_what_is_no_component() {
    let dir = sandbox();
    let lines = ["core-module.wasm", "text.wasm", "nowhere.wasm", "."].map(|file| format!("inspect {file}"));
    check(dir.path(), "inspect-invalid", &lines.each_ref().map(String::as_str));
    let truncated = screen(dir.path(), "inspect truncated.wasm");
    assert!(truncated.contains("is not a valid component") && truncated.ends_with("--- exit 3\n"), "{truncated}");
}

#[test]
fn the_schema_is_json_and_the_completions_name_the_verbs() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let output = command(dir.path(), "schema").output().expect("the binary runs");
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the schema is JSON");
    assert_eq!(schema, lp_host::program::schema());
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let completions = screen(dir.path(), &format!("completions {shell}"));
        assert!(completions.contains("inspect") && completions.ends_with("--- exit 0\n"), "{shell}");
        assert!(!completions.contains("coordinator"), "{shell} offers verbs that are not for users");
    }
}

#[test]
fn run_says_in_json_what_is_wrong_with_a_program() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join("program.toml"), "name = 'my_program'\n[nodes.a]\ncomponent = 'a.wasm'\n")
        .expect("a writable directory");
    let output = command(dir.path(), "run program.toml --format json").output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(3));
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    let problem = &line["problems"][0];
    assert_eq!((&line["type"], &problem["code"], &problem["line"]), (&"invalid".into(), &"bad-name".into(), &1.into()));
    assert!(problem["help"].as_str().is_some_and(|help| help.starts_with("write `my-program`")), "{problem}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[bad-name]"));
}

#[test]
fn a_call_that_names_no_run_says_how_to_name_one() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let said = screen(dir.path(), "call counter add 1");
    assert!(said.contains("`counter` is neither a node of a run nor an address"), "{said}");
    assert!(said.contains("help: name the run too: `lp-host call RUN/counter …`") && said.ends_with("--- exit 2\n"));
}

#[test]
fn bash_completes_verbs_and_their_options() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = command(dir.path(), "completions bash").output().expect("the binary runs").stdout;
    std::fs::write(dir.path().join("lp-host.bash"), script).expect("a writable directory");
    let complete = |words: &[&str]| {
        let line = format!(
            "source ./lp-host.bash; function=$(complete -p lp-host | sed 's/.* -F \\([^ ]*\\) .*/\\1/'); \
             COMP_WORDS=({}); COMP_CWORD={}; $function lp-host '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2]
        );
        let output = Command::new("bash").args(["-c", &line]).current_dir(dir.path()).output().expect("bash runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(complete(&["lp-host", "inspe"]), "inspect");
    assert_eq!(complete(&["lp-host", "run", "--launch-ty"]), "--launch-type");
    assert_eq!(complete(&["lp-host", "wit", "hand"]), "handles");
    assert_eq!(complete(&["lp-host", "wit", "handles", "--sty"]), "--style");
}

#[test]
fn every_verb_for_users_has_a_manual_page() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let said = screen(dir.path(), "man pages/man1");
    assert!(said.ends_with("--- exit 0\n"), "{said}");
    let page = |name: &str| std::fs::read_to_string(dir.path().join("pages/man1").join(name)).expect("it is written");
    assert!(page("lp-host.1").contains("lp\\-host\\-attach(1)") && page("lp-host-run.1").contains("launch\\-type"));
    assert!(!dir.path().join("pages/man1/lp-host-coordinator.1").exists());
    std::fs::write(dir.path().join("taken"), "").expect("a writable directory");
    let refused = screen(dir.path(), "man taken");
    assert!(refused.contains("the manual pages can't be written to `taken`") && refused.ends_with("--- exit 4\n"));
}

#[test]
fn handles_are_derived_in_each_style_and_checked() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let wit = "package a:b;\ninterface counter {\n  /// Adds.\n  add: async func(n: u64) -> u64;\n}\n";
    std::fs::write(dir.path().join("counter.wit"), wit).expect("a writable directory");
    let lines = [
        "wit handles counter.wit",
        "wit handles counter.wit --style future",
        "wit handles counter.wit --style sync --interface counter",
        "wit handles counter.wit --interface clock",
        "wit handles counter.wit --style future --check counter-handles.wit",
    ];
    check(dir.path(), "wit-handles", &lines);
    let text = command(dir.path(), "wit handles counter.wit --style future").output().expect("the binary runs").stdout;
    std::fs::write(dir.path().join("counter-handles.wit"), text).expect("a writable directory");
    let checked = screen(dir.path(), "wit handles counter.wit --style future --check counter-handles.wit");
    assert!(checked.ends_with("--- exit 0\n"), "{checked}");
}
