//! Worker processes and their deaths, through the real binary and with real signals.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::host;
use crate::run::{Going, Program};
use crate::runs::{Machine, eventually};

const PROCESSES: &[&str] = &["--launch-type", "processes"];

/// The process that runs a replica of the only program of a machine.
fn pid_of(machine: &Machine, node: &str) -> Option<i32> {
    let runs = machine.ps();
    let replicas = runs.first()?["replicas"].as_array()?;
    let replica = replicas.iter().find(|replica| replica["node"] == node && replica["state"] == "running")?;
    i32::try_from(replica["pid"].as_u64()?).ok()
}

fn kill(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a pid is positive");
    kill_process(pid, signal).expect("the process is there");
}

/// Whether a process is there and not merely waited for.
fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// A server with this restart policy, and a client that prints a line, waits for the file `go`, and calls again.
fn pair(restart: &str, steps: &str) -> Program {
    Program::new(&format!(
        "grace = '1s'\n[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\nrun = false\nrestart = {restart}\n\
         [nodes.b]\nASYNC\nhandles = {{ probe = 'a' }}\nargs = [{steps}]\n\
         sandbox = {{ dirs = [{{ host = '.', guest = '/data', access = 'read' }}] }}\n"
    ))
}

fn go(program: &Program) {
    std::fs::write(program.dir.path().join("go"), "").expect("it can be written");
}

