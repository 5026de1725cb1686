//! Programs that run, as others see them: `ps`, `logs`, `stop`, tmux, and what is left when they are gone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use lp_host::plan::LaunchType;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::grpc::listening_at;
use crate::host;
use crate::run::{Going, Program, script};

/// A machine where nothing else runs.
pub struct Machine {
    runtime_dir: TempDir,
}

impl Machine {
    pub fn new() -> Self {
        Self { runtime_dir: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    pub fn runtime_dir(&self) -> &Path {
        self.runtime_dir.path()
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(host::BINARY);
        command.args(words).env("XDG_RUNTIME_DIR", self.runtime_dir.path()).env("NO_COLOR", "1");
        command
    }

    pub fn start(&self, program: &Program, options: &[&str]) -> Going {
        let mut command = self.command(&["run"]);
        command.arg(program.path()).args(options);
        Going::spawn(command)
    }

    /// Starts a program under `launch_type`, with hosts if it takes some.
    pub fn launch(&self, program: &Program, launch_type: LaunchType) -> Going {
        let mut command = self.command(&["run"]);
        command.arg(program.path());
        Going::spawn(host::launched(command, launch_type))
    }

    /// The exit code of a command and both its streams.
    pub fn screen(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(words).output().expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("the screen is UTF-8");
        (status.code(), text(stdout), text(stderr))
    }

    /// Stdout of a command that succeeds.
    #[track_caller]
    pub fn data(&self, words: &[&str]) -> String {
        let (code, stdout, stderr) = self.screen(words);
        assert_eq!(code, Some(0), "{words:?}\n{stderr}");
        stdout
    }

    /// A command that exits with 2 and says all of `texts`.
    #[track_caller]
    pub fn check_refused(&self, words: &[&str], texts: &[&str]) {
        let (code, _, stderr) = self.screen(words);
        assert_eq!(code, Some(2), "{words:?}\n{stderr}");
        for text in texts {
            assert!(stderr.contains(text), "{words:?} does not say {text:?}\n{stderr}");
        }
    }

    pub fn ps(&self) -> Vec<Value> {
        let json: Value = serde_json::from_str(&self.data(&["ps", "--format", "json"])).expect("it is JSON");
        json["runs"].as_array().expect("there is a list of runs").clone()
    }

    fn ids(&self) -> Vec<String> {
        self.ps().iter().map(|run| run["id"].as_str().expect("an id is a string").to_owned()).collect()
    }

    /// The directories of runs, dead or alive.
    pub fn run_dirs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.runtime_dir.path().join("lp-host")).expect("it can be listed");
        entries.map(|entry| entry.expect("the entry can be read").path()).collect()
    }

    fn control(&self) -> UnixStream {
        let socket = self.run_dirs().pop().expect("there is a run").join("control.sock");
        UnixStream::connect(socket).expect("the run listens")
    }
}

/// Waits until something holds that has no event to wait for.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A server that was called once by a client that says `up` and then waits.
const PAIR: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
    [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:5', 'print:up', 'wait-for-stop']\n";

#[test]
fn ps_shows_every_replica_of_a_program_that_runs() {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(PAIR));
        let mut going = machine.launch(&program, launch_type);
        going.expect_line("b/0 │ 5");
        going.expect_line("b/0 │ up");
        let [run] = &machine.ps()[..] else { panic!("one program runs: {:?}", machine.ps()) };
        assert_eq!(
            (&run["program"], &run["launch_type"], &run["pid"]),
            (&"test".into(), &launch_type.to_string().into(), &going.child.id().into())
        );
        let replicas = run["replicas"].as_array().expect("there are replicas");
        let [a, b] = &replicas[..] else { panic!("there are two: {replicas:?}") };
        assert_eq!((&a["node"], &a["replica"], &a["state"]), (&"a".into(), &0.into(), &"running".into()));
        assert_eq!((&a["calls"], &a["errors"], &a["restarts"]), (&1.into(), &0.into(), &0.into()));
        assert!(a["memory_bytes"].as_u64() >= Some(65_536) && a["uptime_ms"].is_u64() && a["pid"].is_u64(), "{a}");
        assert_eq!((&b["node"], &b["state"], &b["calls"]), (&"b".into(), &"running".into(), &0.into()));
        let table = machine.data(&["ps"]);
        let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let of_host = usize::from(launch_type == LaunchType::Remote);
        assert_eq!(lines[0][..2], ["run", "node"], "{table}");
        assert_eq!(lines[0][2 + of_host..][..4], ["state", "pid", "hardening", "restarts"], "{table}");
        assert_eq!(lines[1][..2], [run["id"].as_str().unwrap_or_default(), "a/0"], "{table}");
        assert_eq!(lines[1][2 + of_host], "running", "{table}");
        assert_eq!(lines.len(), 3, "{table}");
        going.signal(Signal::TERM);
        assert_eq!(going.end().0, Some(143));
        assert_eq!(machine.screen(&["ps"]), (Some(0), String::new(), "note: no program is running\n".to_owned()));
    }
}

