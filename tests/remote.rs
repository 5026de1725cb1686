//! Programs that run on several hosts: placement, strangers, hosts that go away and come back, and what is left of it all.

mod document;
mod far;
mod hosts;
mod kills;
mod lost;
mod net;
mod strangers;
mod watch;

use std::process::{Command, Output};

pub use hosts::{Hosts, Setting, command_line, environment, processes, shared};
pub use net::{Links, Net};

use crate::host;
use crate::run::{Going, Program};
use crate::runs::{Machine, eventually};

/// A server on other hosts than its client, which says `up` and then goes on with `steps`.
fn pair(restart: &str, steps: &str) -> Program {
    Program::new(&format!(
        "grace = '1s'\n[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\nrun = false\nrestart = {restart}\n\
         hosts = ['h2', 'h3']\n\
         [nodes.b]\nASYNC\nhandles = {{ probe = 'a' }}\nargs = ['plain-echo:1', {steps}]\nhosts = ['h1']\n\
         sandbox = {{ dirs = [{{ host = '.', guest = '/data', access = 'read' }}] }}\n"
    ))
}

const RESTARTS: &str = "{ policy = 'on-failure', max = 100, backoff = '1ms', backoff-max = '1ms' }";

fn go(program: &Program) {
    std::fs::write(program.dir.path().join("go"), "").expect("it can be written");
}

/// `lp-host run` of a program on these hosts.
fn start(hosts: &Hosts, machine: &Machine, program: &Program) -> Going {
    let mut command = machine.command(&["run", "--launch-type", "remote"]);
    command.arg(program.path());
    Going::spawn(hosts.launcher(command))
}

fn run(hosts: &Hosts, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(host::BINARY);
    command.args(words).env("NO_COLOR", "1");
    let Output { status, stdout, stderr } = hosts.launcher(command).output().expect("the binary runs");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

/// The host that a replica runs on, and its process there.
fn place_of(machine: &Machine, node: &str) -> Option<(String, i32)> {
    let runs = machine.ps();
    let replicas = runs.first()?["replicas"].as_array()?;
    let replica = replicas.iter().find(|replica| replica["node"] == node && replica["state"] == "running")?;
    Some((replica["host"].as_str()?.to_owned(), i32::try_from(replica["pid"].as_u64()?).ok()?))
}

/// No worker is left on any host.
#[track_caller]
fn check_nothing_left(hosts: &Hosts) {
    for host in 0..hosts.len() {
        eventually("the end of all workers", || hosts.processes(host).len() <= 1);
    }
}

#[track_caller]
fn check_end(going: Going, code: i32, stdout: &[&str], stderr: &[&str]) {
    let (found, out, err) = going.end();
    assert_eq!(found, Some(code), "--- stdout\n{out}--- stderr\n{err}");
    assert_eq!(out.lines().collect::<Vec<_>>(), stdout, "{err}");
    for text in stderr {
        assert!(err.contains(text), "stderr lacks {text:?}\n{err}");
    }
}

#[test]
fn a_program_runs_on_three_hosts_as_on_one_and_the_verbs_find_it() {
    let (hosts, machine) = (Hosts::three(), Machine::new());
    let program = pair("'never'", "'wait-for:/data/go', 'plain-echo:2'");
    let mut going = start(&hosts, &machine, &program);
    going.expect_line("b/0 │ 1");
    let (a, b) = (place_of(&machine, "a").expect("it runs"), place_of(&machine, "b").expect("it runs"));
    assert_eq!((a.0.as_str(), b.0.as_str()), ("h2", "h1"));
    let table = machine.data(&["ps"]);
    assert!(table.lines().next().is_some_and(|header| header.contains("node  host")), "{table}");
    let id = machine.ps()[0]["id"].as_str().expect("it has an id").to_owned();
    let call = machine.command(&["call", &format!("{id}/a"), "echo", "[1, 2]"]);
    let called = hosts.launcher(call).output().expect("the binary runs");
    assert_eq!(String::from_utf8_lossy(&called.stdout).trim(), "[1, 2]", "{}", String::from_utf8_lossy(&called.stderr));
    assert_eq!(machine.data(&["logs", &id, "b"]).lines().last(), Some("b/0 │ 1"));
    go(&program);
    check_end(going, 0, &["b/0 │ 2"], &[" host  restarts", "ended  h2"]);
    check_nothing_left(&hosts);
    assert!(hosts.log(1).contains("has ended here: the run has ended"), "{}", hosts.log(1));
}

#[test]
fn a_run_on_hosts_is_stopped_from_where_it_was_launched() {
    let (hosts, machine) = (shared(), Machine::new());
    let going = {
        let program = pair("'never'", "'wait-for-stop'");
        let mut going = start(hosts, &machine, &program);
        going.expect_line("b/0 │ 1");
        going
    };
    let (code, _, stderr) = machine.screen(&["stop", "test"]);
    assert_eq!(code, Some(0), "{stderr}");
    check_end(going, 143, &["b/0 │ stopping, true"], &[]);
}

#[test]
fn what_can_not_be_placed_is_told_before_anything_starts() {
    let hosts = Hosts::on_loopback(&[Setting { table: "slots = 1", ..Setting::default() }, Setting::default()]);
    let program = Program::new(
        "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nreplicas = 2\nhosts = ['h1']\n\
         [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nhosts = { labels = ['gpu'] }\n",
    );
    let path = program.path().display().to_string();
    for verb in [&["plan"][..], &["run"]] {
        let (code, stdout, stderr) = run(&hosts, &[verb, &[&*path, "--launch-type", "remote"]].concat());
        assert_eq!((code, stdout.as_str()), (Some(3), ""), "{stderr}");
        for text in [
            "`b/0` can't be placed\n    `h1` lacks the label `gpu` that `b` wants\n    `h2` lacks the label `gpu`",
            "`a/1` can't be placed\n    `h1` has 0 of 1 slots free, where 1 are needed\n    `h2` is not among the `hosts`",
        ] {
            assert!(stderr.contains(text), "{stderr}");
        }
    }
    let (code, stdout, stderr) = run(
        &hosts,
        &["plan", &path, "--launch-type", "remote", "--set", "nodes.b=null", "--set", "nodes.a.replicas=1"],
    );
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stdout, " worker  host  runs  memory at most\n a/0     h1    a/0   256MiB\n");
    assert!(!hosts.log(0).contains("runs `"), "{}", hosts.log(0));
}

