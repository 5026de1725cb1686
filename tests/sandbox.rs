//! What a program file grants is what a guest gets: files, variables, secrets, addresses, servers, time and chance. Guests
//! that take more are in `hostile`.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use crate::host;
use crate::hostile::server;
use crate::run::{Going, Program};
use crate::runs::Machine;

/// A program of one node that runs a guest of `guests/hostile`.
fn program(guest: &str, settings: &str) -> Program {
    let component = host::guests().join(guest).with_extension("wasm");
    Program::new(&format!("[nodes.node]\ncomponent = '{}'\n{settings}\n", component.display()))
}

/// Runs the guest under every launch type: it prints these lines, and nothing is denied.
#[track_caller]
pub(crate) fn check(guest: &str, settings: &str, prepare: impl Fn(&Path), stdout: &[&str]) {
    for launch_type in host::LAUNCH_TYPES {
        let program = program(guest, settings);
        prepare(program.dir.path());
        let output = program.command().args(["--launch-type", &launch_type.to_string()]).output();
        let output = output.expect("the binary runs");
        let (said, noted) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let context = format!("launch type {launch_type}\n--- stdout\n{said}--- stderr\n{noted}");
        assert_eq!(output.status.code(), Some(0), "{context}");
        let lines: Vec<_> = said.lines().map(|line| line.trim_start_matches("node/0 │ ")).collect();
        assert_eq!(lines, stdout, "{context}");
        assert!(!noted.contains("denied"), "{context}");
    }
}

fn nothing(_: &Path) {}

#[test]
fn a_granted_directory_is_read_and_written() {
    let settings = "args = ['file:/in:a.txt', 'file:/in:./sub/../a.txt', 'write:/out:b.txt', 'file:/out:b.txt']\n\
        sandbox = { dirs = [{ host = 'in', guest = '/in' }, { host = 'out', guest = '/out', access = 'read-write' }] }";
    let prepare = |dir: &Path| {
        std::fs::create_dir_all(dir.join("in/sub")).expect("a directory can be made");
        std::fs::create_dir(dir.join("out")).expect("a directory can be made");
        std::fs::write(dir.join("in/a.txt"), "a").expect("a file can be written");
    };
    check("tell_what_it_has", settings, prepare, &["Ok(\"a\")", "Ok(\"a\")", "Ok(())", "Ok(\"was here\")"]);
}

#[test]
fn a_granted_file_is_read_and_written_in_place() {
    let settings = "args = ['file:/files:a.txt', 'write:/files:b.txt', 'file:/files:./b.txt', 'file:/files/sub:a.txt']\n\
        [[nodes.node.sandbox.files]]\nhost = 'a.txt'\nguest = '/files/a.txt'\n\
        [[nodes.node.sandbox.files]]\nhost = 'b.txt'\nguest = '/files/b.txt'\naccess = 'read-write'\n\
        [[nodes.node.sandbox.files]]\nhost = 'link.txt'\nguest = '/files/sub/a.txt'\n";
    let prepare = |dir: &Path| {
        std::fs::write(dir.join("a.txt"), "a").expect("a file can be written");
        std::fs::write(dir.join("b.txt"), "").expect("a file can be written");
        std::os::unix::fs::symlink("a.txt", dir.join("link.txt")).expect("a link can be made");
    };
    check("tell_what_it_has", settings, prepare, &["Ok(\"a\")", "Ok(())", "Ok(\"was here\")", "Ok(\"a\")"]);
}

#[test]
fn a_grant_is_not_led_elsewhere_by_who_may_write_above_it() {
    let settings = "args = ['env:NONE', 'wait:/up:go', 'exit']\nrestart = 'on-failure'\n\
        sandbox = { dirs = [{ host = 'up', guest = '/up' }, { host = 'up/own', guest = '/own' }] }";
    let program = program("tell_what_it_has", settings);
    let up = program.dir.path().join("up");
    std::fs::create_dir_all(up.join("own")).expect("a directory can be made");
    let mut going = Going::spawn(program.command());
    going.expect_line("node/0 │ Err(NotPresent)");
    // What a guest with `up` for writing could do while this one runs.
    std::fs::remove_dir(up.join("own")).expect("it is there");
    std::os::unix::fs::symlink("/etc", up.join("own")).expect("a link can be made");
    std::fs::write(up.join("go"), "").expect("a file can be written");
    let (code, _, stderr) = going.end();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("up/own`: Too many levels of symbolic links"), "{stderr}");
}