#[test]
fn logs_shows_what_was_printed_by_all_or_by_one() {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nreplicas = 2\nargs = ['who', 'wait-for-stop']\n\
            [nodes.ab]\nASYNC\nhandles = { probe = 'a' }\nargs = ['eprint:\"err\"', 'print:up', 'wait-for-stop']\n";
        let (machine, program) = (Machine::new(), Program::new(toml));
        let mut going = machine.launch(&program, launch_type);
        (0..3).for_each(|_| drop(going.stdout.read_line(&mut String::new())));
        let mut lines: Vec<_> = machine.data(&["logs", "test"]).lines().map(str::to_owned).collect();
        lines.sort();
        let who = [0, 1].map(|index| format!("a/{index}  │ test a {index}/2 {launch_type}"));
        assert_eq!(lines, [&who[0], &who[1], "ab/0 │ \"err\"", "ab/0 │ up"]);
        assert_eq!(machine.data(&["logs", "test", "a/1"]), format!("{}\n", who[1]));
        assert_eq!(machine.data(&["logs", "test", "ab"]), "ab/0 │ \"err\"\nab/0 │ up\n");
        let json = machine.data(&["logs", "test", "ab", "--format", "json"]);
        let first: Value = serde_json::from_str(json.lines().next().unwrap_or_default()).expect("it is JSON");
        assert_eq!((&first["stream"], &first["line"]), (&"stderr".into(), &"\"err\"".into()));
        machine.check_refused(&["logs", "test", "c"], &["no node or replica of `test` is called `c`", "`a` (0 to 1)"]);
        machine.check_refused(&["logs", "other"], &["no run is called `other`", &machine.ids()[0]]);
        machine.data(&["stop", "test"]);
        machine.check_refused(&["logs", "test"], &["no run is called `test`; no program is running"]);
    }
}

#[test]
fn logs_that_follow_end_with_the_run_and_lack_nothing() {
    let program = Program::new(&script("ASYNC", "'print:up', 'wait-for-stop', 'print:last'"));
    let machine = Machine::new();
    let mut going = machine.start(&program, &[]);
    going.expect_line("probe/0 │ up");
    let mut follower = Going::spawn(machine.command(&["logs", "test", "probe", "-f"]));
    follower.expect_line("probe/0 │ up");
    machine.data(&["stop", "test"]);
    assert_eq!(follower.end(), (Some(0), "probe/0 │ stopping, true\nprobe/0 │ last\n".to_owned(), String::new()));
    assert_eq!(going.end().0, Some(143));
}

#[test]
fn stop_waits_for_the_end_and_the_run_exits_as_by_a_signal() {
    let machine = Machine::new();
    let program = Program::new(&script("ASYNC", "'print:up', 'wait-for-stop', 'sleep:200'"));
    let mut going = machine.start(&program, &[]);
    going.expect_line("probe/0 │ up");
    let (code, stdout, stderr) = machine.screen(&["stop", "test", "--format", "json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("\"stopped\":true"), "{stdout}");
    assert_eq!(machine.run_dirs(), [] as [PathBuf; 0]);
    let (code, stdout, stderr) = going.end();
    assert_eq!((code, stdout.as_str()), (Some(143), "probe/0 │ stopping, true\n"), "{stderr}");
}

#[test]
fn stop_now_skips_the_grace_period() {
    let machine = Machine::new();
    let program = Program::new(&format!("grace = '1h'\n{}", script("ASYNC", "'print:up', 'spin:0'")));
    let mut going = machine.start(&program, &[]);
    going.expect_line("probe/0 │ up");
    machine.data(&["stop", "test", "--now"]);
    assert_eq!(going.end().0, Some(143));
}