/// The pids of both workers, once the client has called the server.
fn up(going: &mut Going, machine: &Machine) -> [i32; 2] {
    going.expect_line("b/0 │ 1");
    ["a", "b"].map(|node| pid_of(machine, node).expect("it runs"))
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

#[track_caller]
fn check_nothing_left(machine: &Machine, pids: &[i32]) {
    eventually("the end of all processes", || !pids.iter().any(|&pid| lives(pid)));
    eventually("the end of the run's directory", || machine.run_dirs().is_empty());
}

#[test]
fn every_replica_has_a_process_of_its_own_and_leaves_none() {
    let (machine, program) = (Machine::new(), pair("'never'", "'plain-echo:1', 'wait-for:/data/go', 'plain-echo:2'"));
    let mut going = machine.start(&program, PROCESSES);
    let [a, b] = up(&mut going, &machine);
    assert_ne!(a, b);
    assert!(lives(a) && lives(b) && a.cast_unsigned() != going.child.id());
    go(&program);
    check_end(going, 0, &["b/0 │ 2"], &[]);
    check_nothing_left(&machine, &[a, b]);
}

#[test]
fn a_worker_that_is_killed_starts_again_and_its_callers_go_on() {
    let restart = "{ policy = 'on-failure', backoff = '1ms' }";
    let (machine, program) = (Machine::new(), pair(restart, "'plain-echo:1', 'wait-for:/data/go', 'plain-echo:2'"));
    let mut going = machine.start(&program, PROCESSES);
    let [a, b] = up(&mut going, &machine);
    kill(a, Signal::KILL);
    eventually("another process", || pid_of(&machine, "a").is_some_and(|pid| pid != a));
    go(&program);
    let notes = ["error: `a/0` failed: its worker process was killed by signal 9", "restart 1 of 3"];
    check_end(going, 0, &["b/0 │ 2"], &notes);
    check_nothing_left(&machine, &[a, b]);
}

#[test]
fn a_call_that_was_under_way_is_lost_as_a_value() {
    let restart = "{ policy = 'on-failure', backoff = '1ms' }";
    let (machine, program) =
        (Machine::new(), pair(restart, "'plain-echo:1', 'print:calling', 'plain-check:30000', 'plain-echo:2'"));
    let mut going = machine.start(&program, PROCESSES);
    let [a, _] = up(&mut going, &machine);
    going.expect_line("b/0 │ calling");
    // Nothing tells that a call has reached its callee; it has by far.
    std::thread::sleep(std::time::Duration::from_secs(1));
    kill(a, Signal::KILL);
    let lost = "b/0 │ Err(Failed(\"`a/0` was lost while it worked on the call\"))";
    check_end(going, 0, &[lost, "b/0 │ 2"], &["restart 1 of 3"]);
}

#[test]
fn a_worker_past_its_budget_fails_the_program() {
    for (restart, kills) in [("'never'", 1), ("{ policy = 'on-failure', max = 1, backoff = '1ms' }", 2)] {
        let (machine, program) = (Machine::new(), pair(restart, "'plain-echo:1', 'wait-for-stop'"));
        let mut going = machine.start(&program, PROCESSES);
        let [a, b] = up(&mut going, &machine);
        let mut last = 0;
        for _ in 0..kills {
            eventually("another process", || pid_of(&machine, "a").is_some_and(|pid| pid != last));
            last = pid_of(&machine, "a").expect("it runs");
            kill(last, Signal::KILL);
        }
        check_end(going, 1, &["b/0 │ stopping, true"], &["its worker process was killed by signal 9"]);
        check_nothing_left(&machine, &[a, b, last]);
    }
}

#[test]
fn a_launcher_that_is_killed_takes_everything_with_it() {
    // One of the workers is stopped, and so could not end by itself.
    let (machine, program) = (Machine::new(), pair("'never'", "'plain-echo:1', 'wait-for-stop'"));
    let mut going = machine.start(&program, PROCESSES);
    let [a, b] = up(&mut going, &machine);
    kill(a, Signal::STOP);
    going.signal(Signal::KILL);
    going.child.wait().expect("it can be waited for");
    check_nothing_left(&machine, &[a, b]);
}

#[test]
fn a_terminated_launcher_gives_its_nodes_the_grace_period() {
    let (machine, program) = (Machine::new(), pair("'never'", "'plain-echo:1', 'wait-for-stop'"));
    let mut going = machine.start(&program, PROCESSES);
    let [a, b] = up(&mut going, &machine);
    going.signal(Signal::TERM);
    check_end(going, 143, &["b/0 │ stopping, true"], &["SIGTERM"]);
    check_nothing_left(&machine, &[a, b]);
}

#[test]
fn a_guest_that_ignores_the_stop_is_dropped_after_the_grace_period() {
    let (machine, program) = (Machine::new(), pair("'never'", "'plain-echo:1', 'spin:0'"));
    let mut going = machine.start(&program, PROCESSES);
    let [a, b] = up(&mut going, &machine);
    going.signal(Signal::TERM);
    check_end(going, 143, &[], &["killing nodes that are still running: b/0"]);
    check_nothing_left(&machine, &[a, b]);
}

#[test]
fn deadlines_hold_for_calls_to_a_worker_that_is_stopped() {
    let program = Program::new(
        "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
         [nodes.b]\nASYNC\nhandles = { probe = { node = 'a', timeout = '2s' } }\n\
         args = ['plain-echo:1', 'wait-for:/data/go', 'plain-check:0']\n\
         sandbox = { dirs = [{ host = '.', guest = '/data', access = 'read' }] }\n",
    );
    let machine = Machine::new();
    let mut going = machine.start(&program, PROCESSES);
    let [a, b] = up(&mut going, &machine);
    kill(a, Signal::STOP);
    go(&program);
    check_end(going, 0, &["b/0 │ Err(DeadlineExceeded)"], &[]);
    check_nothing_left(&machine, &[a, b]);
}

/// Three nodes without `async`, each of which calls the next from its `run`, in processes of their own.
fn ring(steps: &str) -> String {
    let node =
        |name: &str, next: &str| format!("[nodes.{name}]\nPLAIN\nhandles = {{ probe = '{next}' }}\nargs = [{steps}]\n");
    node("a", "b") + &node("b", "c") + &node("c", "a")
}

#[test]
fn a_ring_of_calls_fails_at_one_of_them() {
    for launch_type in host::LAUNCH_TYPES {
        let machine = Machine::new();
        let program = Program::new(&ring("'plain-check:1', 'plain-check:2'"));
        let (code, stdout, stderr) = machine.start(&program, &["--launch-type", &launch_type.to_string()]).end();
        // One call fails, and the others are answered, since that one's caller goes on. How often each goes round is open.
        assert_eq!(code, Some(0), "{launch_type}: {stderr}");
        let failed: Vec<_> = stdout.lines().filter(|line| line.contains("waits for this caller, ")).collect();
        assert!((1..=4).contains(&failed.len()), "{stdout}");
        let answered = stdout.lines().filter(|line| line.ends_with("Ok(1)") || line.ends_with("Ok(2)")).count();
        assert_eq!(answered + failed.len(), 6, "{stdout}");
    }
}

#[test]
fn calls_that_wait_for_long_without_a_ring_are_left_alone() {
    let toml = "[nodes.a]\nPLAIN\nhandles = { probe = 'b' }\nargs = ['plain-relay:1']\n\
        [nodes.b]\nPLAIN\nhandles = { probe = 'c' }\nrun = false\n\
        [nodes.c]\nPLAIN\nhandles = { probe = 'a' }\nargs = ['sleep:1000']\n\
        [nodes.d]\nPLAIN\nhandles = { probe = 'c' }\nargs = ['plain-check:500', 'plain-check:500']\n";
    for launch_type in host::LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(toml));
        let going = machine.start(&program, &["--launch-type", &launch_type.to_string()]);
        let (code, stdout, stderr) = going.end();
        assert_eq!(code, Some(0), "{launch_type}: {stderr}");
        let mut lines: Vec<_> = stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["a/0 │ 1", "d/0 │ Ok(500)", "d/0 │ Ok(500)"]);
    }
}

