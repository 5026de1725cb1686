//! Strangers at an agent: who is refused, what is said of it, and that they keep nobody out.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use super::{Hosts, Setting, run};
use crate::host;
use crate::run::Program;
use crate::runs::eventually;

const ONE: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:3']\n";

#[track_caller]
fn check_runs(hosts: &Hosts) {
    let program = Program::new(ONE);
    let (code, stdout, stderr) = run(hosts, &["run", &program.path().display().to_string(), "--launch-type", "remote"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "a/0 │ 3\n"), "{stderr}");
}

#[test]
fn a_launcher_is_served_by_its_key_and_an_agent_known_by_its_own() {
    let hosts = Hosts::on_loopback(&[Setting::default()]);
    let program = Program::new(ONE);
    let path = program.path().display().to_string();
    let stranger = tempfile::tempdir().expect("a temporary directory can be made");
    let run_as_stranger = |file: &str| {
        let mut command = Command::new(host::BINARY);
        command.args(["run", &path, "--hosts", file]).env("LP_HOST_CONFIG", stranger.path()).env("NO_COLOR", "1");
        let output = command.output().expect("the binary runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let file = hosts.file().display().to_string();
    for _ in 0..3 {
        let (code, stderr) = run_as_stranger(&file);
        assert_eq!(code, Some(4), "{stderr}");
        let expected = "host `h1`: the agent does not know this launcher: add the line `SHA256:";
        assert!(stderr.contains(expected), "{stderr}");
    }
    assert_eq!(hosts.log(0).matches("refused 127.0.0.1: its key is not known: add the line `SHA256:").count(), 1);

    let text = std::fs::read_to_string(&file).expect("it can be read");
    let fingerprint = text.split('"').find(|part| part.starts_with("SHA256:")).expect("it has one");
    let other = stranger.path().join("hosts.toml");
    std::fs::write(&other, text.replace(fingerprint, "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"))
        .expect("written");
    let (code, stderr) = run_as_stranger(&other.display().to_string());
    assert_eq!(code, Some(4), "{stderr}");
    let expected = format!("has the key {fingerprint}, not the one that `fingerprint` says");
    assert!(stderr.contains(&expected), "{stderr}");
    check_runs(&hosts);
}

#[test]
fn what_speaks_something_else_or_nothing_keeps_nobody_out() {
    let hosts = Hosts::on_loopback(&[Setting::default()]);
    let silent: Vec<_> = (0..300).map(|_| TcpStream::connect(hosts.address(0)).expect("it listens")).collect();
    let mut plain = TcpStream::connect(hosts.address(0)).expect("it listens");
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it can be written");
    plain.set_read_timeout(Some(Duration::from_secs(10))).expect("it can be set");
    let mut answer = Vec::new();
    // An alert of TLS, or a reset.
    let _ = plain.read_to_end(&mut answer);
    assert!(answer.len() < 64, "{answer:?}");
    check_runs(&hosts);
    drop(silent);
    assert_eq!(hosts.log(0).matches("it speaks no TLS as launchers do").count(), 1, "{}", hosts.log(0));
    assert_eq!(hosts.log(0).matches("it sent nothing").count(), 1, "{}", hosts.log(0));
}

#[test]
fn an_ssh_that_fails_says_why_and_what_mends_it() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let ssh = dir.path().join("ssh");
    std::fs::write(&ssh, "#!/bin/sh\necho \"sh: 1: lp-host: not found\" >&2\nexit 127\n").expect("it can be written");
    std::fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it can be set");
    let file = dir.path().join("hosts.toml");
    std::fs::write(&file, "[hosts.far]\nssh = \"ada@far\"\n").expect("it can be written");
    let program = Program::new(ONE);
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(host::BINARY);
    command.args(["run", "--hosts"]).arg(&file).arg(program.path()).env("PATH", path).env("NO_COLOR", "1");
    let output = command.env("LP_HOST_CONFIG", dir.path()).output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    let expected =
        "host `far`: `ssh ada@far lp-host agent` has ended: sh: 1: lp-host: not found; install lp-host there";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn a_host_that_is_reached_by_ssh_needs_no_agent_and_keeps_nothing() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    // What the system's ssh would do on another machine, on this one.
    let ssh = dir.path().join("ssh");
    let script = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec sh -c \"$*\"\n";
    std::fs::write(&ssh, script).expect("it can be written");
    std::fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it can be set");
    let file = dir.path().join("hosts.toml");
    let temporary = dir.path().join("tmp");
    std::fs::create_dir(&temporary).expect("it can be made");
    let program = Program::new(ONE);
    for table in [format!("command = \"{}\"", host::BINARY), "command = \"no-lp-host\"\ncopy = true".to_owned()] {
        std::fs::write(&file, format!("[hosts.far]\nssh = \"ada@far\"\nadvertise = \"127.0.0.1\"\n{table}\n"))
            .expect("written");
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new(host::BINARY);
        command.args(["run", "--hosts"]).arg(&file).arg(program.path()).env("PATH", path).env("NO_COLOR", "1");
        command.env("TMPDIR", &temporary).env("LP_HOST_COMPONENTS", dir.path().join("components"));
        let output = command.env("LP_HOST_CONFIG", dir.path()).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{table}\n{stderr}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "a/0 │ 3\n");
        let is_copy = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("tmp.");
        eventually("the copy is gone", || {
            let mut left = std::fs::read_dir(&temporary).expect("it can be listed").flatten();
            !left.any(|entry| is_copy(&entry.file_name()))
        });
    }
}