#[test]
fn two_programs_at_once_do_not_meet() {
    let machine = Machine::new();
    let programs = ["one", "two"]
        .map(|word| Program::new(&script("ASYNC", &format!("'print:{word}', 'plain-echo:5', 'wait-for-stop'"))));
    let start = |program, word: &str| {
        let mut going = machine.start(program, &[]);
        going.expect_line(&format!("probe/0 │ {word}"));
        going.expect_line("probe/0 │ 5");
        going
    };
    let one = start(&programs[0], "one");
    let [first] = &machine.ids()[..] else { panic!("one program runs") };
    let two = start(&programs[1], "two");
    let second = machine.ids().into_iter().find(|id| id != first).expect("two programs run");
    machine.check_refused(&["stop", "test"], &["more than one run is called `test`", first, &second]);
    machine.check_refused(&["stop", "tes"], &["more than one run is called `tes`"]);
    assert_eq!(machine.data(&["logs", first]), "probe/0 │ one\nprobe/0 │ 5\n");
    assert_eq!(machine.data(&["logs", &second]), "probe/0 │ two\nprobe/0 │ 5\n");
    // The ids differ in their last four characters, so all but the last are nearly always enough.
    let enough = (1..).map(|length| &second[..length]).find(|prefix| !first.starts_with(prefix));
    machine.data(&["stop", enough.expect("the ids differ")]);
    assert_eq!(two.end().0, Some(143));
    assert_eq!(&machine.ids()[..], std::slice::from_ref(first));
    machine.data(&["stop", "test"]);
    assert_eq!(one.end().0, Some(143));
}

#[test]
fn a_killed_launcher_leaves_nothing_behind() {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(PAIR));
        let mut going = machine.launch(&program, launch_type);
        going.expect_line("b/0 │ 5");
        let mut follower = Going::spawn(machine.command(&["logs", "test", "-f"]));
        follower.expect_line("b/0 │ 5");
        assert_eq!(machine.run_dirs().len(), 1);
        going.signal(Signal::KILL);
        eventually("the removal of the directory", || machine.run_dirs().is_empty());
        assert_eq!(follower.end().0, Some(0));
        assert_eq!(machine.ids(), [] as [String; 0]);
    }
}

#[test]
fn directories_with_spaces_and_long_names_are_no_obstacle() {
    for name in ["a program of mine".to_owned(), "x".repeat(200)] {
        let (machine, program) = (Machine::new(), Program::new(PAIR));
        let dir = program.dir.path().join(&name);
        std::fs::create_dir(&dir).expect("it can be made");
        std::fs::copy(program.path(), dir.join("program.toml")).expect("it can be copied");
        // The directory of runs is there too, so sockets have to go elsewhere if the name is long.
        let in_dir = |words: &[&str]| {
            let mut command = machine.command(words);
            command.current_dir(&dir).env("XDG_RUNTIME_DIR", &dir).env("TMPDIR", machine.runtime_dir.path());
            command
        };
        for &launch_type in host::ALL_LAUNCH_TYPES {
            let mut going = Going::spawn(host::launched(in_dir(&["run", "program.toml"]), launch_type));
            going.expect_line("b/0 │ 5");
            let logs = in_dir(&["logs", "test"]).output().expect("the binary runs");
            assert!(String::from_utf8_lossy(&logs.stdout).starts_with("b/0 │ 5\n"), "{logs:?}");
            let stopped = in_dir(&["stop", "test"]).output().expect("the binary runs");
            assert!(stopped.status.success(), "{stopped:?}");
            assert_eq!(going.end().0, Some(143));
        }
    }
}

#[test]
fn a_client_that_does_not_read_holds_nothing_up() {
    let lines = "'print:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', ".repeat(5000);
    let machine = Machine::new();
    let program = Program::new(&script("ASYNC", &format!("'print:up', 'wait-for-stop', {lines}")));
    let mut going = machine.start(&program, &[]);
    going.expect_line("probe/0 │ up");
    let mut client = machine.control();
    client.write_all(b"{\"request\":\"logs\",\"node\":null,\"follow\":true}\n").expect("it can be sent");
    client.read_exact(&mut [0]).expect("the first line comes");
    going.signal(Signal::TERM);
    let (code, stdout, _) = going.end();
    assert_eq!((code, stdout.lines().count()), (Some(143), 5001));
}

#[test]
fn what_is_no_request_is_answered_with_an_error() {
    let machine = Machine::new();
    let program = Program::new(PAIR);
    let mut going = machine.start(&program, &[]);
    going.expect_line("b/0 │ 5");
    let control = machine.control();
    let mut replies = BufReader::new(control.try_clone().expect("it can be cloned")).lines();
    let mut ask = |request: &str| -> Value {
        writeln!(&control, "{request}").expect("it can be sent");
        let reply = replies.next().expect("there is a reply").expect("it can be read");
        serde_json::from_str(&reply).expect("it is JSON")
    };
    assert_eq!(ask("hello")["reply"], "error");
    assert_eq!(ask("{\"request\":\"dance\"}")["reply"], "error");
    assert_eq!(ask("{\"request\":\"stop\",\"now\":false,\"later\":true}")["reply"], "error");
    assert_eq!(ask("{\"request\":\"status\"}")["program"], "test");
    going.signal(Signal::TERM);
    assert_eq!(going.end().0, Some(143));
}