#[test]
fn two_hundred_kills_under_load_lose_no_call() {
    let restart = "{ policy = 'on-failure', max = 1000, backoff = '1ms', backoff-max = '1ms' }";
    let program = pair(restart, "'plain-echo:1', 'load:/data/go'");
    let machine = Machine::new();
    let mut going = machine.start(&program, PROCESSES);
    up(&mut going, &machine);
    let mut last = 0;
    for _ in 0..200 {
        eventually("another process", || {
            let pid = pid_of(&machine, "a").filter(|&pid| pid != last);
            last = pid.unwrap_or(last);
            pid.is_some()
        });
        kill(last, Signal::KILL);
    }
    go(&program);
    let (code, stdout, stderr) = going.end();
    assert_eq!(code, Some(0), "{stderr}");
    // Every call came to its own answer, or failed because its callee was lost.
    assert!(stdout.starts_with("b/0 │ every call was answered: ") && stdout.ends_with(", others: []\n"), "{stdout}");
}

#[test]
fn a_component_that_was_replaced_is_not_started_in_the_place_of_the_one_that_was_checked() {
    let program = Program::new(
        "[nodes.a]\ncomponent = 'a.wasm'\nhandles = { probe = 'a' }\nrun = false\n\
         restart = { policy = 'on-failure', max = 1, backoff = '1ms' }\n\
         [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:1', 'wait-for-stop']\n",
    );
    let component = program.dir.path().join("a.wasm");
    // With a section of its own it is another component than that of `b`, whose file would do as well otherwise.
    let own_section = [0, 2, 1, b'x'];
    let bytes = [&std::fs::read(host::guests().join("probe.wasm")).expect("it is there")[..], &own_section].concat();
    std::fs::write(&component, bytes).expect("it can be written");
    let machine = Machine::new();
    let mut going = machine.start(&program, PROCESSES);
    let [a, b] = up(&mut going, &machine);
    std::fs::copy(host::guests().join("probe_plain.wasm"), &component).expect("it can be copied");
    kill(a, Signal::KILL);
    let notes = ["its worker process can't run it: `", "a.wasm` was replaced while the program ran: its digest was "];
    check_end(going, 1, &["b/0 │ stopping, true"], &notes);
    check_nothing_left(&machine, &[a, b]);
}