#[test]
fn a_host_grants_what_is_there_and_what_its_operator_allows() {
    let policy = tempfile::tempdir().expect("a temporary directory can be made");
    let file = policy.path().join("policy.toml");
    std::fs::write(&file, "[limits]\nmemory = '64MiB'\n[allow]\ndirs = ['.']\n[total]\nreplicas = 2\n")
        .expect("written");
    let file = file.display().to_string();
    let hosts = Hosts::on_loopback(&[Setting { args: &["--policy", &file], ..Setting::default() }]);
    let check = |node: &str, expected: &str| {
        let program = Program::new(&format!("[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\n{node}\n"));
        let (code, _, stderr) = run(&hosts, &["run", &program.path().display().to_string(), "--launch-type", "remote"]);
        assert_eq!(code, Some(4), "{node}\n{stderr}");
        assert!(stderr.contains("host `h1`: ") && stderr.contains(expected), "{node}\n{stderr}");
    };
    let small = "limits = { memory = '64MiB' }\n";
    check("", "`a` may have 256MiB of `memory`, and the operator of this host allows 64MiB: its `limits` may say");
    check(
        &format!("{small}sandbox = {{ dirs = [{{ host = '/etc', guest = '/etc' }}] }}"),
        "`a` may not have `/etc` here: the operator's `allow.dirs` does not allow it",
    );
    check(
        &format!("{small}sandbox = {{ dirs = [{{ host = '/nowhere', guest = '/data' }}] }}"),
        "`a` is granted `/nowhere`, which is no directory of this host: make it here, or say by `hosts`",
    );
    check(
        &format!("{small}sandbox = {{ secrets = {{ key = {{ env = 'LPT_NO_SUCH' }} }} }}"),
        "the secret `key` of `a`: the environment variable `LPT_NO_SUCH` is not set",
    );
    check(
        &format!("{small}replicas = 3"),
        "`a/0`, `a/1`, `a/2` are 3 replicas, and of the 2 that the operator of this host allows, it runs 0",
    );
}

/// A component with a custom section of so many bytes, which makes it as large as one in Python.
fn with_section(component: &[u8], bytes_len: usize) -> Vec<u8> {
    let contents = [&[1, b'x'][..], &vec![b'.'; bytes_len]].concat();
    let (mut section, mut rest) = (vec![0], contents.len());
    // Its length is in LEB128.
    while rest >= 128 {
        section.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    section.push(rest as u8);
    [component, &section, &contents].concat()
}

#[test]
fn a_component_of_20_mib_goes_to_each_of_eight_hosts_once() {
    let hosts = Hosts::on_loopback(&[Setting::default(); 8]);
    let program =
        Program::new("[nodes.a]\ncomponent = 'large.wasm'\nhandles = { probe = 'a' }\nreplicas = 24\nargs = ['who']\n");
    let component = std::fs::read(host::guests().join("probe.wasm")).expect("it is there");
    let large = with_section(&component, (20 << 20) - component.len());
    std::fs::write(program.dir.path().join("large.wasm"), large).expect("it can be written");
    let path = program.path().display().to_string();
    for _ in 0..2 {
        let (code, stdout, stderr) = run(&hosts, &["run", &path, "--launch-type", "remote"]);
        assert_eq!((code, stdout.lines().count()), (Some(0), 24), "{stderr}");
    }
    for host in 0..hosts.len() {
        let log = hosts.log(host);
        assert_eq!(log.matches("with 3 workers").count(), 2, "{log}");
        assert_eq!(log.matches("received a component").count(), 1, "{log}");
        assert!(log.contains("(20.0 MiB, "), "{log}");
    }
}
