//! How a run ends when it is told to: calls that are finished in the grace period, signals, and terminals that stand still.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::host;
use crate::hostile::component;
use crate::run::{Going, Program, check, script};
use crate::runs::{Machine, eventually};

/// A node that only serves.
const SERVER: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n";

/// What fits into a pipe.
const PIPE_BYTES: u64 = 64 * 1024;

fn launch_types() -> impl Iterator<Item = String> {
    host::LAUNCH_TYPES.iter().map(ToString::to_string)
}

/// Starts a run, of which nobody reads a stream, and a call of its only node that takes so long.
fn in_a_call(machine: &Machine, program: &Program, launch_type: &str, call: &str) -> (Going, Child) {
    let going = machine.start(program, &["--launch-type", launch_type]);
    let replica = |key: &str| machine.ps().first().map(|run| run["replicas"][0][key].clone());
    eventually("a server", || replica("state").is_some_and(|state| state == "running"));
    let mut calling = machine.command(&["call", "test/a", "sleep", call]);
    let calling = calling.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    // Nothing tells that a call has reached its callee; it has by far.
    std::thread::sleep(Duration::from_secs(1));
    (going, calling)
}

#[test]
fn a_node_that_only_serves_finishes_its_calls_in_the_grace_period() {
    for launch_type in launch_types() {
        let (machine, program) = (Machine::new(), Program::new(&format!("grace = '1h'\n{SERVER}")));
        let (going, mut calling) = in_a_call(&machine, &program, &launch_type, "4000");
        going.signal(Signal::TERM);
        let (code, _, stderr) = going.end();
        assert_eq!(code, Some(143), "{stderr}");
        assert!(!stderr.contains("dropping") && stderr.contains("ended"), "{stderr}");
        calling.wait().expect("it can be waited for");
    }
}

#[test]
fn a_node_that_only_serves_is_dropped_after_the_grace_period() {
    for launch_type in launch_types() {
        let (machine, program) = (Machine::new(), Program::new(&format!("grace = '10ms'\n{SERVER}")));
        let (going, mut calling) = in_a_call(&machine, &program, &launch_type, "3600000");
        going.signal(Signal::TERM);
        let (code, _, stderr) = going.end();
        assert_eq!(code, Some(143), "{stderr}");
        assert!(stderr.contains("killing nodes that are still running: a/0"), "{stderr}");
        assert_ne!(calling.wait().expect("it can be waited for").code(), Some(0));
    }
}

#[test]
fn a_second_signal_ends_servers_in_the_middle_of_their_calls() {
    let (machine, program) = (Machine::new(), Program::new(&format!("grace = '1h'\n{SERVER}")));
    let (going, mut calling) = in_a_call(&machine, &program, "threads", "3600000");
    going.signal(Signal::TERM);
    eventually("the stop", || machine.data(&["logs", "test"]).contains("asking every node to stop"));
    going.signal(Signal::TERM);
    assert_eq!(going.end().0, Some(143));
    calling.wait().expect("it can be waited for");
}

#[test]
fn servers_finish_their_calls_when_every_run_has_ended() {
    // The caller gives up on the call and ends; the server works on.
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
        [nodes.b]\nASYNC\nhandles = { probe = { node = 'a', timeout = '50ms' } }\nargs = ['plain-check:2500']\n";
    for launch_type in launch_types() {
        let output = Program::new(toml).command().args(["--launch-type", &launch_type]).output();
        let output = output.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("dropping"), "{stderr}");
    }
}

#[test]
fn a_hangup_asks_for_a_stop_and_exits_with_129() {
    for launch_type in launch_types() {
        let program = Program::new(&script("ASYNC", "'print:up', 'wait-for-stop'"));
        let mut command = program.command();
        command.args(["--launch-type", &launch_type]);
        let mut going = Going::spawn(command);
        going.expect_line("probe/0 │ up");
        going.signal(Signal::HUP);
        let (code, stdout, stderr) = going.end();
        assert_eq!((code, stdout.as_str()), (Some(129), "probe/0 │ stopping, true\n"), "{stderr}");
        assert!(stderr.contains("SIGHUP: asking every node to stop"), "{stderr}");
    }
}