#[test]
fn a_variable_is_inherited_by_name() {
    let program =
        program("tell_what_it_has", "args = ['env:GIVEN', 'env:OTHER']\nsandbox = { inherit-env = ['GIVEN'] }");
    for launch_type in host::LAUNCH_TYPES {
        let mut command = program.command();
        command.args(["--launch-type", &launch_type.to_string()]).env("GIVEN", "a value").env("OTHER", "another");
        let output = command.output().expect("the binary runs");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert_eq!(stdout, "node/0 │ Ok(\"a value\")\nnode/0 │ Err(NotPresent)\n");
    }
    let output = program.command().env_remove("GIVEN").output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(
        stderr.contains("`sandbox.inherit-env` of `node`: the environment variable `GIVEN` is not set"),
        "{stderr}"
    );
}

const SECRET: &str = "hunter2-of-the-crown";

#[test]
fn a_secret_is_told_to_its_guest_and_shown_nowhere() {
    for launch_type in host::LAUNCH_TYPES {
        // The guest compares a part of the value, so that the program file does not have the whole of it.
        let settings = "args = ['secret:from-file:wrong', 'secret:short:x', 'wait:/up:go']\n\
            sandbox = { dirs = [{ host = '.', guest = '/up' }], secrets = { from-file = { file = 'key.txt' }, \
            from-env = { env = 'API_KEY' }, short = { file = 'x.txt' } } }";
        let program = program("tell_what_it_has", settings);
        let write =
            |path: &str, text: &str| std::fs::write(program.dir.path().join(path), text).expect("it is written");
        write("key.txt", &format!("{SECRET}\n"));
        write("x.txt", "x\r\n");
        let machine = Machine::new();
        let logs = program.dir.path().join("logs");
        let mut command = machine.command(&["run", "--launch-type", &launch_type.to_string()]);
        command.arg(program.path()).arg("--log-dir").arg(&logs).env("API_KEY", SECRET);
        let mut going = Going::spawn(command);
        going.expect_line("node/0 │ false");
        going.expect_line("node/0 │ true");
        check_hidden(&machine, &program, going.child.id());
        write("go", "");
        let (code, stdout, stderr) = going.end();
        assert_eq!(code, Some(0), "{stderr}");
        assert!(!stdout.contains(SECRET) && !stderr.contains(SECRET), "{stdout}{stderr}");
        check_no_file_has_it(&logs);
    }
}

/// The secret is in nothing that shows a program, before and while it runs.
#[track_caller]
fn check_hidden(machine: &Machine, program: &Program, run: u32) {
    let path = program.path();
    let path = path.to_str().expect("a temporary path is UTF-8");
    let screens: [&[&str]; 8] = [
        &["check", path],
        &["check", "--explain", path],
        &["check", "--explain", "--format", "json", path],
        &["graph", path],
        &["graph", "--format", "json", path],
        &["ps"],
        &["ps", "--format", "json"],
        &["logs", "test"],
    ];
    for words in screens {
        let mut command = machine.command(words);
        let output = command.env("API_KEY", SECRET).output().expect("the binary runs");
        let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && !shown.contains(SECRET), "{words:?}\n{shown}");
    }
    check_no_file_has_it(machine.runtime_dir());
    for process in crate::hostile::family(run) {
        let shown = |file: &str| std::fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
        let has = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!has(&shown("cmdline")), "a command line has the secret");
        // The launcher's environment is where the secret was put by whoever started it.
        assert!(process == run || !has(&shown("environ")), "the environment of a worker has the secret");
    }
}

#[track_caller]
fn check_no_file_has_it(dir: &Path) {
    for entry in std::fs::read_dir(dir).expect("it can be listed").flatten() {
        let path = entry.path();
        if path.is_dir() {
            check_no_file_has_it(&path);
        } else if path.is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(&path).expect("it can be read")).into_owned();
            assert!(!text.contains(SECRET), "{} has the secret", path.display());
        }
    }
}

#[test]
fn secrets_that_are_missing_are_named_together() {
    let settings = "sandbox = { secrets = { a = { file = 'no.txt' }, b = { env = 'LP_NO_SUCH_VARIABLE' } } }";
    let output = program("tell_what_it_has", settings).command().output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("the secret `a` of `node`: `") && stderr.contains("no.txt` can't be read"), "{stderr}");
    let named = "the secret `b` of `node`: the environment variable `LP_NO_SUCH_VARIABLE` is not set";
    assert!(stderr.contains(named), "{stderr}");
}

/// A server that says hello to everybody who connects.
pub(crate) fn greeter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let _ = connection.and_then(|mut connection| connection.write_all(b"hello"));
        }
    });
    address
}

/// A server that sends every datagram back.
fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let address = socket.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let mut datagram = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut datagram) {
            let _ = socket.send_to(&datagram[..length], from);
        }
    });
    address
}

