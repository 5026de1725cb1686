//! Detached runs, through the real binary: what their start says, what goes on without a terminal, and who attaches to them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use lp_host::plan::LaunchType;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use crate::host;
use crate::run::{Going, Program, script};
use crate::runs::{Machine, eventually};

/// A detached run. It ends with its test, however that goes.
struct Detached<'a> {
    machine: &'a Machine,
    id: String,
    pid: i32,
}

impl<'a> Detached<'a> {
    #[track_caller]
    fn start(machine: &'a Machine, program: &Program, options: &[&str]) -> Self {
        let mut command = machine.command(&["run", "--detach", "--format", "json"]);
        command.arg(program.path()).args(options);
        Self::by(machine, command)
    }

    #[track_caller]
    fn launched(machine: &'a Machine, program: &Program, launch_type: LaunchType) -> Self {
        let mut command = machine.command(&["run", "--detach", "--format", "json"]);
        command.arg(program.path());
        Self::by(machine, host::launched(command, launch_type))
    }

    #[track_caller]
    fn by(machine: &'a Machine, mut command: Command) -> Self {
        let output = command.output().expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let json = String::from_utf8_lossy(&output.stdout);
        let started: Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(started["type"], "detached");
        let pid = started["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("it has a process");
        Self { machine, id: started["run"].as_str().expect("it has an id").to_owned(), pid }
    }

    fn attach(&self) -> Going {
        Going::spawn(self.machine.command(&["attach", &self.id]))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid).expect("it has a process"), signal).expect("it is there");
    }

    fn is_gone(&self) -> bool {
        Pid::from_raw(self.pid).is_none_or(|pid| test_kill_process(pid).is_err())
    }

    /// The session of the launcher, and its terminal.
    fn session(&self) -> (String, String) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("it is there");
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        (fields[3].to_owned(), fields[4].to_owned())
    }
}

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        let _ = Pid::from_raw(self.pid).map(|pid| kill_process(pid, Signal::KILL));
    }
}

/// A server that was called once by a client, which waits then.
const PAIR: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
    [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:5', 'eprint:err', 'wait-for-stop', 'print:last']\n";

#[test]
fn a_detached_run_goes_on_without_a_terminal_and_is_found_by_every_verb() {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(PAIR));
        let run = Detached::launched(&machine, &program, launch_type);
        assert_eq!(run.session(), (run.pid.to_string(), "0".to_owned()));
        run.signal(Signal::HUP);
        assert_eq!(machine.ps()[0]["pid"], run.pid);
        assert_eq!(machine.data(&["call", "test/a", "relay", "2"]), "2\n");
        for _ in 0..2 {
            let mut attached = run.attach();
            attached.expect_line("b/0 │ 5");
            attached.signal(Signal::INT);
            let (code, stdout, stderr) = attached.end();
            assert_eq!((code, stdout.as_str()), (Some(130), ""), "{stderr}");
            let id = &run.id;
            assert!(
                stderr.ends_with(&format!("note: detached: `{id}` goes on; `lp-host stop {id}` ends it\n")),
                "{stderr}"
            );
        }
        assert!(machine.data(&["logs", "test"]).starts_with("b/0 │ 5\n"));
        let mut attached = run.attach();
        attached.expect_line("b/0 │ 5");
        machine.data(&["stop", "test"]);
        let table = check_end(attached.end(), 143);
        // It has ended by now, and is shown as it was.
        assert_eq!(check_end(Going::spawn(machine.command(&["attach"])).end(), 143), table);
        assert_eq!(machine.ps(), [] as [Value; 0]);
    }
}

/// What somebody saw who was attached to that pair to its end. Returns its table.
#[track_caller]
fn check_end((code, stdout, stderr): (Option<i32>, String, String), expected: i32) -> String {
    assert_eq!(code, Some(expected), "{stderr}");
    assert_eq!(stdout.trim_start_matches("b/0 │ 5\n"), "b/0 │ stopping, true\nb/0 │ last\n", "{stderr}");
    for text in ["b/0     │ err\n", "lp-host │ note: SIGTERM: asking every node to stop", " node  state"] {
        assert!(stderr.contains(text) || stderr.contains(&text.replace("    ", "")), "{text:?}\n{stderr}");
    }
    stderr[stderr.find(" node  state").expect("there is a table")..].to_owned()
}

