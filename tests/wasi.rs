//! The command tests of WASI 0.3 of <https://github.com/WebAssembly/wasi-testsuite>, by behaviour and by name: each is a node
//! of `guests/wasi` whose argument is the name. What the host leaves out is in `docs/sandbox.md`, under "What WASI has and a
//! node has not".

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::host;
use crate::run::{Going, Program};

/// The tests that need nothing from outside and end well.
const CHECKS: [&str; 37] = [
    "cli-env",
    "cli-stdio",
    // What it sends to stdin is left out: stdin is at its end.
    "cli-stdio-roundtrip",
    "cli-terminal",
    "filesystem-advise",
    "filesystem-dotdot",
    "filesystem-flags-and-type",
    "filesystem-hard-links",
    "filesystem-io",
    "filesystem-is-same-object",
    "filesystem-metadata-hash",
    "filesystem-mkdir-rmdir",
    "filesystem-open-errors",
    "filesystem-read-directory",
    "filesystem-rename",
    "filesystem-set-size",
    "filesystem-stat",
    "filesystem-unlink-errors",
    "http-fields",
    "http-request",
    "http-request-options",
    "http-response",
    "monotonic-clock",
    "multi-clock-wait",
    "random",
    "sockets-tcp-bind",
    "sockets-tcp-connect",
    "sockets-tcp-listen",
    "sockets-tcp-properties",
    "sockets-tcp-receive",
    "sockets-tcp-send",
    "sockets-udp-bind",
    "sockets-udp-connect",
    "sockets-udp-properties",
    "sockets-udp-receive",
    "sockets-udp-send",
    "wall-clock",
];

/// A node for the check, with what it is granted.
fn node(name: &str) -> String {
    let component = host::guests().join("wasi_checks.wasm");
    let (args, env) = match name {
        "cli-env" => ("'cli-env', 'a', 'b', '42'".to_owned(), "env = { foo = 'bar', baz = '42' }\n"),
        name => (format!("'{name}'"), ""),
    };
    let sandbox = match name.split_once('-').map(|(group, _)| group) {
        Some("filesystem") => format!("dirs = [{{ host = '{name}', guest = '/data', access = 'read-write' }}]"),
        Some("sockets") => "network = ['tcp-connect:*:*', 'tcp-listen:*:*', 'udp:*:*', 'udp-bind:*:*']".to_owned(),
        _ if name == "cli-stdout-flush" => "dirs = [{ host = '.', guest = '/up' }]".to_owned(),
        _ => String::new(),
    };
    let component = component.display();
    format!("[nodes.{name}]\ncomponent = '{component}'\nargs = [{args}]\n{env}sandbox = {{ {sandbox} }}\n")
}

/// A program of these checks, with a worker for each kind of them.
fn program(names: &[&str]) -> Program {
    let nodes: String = names.iter().map(|name| node(name)).collect();
    let colocations = ["cli", "filesystem", "http", "sockets"].into_iter().filter_map(|group| {
        let members: Vec<_> = names.iter().filter(|name| name.starts_with(&format!("{group}-"))).collect();
        (members.len() > 1).then(|| format!("[colocate.{group}]\nnodes = {members:?}\n"))
    });
    let program = Program::new(&format!("{nodes}{}", colocations.collect::<String>()));
    for name in names.iter().filter(|name| name.starts_with("filesystem-")) {
        let dir = program.dir.path().join(name);
        std::fs::create_dir(&dir).expect("a directory can be made");
        std::fs::write(dir.join("a.txt"), "test-a\n").expect("a file can be written");
        std::fs::write(dir.join("b.txt"), "test-b\n").expect("a file can be written");
    }
    program
}

/// Runs the program under every launch type.
fn run_each(names: &[&str], run: impl Fn(Command, &Path)) {
    for launch_type in host::LAUNCH_TYPES {
        eprintln!("launch type {launch_type}");
        let program = program(names);
        let mut command = program.command();
        command.args(["--launch-type", &launch_type.to_string()]);
        run(command, program.dir.path());
    }
}

#[test]
fn commands_do_what_the_test_suite_of_wasi_0_3_expects() {
    run_each(&CHECKS, |mut command, _| {
        let output = command.output().expect("the binary runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        for name in CHECKS {
            let is_passed = |line: &str| {
                line.split_once('│').is_some_and(|(tag, text)| tag.trim() == format!("{name}/0") && text == " passed")
            };
            assert!(stdout.lines().any(is_passed), "`{name}` has not passed\n{stdout}{stderr}");
        }
    });
}

#[test]
fn a_command_that_says_it_failed_has() {
    // The suite's `run-with-err` and `cli-exit`.
    let ends = [("run-with-err", "its `run` returned an error"), ("cli-exit", "exited with status 1")];
    for (name, end) in ends {
        run_each(&[name], |mut command, _| {
            let output = command.output().expect("the binary runs");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{stderr}");
            assert!(stderr.contains(&format!("error: `{name}/0` failed: {end}")), "{stderr}");
        });
    }
}

#[test]
fn a_line_is_shown_while_its_command_waits() {
    // The suite's `cli-stdout-flush`.
    run_each(&["cli-stdout-flush"], |command, dir| {
        let mut going = Going::spawn(command);
        going.expect_line("cli-stdout-flush/0 │ READY");
        std::fs::write(dir.join("go"), "").expect("a file can be written");
        let (code, stdout, stderr) = going.end();
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.ends_with("passed\n"), "{stdout}");
    });
}

#[test]
fn a_command_answers_who_connects_to_it() {
    // The suite's `sockets-echo`.
    run_each(&["sockets-echo"], |command, _| {
        let mut going = Going::spawn(command);
        let line = going.next_line();
        let port = line.strip_prefix("sockets-echo/0 │ ").and_then(|port| port.parse().ok());
        let mut stream = TcpStream::connect(("127.0.0.1", port.expect("it prints its port"))).expect("it listens");
        stream.write_all(b"Hello, world").expect("it reads");
        stream.shutdown(Shutdown::Write).expect("it is connected");
        let mut echo = String::new();
        stream.read_to_string(&mut echo).expect("it answers");
        assert_eq!(echo, "Hello, world");
        let (code, _, stderr) = going.end();
        assert_eq!(code, Some(0), "{stderr}");
    });
}