#[test]
fn granted_addresses_are_reached() {
    let tcp = greeter();
    let settings = format!("args = ['{tcp}']\nsandbox = {{ network = ['tcp-connect:127.0.0.0/8:{}'] }}", tcp.port());
    check("connect_tcp", &settings, nothing, &["loot: \"hello\""]);
    let udp = echo();
    let settings = format!("args = ['0.0.0.0:0', '{udp}']\nsandbox = {{ network = ['udp:{udp}'] }}");
    check("send_udp", &settings, nothing, &["loot: \"any secrets?\""]);
    let settings =
        format!("args = ['127.0.0.1:0', '{udp}']\nsandbox = {{ network = ['udp:{udp}', 'udp-bind:127.0.0.1:0'] }}");
    check("send_udp", &settings, nothing, &["loot: \"any secrets?\""]);
    let settings = format!("args = ['connect', '{tcp}']\nsandbox = {{ network = ['tcp-connect:{tcp}'] }}");
    check("hostile_async", &settings, nothing, &["loot: ()"]);
}

#[test]
fn a_granted_port_is_listened_at() {
    let program = program("listen_tcp", "args = ['127.0.0.1:0']\nsandbox = { network = ['tcp-listen:127.0.0.1:0'] }");
    let output = program.command().output().expect("the binary runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.starts_with("node/0 │ loot: 127.0.0.1:"), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_granted_name_is_looked_up() {
    for (guest, args) in [("look_up_name", "'LOCALHOST.'"), ("hostile_async", "'look-up', 'localhost'")] {
        let program = program(guest, &format!("args = [{args}]\nsandbox = {{ network = ['dns:localhost'] }}"));
        let output = program.command().output().expect("the binary runs");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.starts_with("node/0 │ loot: ["), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    }
    // An address stands for itself, and nobody is asked for it.
    check("look_up_name", "args = ['127.0.0.1']", nothing, &["loot: [127.0.0.1:0]"]);
}

#[test]
fn granted_servers_are_asked() {
    let (one, other) = (server(), server());
    let port = one.port();
    let grants = format!("sandbox = {{ http = ['http://127.0.0.1:{port}', 'http://{other}'] }}");
    let loot = format!("loot: (200, \"GET / HTTP/1.1 by {one}\")");
    check("request_elsewhere", &format!("args = ['http', '{one}']\n{grants}"), nothing, &[&loot]);
    check("request_elsewhere", &format!("args = ['http', '0x7f.1:{port}']\n{grants}"), nothing, &[&loot]);
    check("hostile_async", &format!("args = ['request', '{one}']\n{grants}"), nothing, &[&loot]);
    // What is as large as it may be is taken.
    let limits = "limits = { http-requests = 1, http-body = '1KiB', http-headers = '8KiB' }\n";
    let args = format!("args = ['http', '{one}', '/body-of/1024']\n{limits}{grants}");
    check("request_elsewhere", &args, nothing, &[&format!("loot: (200, \"{}\")", "a".repeat(1024))]);
    let loot = format!("loot: (200, \"GET / HTTP/1.1 by {other}\")");
    check("request_by_redirect", &format!("args = ['{one}', '{other}']\n{grants}"), nothing, &[&loot]);
}

#[test]
fn a_fixed_clock_shows_the_same_in_every_run() {
    let settings = "args = ['time', 'time']\nsandbox = { clock = { fixed = '2026-01-01T00:00:00Z' } }";
    check("tell_what_it_has", settings, nothing, &["1767225600s true", "1767225600.000003s true"]);
}

#[test]
fn a_seed_gives_each_replica_the_same_in_every_run() {
    let settings = "replicas = 2\nargs = ['chance', 'chance']\nsandbox = { random = { seed = 7 } }";
    let run = |launch_type: &str| {
        let program = program("tell_what_it_has", settings);
        let output = program.command().args(["--launch-type", launch_type]).output().expect("the binary runs");
        let mut lines: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (threads, processes) = (run("threads"), run("processes"));
    assert_eq!(threads, processes);
    assert_eq!(threads.len(), 4);
    let bytes = |line: &String| line.split(" │ ").nth(1).expect("a line has a tag").to_owned();
    let different: std::collections::BTreeSet<_> = threads.iter().map(bytes).collect();
    assert_eq!(different.len(), 4, "{threads:#?}");
}

#[test]
fn inspect_knows_what_the_host_serves() {
    let wasm = host::guests().join("hostile_async.wasm");
    let output = Command::new(host::BINARY).arg("inspect").arg(wasm).output().expect("the binary runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("wasi:http/client@0.3") && !stdout.contains("can't be served"), "{stdout}");
}