#[test]
fn a_run_that_was_started_by_nohup_goes_on_after_a_hangup() {
    let program = Program::new(&script("ASYNC", "'print:up', 'wait-for-stop'"));
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" run \"$1\"", host::BINARY]).arg(program.path());
    let mut going = Going::spawn(command);
    going.expect_line("probe/0 │ up");
    going.signal(Signal::HUP);
    going.signal(Signal::TERM);
    let (code, stdout, stderr) = going.end();
    assert_eq!((code, stdout.as_str()), (Some(143), "probe/0 │ stopping, true\n"), "{stderr}");
    assert!(!stderr.contains("SIGHUP"), "{stderr}");
}

/// Two nodes that write without end to `stream`.
fn flood(guest: &str) -> Program {
    Program::new(&format!("grace = '1s'\n[nodes.a]\ncomponent = '{}'\nreplicas = 2\n", component(guest).display()))
}

#[test]
fn a_terminal_that_stands_still_holds_up_nothing_but_output() {
    for launch_type in launch_types() {
        let (machine, program) = (Machine::new(), flood("flood_lines"));
        // Nobody reads either of its streams.
        let mut going = machine.start(&program, &["--launch-type", &launch_type]);
        // For a while, as full as a line leaves it.
        let mut full = 0;
        eventually("a full pipe", || {
            let queued = rustix::io::ioctl_fionread(going.stdout.get_ref()).expect("it is a pipe");
            full = if queued > PIPE_BYTES / 2 { full + 1 } else { 0 };
            full > 10
        });
        let states = machine.ps();
        assert!(states[0]["replicas"].as_array().is_some_and(|all| all.iter().all(|one| one["state"] == "running")));
        going.signal(Signal::TERM);
        eventually("the end of the run", || going.child.try_wait().expect("it can be asked").is_some());
        assert_eq!(going.child.wait().expect("it has ended").code(), Some(143), "{launch_type}");
    }
}

#[test]
fn a_run_that_has_finished_waits_for_a_slow_reader_and_ends_by_a_signal() {
    let line = "x".repeat(60_000);
    let steps: Vec<_> = (10..25).map(|number| format!("'print:{number}{line}'")).collect();
    let toml = script("ASYNC", &steps.join(", ")) + "replicas = 4\n";
    for launch_type in launch_types() {
        let program = Program::new(&toml);
        let start = || {
            let mut command = program.command();
            command.args(["--launch-type", &launch_type]);
            Going::spawn(command)
        };
        // A reader that comes late has all of it.
        let mut going = start();
        std::thread::sleep(Duration::from_millis(500));
        let mut stdout = String::new();
        going.stdout.read_to_string(&mut stdout).expect("it can be read");
        for replica in 0..4 {
            let tag = format!("probe/{replica} │ ");
            let numbers: Vec<_> =
                stdout.lines().filter_map(|line| Some(line.strip_prefix(&tag)?[..2].to_owned())).collect();
            assert_eq!(numbers, (10..25).map(|number| number.to_string()).collect::<Vec<_>>(), "{launch_type}");
        }
        assert_eq!(going.child.wait().expect("it has ended").code(), Some(0));
        // One that never comes does not keep it from ending.
        let mut going = start();
        std::thread::sleep(Duration::from_millis(500));
        let pid = i32::try_from(going.child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        eventually("the end of the run", || {
            let _ = rustix::process::kill_process(pid, Signal::INT);
            going.child.try_wait().expect("it can be asked").is_some()
        });
        assert_eq!(going.child.wait().expect("it has ended").code(), Some(130));
    }
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    check(&script("ASYNC", "'print:up'"), 0, &["probe/0 │ up"], &[]);
    let program = Program::new(&script("ASYNC", "'print:up', 'print:again', 'exit:0'"));
    let mut child = program.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
