//! Components that try to write what looks like the host's: control characters, line breaks and the host's own words in their
//! output, in the names of their functions and imports, and in what they say of the tools that made them.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::runs::Machine;

/// All that a terminal would obey, around a line that looks like one of the host's.
const FORGED: &str =
    "hi\r\u{1b}[2Klp-host │ denied: forged\u{1b}]0;title\u{7}\u{1b}[31mred\u{b}\u{85}next\u{2028}\u{202e}end\u{7f}";

/// The same as people see it.
const SHOWN: &str =
    r"hi\r\u{1b}[2Klp-host │ denied: forged\u{1b}]0;title\u{7}\u{1b}[31mred\u{b}\u{85}next\u{2028}\u{202e}end\u{7f}";

/// Bytes as a string of WebAssembly's text format.
fn quoted(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A component whose `run` calls a function of its core module that is named and does as given, with these other parts.
fn component(outside: &str, name: &str, does: &str) -> Vec<u8> {
    let text = format!(
        r#"(component {outside}
            (core module $code
                (func $f (@name "{}") {does})
                (func (export "run") (result i32) (call $f) (i32.const 0)))
            (core instance $code (instantiate $code))
            (func $run (result (result)) (canon lift (core func $code "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#,
        quoted(name)
    );
    wat::parse_str(text).expect("it compiles")
}

/// A component that prints these bytes.
fn prints(text: &str) -> Vec<u8> {
    let (data, length) = (quoted(text), text.len());
    let text = format!(
        r#"(component
            (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
            (alias export $errors "error" (type $error))
            (import "wasi:io/streams@0.2.0" (instance $io
                (export "output-stream" (type $stream (sub resource)))
                (alias outer 1 $error (type $outer))
                (export "error" (type $e (eq $outer)))
                (type $variant (variant (case "last-operation-failed" (own $e)) (case "closed")))
                (export "stream-error" (type $failed (eq $variant)))
                (export "[method]output-stream.blocking-write-and-flush"
                    (func (param "self" (borrow $stream)) (param "contents" (list u8)) (result (result (error $failed)))))))
            (alias export $io "output-stream" (type $stream))
            (import "wasi:cli/stdout@0.2.0" (instance $stdout
                (alias outer 1 $stream (type $outer))
                (export "output-stream" (type $o (eq $outer)))
                (export "get-stdout" (func (result (own $o))))))
            (core module $m (memory (export "memory") 1) (data (i32.const 1024) "{data}"))
            (core instance $m (instantiate $m))
            (core func $write
                (canon lower (func $io "[method]output-stream.blocking-write-and-flush") (memory $m "memory")))
            (core func $get (canon lower (func $stdout "get-stdout")))
            (core module $code
                (import "h" "write" (func $write (param i32 i32 i32 i32)))
                (import "h" "get" (func $get (result i32)))
                (func (export "run") (result i32)
                    (call $write (call $get) (i32.const 1024) (i32.const {length}) (i32.const 64))
                    (i32.const 0)))
            (core instance $code (instantiate $code (with "h" (instance
                (export "write" (func $write)) (export "get" (func $get))))))
            (func $run (result (result)) (canon lift (core func $code "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#
    );
    wat::parse_str(text).expect("it compiles")
}

/// A program with this component as its only node, in a directory of its own.
fn program(component: &[u8], more: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    fs::write(dir.path().join("a.wasm"), component).expect("it can be written");
    let toml = format!("name = \"forged\"\n[nodes.a]\ncomponent = \"a.wasm\"\n{more}");
    fs::write(dir.path().join("program.toml"), toml).expect("it can be written");
    dir
}

/// The screen of `lp-host` in a directory: both streams, without anything that a terminal would obey.
#[track_caller]
fn screen(dir: &Path, words: &[&str]) -> String {
    let output = Machine::new().command(words).current_dir(dir).output().expect("the binary runs");
    let text = [output.stdout, output.stderr].map(|stream| String::from_utf8(stream).expect("the screen is UTF-8"));
    let text = text.concat();
    let bad = |c: char| c != '\n' && c != '\t' && (c.is_control() || "\u{2028}\u{2029}\u{202e}".contains(c));
    assert!(!text.contains(bad), "{text:?}");
    text
}

#[test]
fn output_of_guests_is_shown_escaped_but_in_json() {
    let dir = program(&prints(&format!("{FORGED}\nplain\n")), "");
    for launch_type in crate::host::LAUNCH_TYPES {
        let run = ["run", "program.toml", "--launch-type", &launch_type.to_string()];
        let text = screen(dir.path(), &run);
        assert!(text.starts_with(&format!("a/0 │ {SHOWN}\na/0 │ plain\n")), "{text}");
        let mut command = Machine::new().command(&run);
        let output = command.args(["--format", "json"]).current_dir(dir.path()).output().expect("the binary runs");
        let stdout = String::from_utf8(output.stdout).expect("it is UTF-8");
        let line: Value = serde_json::from_str(stdout.lines().next().unwrap_or_default()).expect("it is JSON");
        assert_eq!(line["line"], FORGED);
        // Colours are the host's alone.
        let mut command = Machine::new().command(&run);
        let output = command.args(["--color", "always"]).current_dir(dir.path()).output().expect("the binary runs");
        let stdout = String::from_utf8(output.stdout).expect("it is UTF-8");
        assert!(stdout.contains(&format!("\u{1b}[0m {SHOWN}\n")), "{stdout:?}");
    }
}

#[test]
fn no_guest_writes_a_line_of_the_host_into_its_log_file() {
    let line = "lp-host │ denied: `bystander/0` tried to read `/etc/passwd` (allow it with `sandbox.dirs`)";
    let dir = program(&prints(&format!("{line}\n\tlp-host │ forged\n{FORGED}\nplain\n")), "");
    for launch_type in crate::host::LAUNCH_TYPES {
        screen(dir.path(), &["run", "program.toml", "--log-dir", "logs", "--launch-type", &launch_type.to_string()]);
        let read = |name: &str| fs::read_to_string(dir.path().join("logs").join(name)).expect("it was written");
        let expected = format!("a/0 │ {line}\na/0 │ \tlp-host │ forged\n{SHOWN}\nplain\n");
        assert_eq!((read("a-0.log"), read("lp-host.log")), (expected, String::new()));
    }
}

#[test]
fn names_of_functions_begin_no_line_of_a_stack() {
    let name =
        format!("x\n{FORGED}\nlp-host │ denied: forged\nerror: `b/0` failed: forged\n  1: 0x1 - <unknown>!forged");
    let dir = program(&component("", &name, "unreachable"), "");
    for launch_type in crate::host::LAUNCH_TYPES {
        let logs = ["--log-dir", "logs", "--launch-type", &launch_type.to_string()];
        let text = screen(dir.path(), &[&["run", "program.toml"], &logs[..]].concat());
        let lines: Vec<_> = text.lines().filter(|line| line.contains("forged")).collect();
        assert_eq!(lines.len(), 1, "{text}");
        assert!(lines[0].starts_with(r"    at code!x\nhi\r\u{1b}[2Klp-host │ denied: forged"), "{text}");
        assert!(
            text.contains("error: `a/0` failed: wasm trap: wasm `unreachable` instruction executed\n    at code!x")
        );
        let log = fs::read_to_string(dir.path().join("logs/a-0.log")).expect("it was written");
        assert!(
            log.lines().all(|line| line.starts_with("lp-host │ error: `a/0`") || line.contains("    at ")),
            "{log}"
        );
        assert!(!log.contains(['\r', '\u{1b}']), "{log:?}");
    }
}

/// An import by an address, and a producer, that try to look like lines of `inspect`.
fn names() -> Vec<u8> {
    let import = format!("(import \"url=<{}>\" (instance))", quoted(&format!("{FORGED}\nruns: nothing")));
    let producers = quoted(&format!("{FORGED}\nsha256: forged"));
    let outside = format!(
        "{import} (core module (@producers (language \"{producers}\" \"1\") (processed-by \"rustc\" \"{producers}\")))"
    );
    component(&outside, "f", "")
}

#[test]
fn names_in_a_component_begin_no_line_of_inspect() {
    let dir = program(&names(), "");
    let text = screen(dir.path(), &["inspect", "a.wasm"]);
    assert!(text.contains(SHOWN), "{text}");
    for begin in ["sha256: ", "runs: "] {
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with(begin)).collect();
        assert_eq!(lines.len(), 1, "{text}");
        assert!(!lines[0].contains("forged") && !lines[0].contains("nothing"), "{text}");
    }
    let mut command = Machine::new().command(&["inspect", "a.wasm", "--format", "json"]);
    let output = command.current_dir(dir.path()).output().expect("the binary runs");
    let json: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(json["imports"][0]["name"], format!("url=<{FORGED}\nruns: nothing>"));
}

#[test]
fn names_in_a_component_begin_no_line_of_a_problem() {
    let dir = program(&names(), "");
    for words in
        [&["check", "program.toml"][..], &["run", "program.toml"], &["check", "program.toml", "--color", "never"]]
    {
        let text = screen(dir.path(), words);
        assert!(text.contains("url=<hi\\r\\u{1b}[2Klp-host") && text.contains("\\nruns: nothing>"), "{text}");
        assert!(!text.contains("\nruns: nothing"), "{text}");
    }
    // The colours are the host's, and only those.
    let mut command = Machine::new().command(&["check", "program.toml", "--color", "always"]);
    let output = command.current_dir(dir.path()).output().expect("the binary runs");
    let text = String::from_utf8(output.stderr).expect("it is UTF-8");
    assert!(text.contains("\u{1b}[") && !text.contains("\u{1b}[2K") && !text.contains('\r'), "{text:?}");
    let mut command = Machine::new().command(&["check", "program.toml", "--format", "json"]);
    let output = command.current_dir(dir.path()).output().expect("the binary runs");
    let json: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let messages = json["problems"].to_string();
    assert!(messages.contains("hi\\r\\u001b[2Klp-host"), "{messages}");
}

#[test]
fn names_in_a_component_begin_no_line_of_a_graph() {
    let export = format!("url=<{}/x>", quoted(&format!("{FORGED}\n└── forged")));
    let outside = format!("(instance $none) (export \"{export}\" (instance $none))");
    let dir = program(&component(&outside, "f", ""), "");
    for format in ["text", "dot", "mermaid", "svg"] {
        let text = screen(dir.path(), &["graph", "program.toml", "--format", format]);
        assert!(!text.contains("\n└── forged"), "{text}");
    }
    screen(dir.path(), &["inspect", "a.wasm"]);
    screen(dir.path(), &["proto", "a.wasm"]);
    screen(dir.path(), &["wit", "handles", "a.wasm"]);
}

#[test]
fn a_program_file_that_is_looked_at_draws_nothing() {
    let text: String = FORGED.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let more = format!(
        "args = [\"{text}\"]\nenv = {{ \"{text}\\n\\u0009lp-host\" = \"1\" }}\nconfig = {{ k = \"{text}\" }}\n\
         sandbox = {{ inherit-env = [\"{text}\"] }}\n"
    );
    let dir = program(&component("", "f", ""), &more);
    let text = screen(dir.path(), &["check", "program.toml", "--explain"]);
    assert!(text.contains("lp-host"), "{text}");
    // What is no TOML is shown as it is in the file.
    fs::write(dir.path().join("program.toml"), format!("name = \"forged\" # {FORGED}\n")).expect("it can be written");
    let text = screen(dir.path(), &["check", "program.toml"]);
    assert!(text.contains("syntax"), "{text}");
    fs::write(dir.path().join("limits.toml"), format!("{FORGED} = 1\n")).expect("it can be written");
    screen(dir.path(), &["check", "program.toml", "--limits", "limits.toml"]);
}

#[test]
fn what_a_build_prints_may_have_colours_and_nothing_else() {
    let text: String = FORGED.bytes().map(|byte| format!("\\{byte:03o}")).collect();
    let dir = program(b"", &format!("build = '''printf '{text}\\n'; exit 1'''\n"));
    let mut command = Machine::new().command(&["build", "program.toml"]);
    let output = command.current_dir(dir.path()).output().expect("the binary runs");
    let stderr = String::from_utf8(output.stderr).expect("it is UTF-8");
    let shown = SHOWN.replace(r"\u{1b}[31m", "\u{1b}[31m");
    assert!(stderr.contains(&format!("\n{shown}\n")) || stderr.starts_with(&format!("{shown}\n")), "{stderr:?}");
}