#[test]
fn the_start_of_a_detached_run_says_how_it_is_found() {
    let (machine, program) = (Machine::new(), Program::new(PAIR));
    let path = program.path().display().to_string();
    let (code, stdout, stderr) = machine.screen(&["run", "--detach", &path]);
    assert_eq!(code, Some(0), "{stderr}");
    let id = stdout.trim_end();
    let expected = format!(
        "note: `{id}` runs in the background\n  lp-host attach {id}   its output, to its end\n  \
         lp-host logs {id}     its output until now\n  lp-host ps                 what it is doing\n  \
         lp-host stop {id}     ends it\n"
    );
    assert_eq!(stderr, expected);
    machine.data(&["stop", id]);
    let (code, _, stderr) = machine.screen(&["ps"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        stderr,
        format!(
            "note: no program is running\nnote: `{id}` has ended with exit code 143: `lp-host attach {id}` shows it\n"
        )
    );
    let listed: Value = serde_json::from_str(&machine.data(&["ps", "--format", "json"])).expect("it is JSON");
    assert_eq!((&listed["finished"][0]["id"], &listed["finished"][0]["exit_code"]), (&id.into(), &143.into()));
    machine.check_refused(&["logs", id], &["has ended", &format!("help: `lp-host attach {id}` shows what is kept")]);
    machine.check_refused(&["stop", "test"], &["has ended"]);
    machine.check_refused(&["attach", "other"], &["no run is called `other`", id]);
}

#[test]
fn whoever_attaches_exits_as_the_run_does() {
    let machine = Machine::new();
    let check = |steps: &str, code: i32, stdout: &str, stderr: &[&str]| {
        let program = Program::new(&script("ASYNC", steps));
        let run = Detached::start(&machine, &program, &[]);
        // One may come in time to see it end, and the other not.
        for _ in 0..2 {
            let (found, out, err) = run.attach().end();
            assert_eq!((found, out.as_str()), (Some(code), stdout), "{err}");
            for text in stderr {
                assert!(err.contains(text), "stderr lacks {text:?}\n{err}");
            }
        }
        let json = machine.command(&["attach", &run.id, "--format", "json"]).output().expect("the binary runs");
        let json = String::from_utf8_lossy(&json.stdout).into_owned();
        let last: Value = serde_json::from_str(json.lines().last().unwrap_or_default()).expect("it is JSON");
        assert_eq!((&last["type"], &last["replicas"][0]["node"]), (&"report".into(), &"probe".into()));
        let reason = last["replicas"][0]["reason"].as_str();
        assert!(reason.map_or(code == 0, |reason| code == 1 && reason.contains("wasm trap")), "{reason:?}");
        eventually("the end of the launcher", || run.is_gone());
    };
    check("'print:one'", 0, "probe/0 │ one\n", &["probe/0  ended"]);
    let failed = ["lp-host │ error: `probe/0` failed: ", "boom", "probe/0  failed"];
    check("'print:two', 'trap:boom'", 1, "probe/0 │ two\n", &failed);
    machine.check_refused(&["attach"], &["there is more than one run", "say which one: `test-"]);
    machine.check_refused(&["attach", "test"], &["more than one run is called `test`"]);
    assert_eq!(machine.run_dirs().len(), 2);
}

#[test]
fn a_launch_that_fails_says_why_and_leaves_nothing() {
    let machine = Machine::new();
    let check = |toml: &str, code: i32, texts: &[&str]| {
        let program = Program::new(toml);
        let path = program.path().display().to_string();
        let (found, stdout, stderr) = machine.screen(&["run", "--detach", "--build", &path]);
        assert_eq!((found, stdout.as_str()), (Some(code), ""), "{stderr}");
        for text in texts {
            assert!(stderr.contains(text), "stderr lacks {text:?}\n{stderr}");
        }
        assert_eq!(machine.ps(), [] as [Value; 0]);
        assert_eq!(machine.run_dirs(), [] as [PathBuf; 0]);
    };
    check("[nodes.a]\nASYNC\nhandles = { probe = 'b' }\n", 3, &["error[unknown-node]: no node is named `b`"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = taken.local_addr().expect("it is bound");
    let listening = format!("[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\nrun = false\nlisten = '{address}'\n");
    check(&listening, 4, &["error: ", &format!("a at {address}"), "Address already in use"]);
    let failing = "[nodes.a]\ncomponent = 'a.wasm'\nbuild = 'echo no such luck; exit 7'\n";
    check(failing, 3, &["no such luck\n", "error: the build of `a` failed: exit status: 7"]);
}

#[test]
fn what_needs_a_terminal_is_refused_by_name() {
    let (machine, program) = (Machine::new(), Program::new(PAIR));
    let path = program.path().display().to_string();
    let refused = |words: &[&str], text: &str| {
        machine.check_refused(&[&["run", "--detach", &path], words].concat(), &[text]);
    };
    refused(
        &["--watch"],
        "error: `--watch` needs a terminal, which a detached run has not\nhelp: leave out `--detach`",
    );
    refused(&["--terminal", "tmux"], "error: `--terminal tmux` needs a terminal, which a detached run has not\nhelp: ");
    machine.check_refused(&["detached", "run", &path], &["only `lp-host run --detach` starts this"]);
}

/// Begins to launch a program whose build does not end, ends what waits for it, and checks that nothing is left.
#[track_caller]
fn check_given_up(signal: Signal, code: Option<i32>) {
    let machine = Machine::new();
    let program = Program::new("[nodes.a]\ncomponent = 'a.wasm'\nbuild = 'echo $$ > pid; sleep 1000'\n");
    let mut command = machine.command(&["run", "--detach", "--build"]);
    command.arg(program.path());
    let waiting = Going::spawn(command);
    let mut pid = None;
    eventually("the build", || {
        let text = fs::read_to_string(program.dir.path().join("pid")).unwrap_or_default();
        pid = text.trim().parse().ok().and_then(Pid::from_raw);
        pid.is_some()
    });
    waiting.signal(signal);
    let (found, _, stderr) = waiting.end();
    assert_eq!(found, code, "{stderr}");
    eventually("the end of the build", || pid.is_some_and(|pid| test_kill_process(pid).is_err()));
}

#[test]
fn a_launch_ends_when_nobody_waits_for_it_any_more() {
    check_given_up(Signal::INT, Some(130));
    check_given_up(Signal::TERM, Some(143));
    check_given_up(Signal::KILL, None);
}

#[test]
fn the_start_of_the_output_is_dropped_and_that_is_said() {
    let (machine, steps) = (Machine::new(), "'print:x', ".repeat(34_000));
    let steps = format!("{steps}'print:last', 'wait-for-stop'");
    let program = Program::new(&script("ASYNC", &steps));
    let run = Detached::start(&machine, &program, &[]);
    eventually("the last line", || machine.data(&["logs", "test"]).ends_with("probe/0 │ last\n"));
    let mut attached = run.attach();
    let mut lines = 1;
    while attached.next_line() != "probe/0 │ last" {
        lines += 1;
    }
    machine.data(&["stop", "test"]);
    let (code, stdout, stderr) = attached.end();
    assert_eq!((code, stdout.as_str()), (Some(143), "probe/0 │ stopping, true\n"), "{stderr}");
    let dropped = format!("warning: the first {} lines are not kept any more\n", 34_001 - lines);
    assert!(lines < 34_000 && stderr.starts_with(&dropped), "{lines} lines, {stderr}");
    let (code, stdout, stderr) = run.attach().end();
    // The lines about the stop have taken the place of others.
    assert_eq!(code, Some(143), "{stderr}");
    assert!((lines - 8..=lines).contains(&stdout.lines().count()) && stdout.ends_with("stopping, true\n"), "{stderr}");
    assert!(stderr.starts_with("warning: the first "), "{stderr}");
}

#[test]
fn a_reader_that_has_seen_enough_ends_attach_and_not_the_run() {
    let machine = Machine::new();
    let program = Program::new(
        "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\n\
         args = ['print:one', 'wait-for:/data/go', 'print:two', 'wait-for-stop']\n\
         sandbox = { dirs = [{ host = '.', guest = '/data', access = 'read' }] }\n",
    );
    let run = Detached::start(&machine, &program, &[]);
    let binary = host::BINARY;
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{binary} attach {} | head -n 1", run.id)]);
    shell.env("XDG_RUNTIME_DIR", machine.runtime_dir()).env("NO_COLOR", "1");
    let mut shell = Going::spawn(shell);
    shell.expect_line("a/0 │ one");
    // It learns that nobody reads by the next line.
    fs::write(program.dir.path().join("go"), "").expect("it can be written");
    assert_eq!(shell.end().0, Some(0));
    assert_eq!(machine.ps()[0]["pid"], run.pid);
}

#[test]
fn attach_follows_a_run_in_a_terminal_too_and_says_when_it_breaks_off() {
    let (machine, program) = (Machine::new(), Program::new(PAIR));
    let attach = || {
        let mut going = machine.start(&program, &[]);
        going.expect_line("b/0 │ 5");
        let mut attached = Going::spawn(machine.command(&["attach", "test"]));
        attached.expect_line("b/0 │ 5");
        (going, attached)
    };
    let (going, attached) = attach();
    going.signal(Signal::KILL);
    let (code, _, stderr) = attached.end();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("broke off: nothing says how it ended\nhelp: its launcher was killed"), "{stderr}");
    let (going, attached) = attach();
    going.signal(Signal::TERM);
    check_end(attached.end(), 143);
    assert_eq!(going.end().0, Some(143));
    assert_eq!(machine.run_dirs(), [] as [PathBuf; 0]);
}