#[test]
fn tmux_gets_a_window_for_each_node_and_ends_with_the_run() {
    if Command::new("tmux").arg("-V").output().is_err() {
        eprintln!("skipped: there is no tmux");
        return;
    }
    let machine = Machine::new();
    let tmux = |words: &[&str]| {
        let mut command = Command::new("tmux");
        let output = command.args(words).env("TMUX_TMPDIR", machine.runtime_dir.path()).env_remove("TMUX").output();
        let output = output.expect("tmux runs");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let program = Program::new(PAIR);
    let mut command = machine.command(&["run", "--terminal", "tmux"]);
    command.arg(program.path()).env("TMUX_TMPDIR", machine.runtime_dir.path()).env_remove("TMUX");
    let going = Going::spawn(command);
    let mut session = String::new();
    eventually("the window of b with its output", || {
        session = machine.ids().first().map(|id| format!("lp-host-{id}")).unwrap_or_default();
        tmux(&["capture-pane", "-p", "-t", &format!("={session}:=b")]).is_some_and(|text| text.contains("b/0 │ up"))
    });
    let windows = tmux(&["list-windows", "-t", &format!("={session}"), "-F", "#{window_name}"]);
    assert_eq!(windows.as_deref(), Some("a\nb\n"));
    machine.data(&["stop", "test"]);
    let (code, stdout, stderr) = going.end();
    assert_eq!((code, stdout.as_str()), (Some(143), ""), "{stderr}");
    assert!(stderr.contains(&format!("tmux attach -t {session}")), "{stderr}");
    assert_eq!(tmux(&["has-session", "-t", &format!("={session}")]), None);
}

#[test]
fn a_missing_tmux_is_said_before_anything_runs() {
    let machine = Machine::new();
    let program = Program::new(&script("ASYNC", "'print:up'"));
    let mut command = machine.command(&["run", "--terminal", "tmux"]);
    let output = command.arg(program.path()).env("PATH", machine.runtime_dir.path()).output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0), "{stderr}");
    assert!(stderr.contains("failed to run `tmux`") && stderr.contains("help: install tmux"), "{stderr}");
}

#[test]
fn call_calls_a_node_of_a_run_or_at_an_address() {
    let listening = PAIR.replace("run = false", "run = false\nlisten = '127.0.0.1:0'");
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(&listening));
        let mut going = machine.launch(&program, launch_type);
        let mut stderr = BufReader::new(going.child.stderr.take().expect("stderr is piped"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("stderr can be read");
        let address = listening_at(&line).expect("it says where the node listens");
        going.expect_line("b/0 │ 5");
        going.expect_line("b/0 │ up");
        assert_eq!(machine.data(&["call", "test/a", "relay", "3"]), "3\n");
        assert_eq!(machine.data(&["call", "test/a/0", "probe.echo", "[1, 2]"]), "[1, 2]\n");
        assert_eq!(machine.data(&["call", "test/a", "check", "--json", "[7]"]), "{\"ok\":7}\n");
        assert_eq!(machine.data(&["call", "test/a", "sleep", "1"]), "");
        assert!(
            machine.data(&["call", "test/a", "--list"]).contains("probe.check(ms: u64) -> result<u64, call-error>\n")
        );
        let component = host::guests().join("probe.wasm");
        let component = component.to_str().expect("paths here are UTF-8");
        assert_eq!(machine.data(&["call", address, "relay", "2", "--component", component]), "2\n");
        // Without the component, the node tells its types, as exactly as the component does.
        assert_eq!(machine.data(&["call", address, "relay", "2"]), "2\n");
        let listed = |words: &[&str]| machine.data(&[&["call", address, "--list"], words].concat());
        assert_eq!(listed(&[]), listed(&["--component", component]));
        let silent = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let silent = silent.local_addr().expect("it is bound").to_string();
        machine.check_refused(&["call", &silent, "--list", "--timeout", "200ms"], &["--component FILE"]);
        machine.check_refused(&["call", "test/a", "rely", "2"], &["no method `rely`", "probe.relay(hops: u32) -> u32"]);
        machine.check_refused(&["call", "test/a", "relay", "-1"], &["(hops: u32) -> u32"]);
        machine.check_refused(&["call", "test/c", "relay", "1"], &["no node `c`", "`a`, `b`"]);
        machine.check_refused(&["call", "test/a/1", "relay", "1"], &["the replicas 0 to 0"]);
        let (code, _, stderr) = machine.screen(&["call", "test/a", "sleep", "60000", "--timeout", "100ms"]);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("the call of `sleep`: deadline exceeded"), "{stderr}");
        going.signal(Signal::TERM);
        going.child.wait().expect("it can be waited for");
    }
}
