//! Replicas that fail or end and start again, through the real binary: in calls, in `run`, at instantiation.

use std::io::{BufRead, BufReader};

use crate::run::{Going, Program, check};

const FAILED: &str = "b/0 │ Err(Failed(\"`a/0` failed while it worked on the call\"))";

/// A server `a` with this restart policy, and a node `b` whose handles reach it.
fn server(component: &str, restart: &str, handles: &str, steps: &str) -> String {
    format!(
        "[nodes.a]\n{component}\nhandles = {{ probe = 'a' }}\nrun = false\nrestart = {restart}\n\
         [nodes.b]\n{component}\nhandles = {{ {handles} }}\nargs = [{steps}]\n"
    )
}

#[test]
fn a_server_that_traps_in_a_call_answers_the_next_one() {
    let restart = "{ policy = 'on-failure', backoff = '1ms' }";
    let notes = ["error: `a/0` failed: wasm trap", "note: `a/0` starts again in ", ": restart 1 of 3"];
    let steps = "'trap-first', 'echo-each:2', 'plain-echo:3', 'trap-first', 'plain-echo:4'";
    for component in ["ASYNC", "PLAIN"] {
        let toml = server(component, restart, "probe = 'a'", steps);
        check(&toml, 0, &[FAILED, "b/0 │ Ok(2)", "b/0 │ 3", FAILED, "b/0 │ 4"], &notes);
    }
}

#[test]
fn the_report_counts_restarts_and_the_calls_of_all_lives() {
    let restart = "{ policy = 'on-failure', backoff = '1ms' }";
    let steps = "'plain-echo:1', 'trap-first', 'plain-echo:1', 'trap-first', 'plain-echo:1'";
    let program = Program::new(&server("ASYNC", restart, "probe = 'a'", steps));
    let output = program.command().args(["--format", "json"]).output().expect("the binary runs");
    let stdout = String::from_utf8(output.stdout).expect("json is UTF-8");
    let report = stdout.lines().last().expect("there is a report");
    let report: serde_json::Value = serde_json::from_str(report).expect("every line is JSON");
    let a = &report["replicas"][0];
    assert_eq!((&a["restarts"], &a["calls"], &a["errors"]), (&2.into(), &3.into(), &2.into()), "{report}");
    assert_eq!(report["replicas"][1]["restarts"], 0, "{report}");
}

#[test]
fn a_caller_waits_for_a_restart_within_its_deadline_or_not_at_all() {
    // Within an hour, nothing is restarted; and the end of the program does not wait for it.
    let restart = "{ policy = 'on-failure', backoff = '1h', backoff-max = '1h' }";
    let handles = "patient = 'a', probe = { node = 'a', timeout = '50ms' }";
    let toml = server("ASYNC", restart, handles, "'trap-first', 'plain-check:1'");
    check(&toml, 0, &[FAILED, "b/0 │ Err(DeadlineExceeded)"], &[]);
    let handles = "probe = 'a', hasty = { node = 'a', wait-for-ready = false }";
    let toml = server("ASYNC", restart, handles, "'trap-first', 'echo-last'");
    check(&toml, 0, &[FAILED, "b/0 │ Err(Unavailable)"], &[]);
}

#[test]
fn every_call_amid_crashes_is_answered() {
    let restart = "{ policy = 'on-failure', max = 1000, backoff = '1ms', backoff-max = '1ms' }";
    let toml = server("ASYNC", restart, "probe = 'a'", "'crash:50'")
        .replace("[nodes.b]", "[nodes.c]\nASYNC\nhandles = { probe = 'a' }\nargs = ['crash:50']\n[nodes.b]");
    let run = Program::new(&toml).run();
    assert_eq!(run.code(), Some(0), "{}", run.stderr());
    let mut lines: Vec<_> = run.stdout().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["b/0 │ (800, [])", "c/0 │ (800, [])"], "{}", run.stderr());
}

#[test]
fn a_run_that_fails_is_run_again() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['trap-once:/data/mark']\n\
        restart = { policy = 'on-failure', backoff = '1ms' }\n\
        sandbox = { dirs = [{ host = '.', guest = '/data', access = 'read-write' }] }\n";
    check(toml, 0, &["a/0 │ not again"], &["error: `a/0` failed: wasm trap"]);
}

#[test]
fn a_replica_past_its_budget_fails_the_program() {
    for (component, args) in [("ASYNC", "'trap:boom'"), ("ASYNC", "'fail'"), ("PLAIN", "'trap:boom'")] {
        let run = Program::new(&format!(
            "[nodes.a]\n{component}\nhandles = {{ probe = 'a' }}\nargs = [{args}]\n\
             restart = {{ policy = 'on-failure', max = 2, backoff = '1ms' }}\n"
        ))
        .run();
        assert_eq!(run.code(), Some(1), "{}", run.stderr());
        assert_eq!(run.stderr().matches("error: `a/0` failed: ").count(), 3, "{}", run.stderr());
        let given_up = "error: `a/0` has ended too often: its `restart` allows 2 restarts within 60s";
        assert!(run.stderr().contains(given_up), "{}", run.stderr());
    }
}

#[test]
fn a_replica_that_traps_at_instantiation_is_restarted() {
    let program = Program::new("[nodes.a]\ncomponent = 'trap.wasm'\nrestart = { policy = 'always', max = 1 }\n");
    let wasm = wat::parse_str(
        "(component
           (core module $code (func $start unreachable) (start $start) (func (export \"run\") (result i32) i32.const 0))
           (core instance $code (instantiate $code))
           (func $run (result (result)) (canon lift (core func $code \"run\")))
           (instance $run (export \"run\" (func $run)))
           (export \"wasi:cli/run@0.2.0\" (instance $run)))",
    );
    std::fs::write(program.dir.path().join("trap.wasm"), wasm.expect("it compiles")).expect("it can be written");
    let run = program.run();
    assert_eq!(run.code(), Some(1), "{}", run.stderr());
    let failures = run.stderr().matches("error: `a/0` failed: failed to start: wasm trap").count();
    assert_eq!(failures, 2, "{}", run.stderr());
}

#[test]
fn a_run_that_always_runs_is_run_again_when_it_returns() {
    for component in ["ASYNC", "PLAIN"] {
        let node = format!(
            "[nodes.a]\n{component}\nhandles = {{ probe = 'a' }}\nargs = ['print:tick']\n\
             restart = {{ policy = 'always', max = 2, backoff = '1ms' }}\n"
        );
        // With nobody to wait for, it goes on until its budget is spent.
        let given_up = "error: `a/0` has ended too often: its `restart` allows 2 restarts within 60s";
        check(&node, 1, &["a/0 │ tick"; 3], &[given_up]);
    }
}

#[test]
fn a_program_does_not_wait_for_a_node_that_always_runs() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['wait-for-stop']\nrestart = 'always'\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:1']\n";
    check(toml, 0, &["b/0 │ 1", "a/0 │ stopping, true"], &[]);
}

#[test]
fn a_plain_node_that_always_runs_answers_what_waits_between_two_runs() {
    let toml = "[nodes.a]\nPLAIN\nhandles = { probe = 'a' }\nargs = ['sleep:1']\n\
        restart = { policy = 'always', max = 1000000, backoff = '1ms', backoff-max = '1ms' }\n\
        [nodes.b]\nPLAIN\nhandles = { probe = 'a' }\nargs = ['plain-echo:1', 'plain-echo:2', 'plain-echo:3']\n";
    check(toml, 0, &["b/0 │ 1", "b/0 │ 2", "b/0 │ 3"], &[]);
}

#[test]
fn an_interrupt_ends_the_wait_for_a_restart() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['trap:boom']\n\
        restart = { policy = 'on-failure', backoff = '1h', backoff-max = '1h' }\n";
    let (_program, mut going) = Going::start(toml);
    let mut stderr = BufReader::new(going.child.stderr.take().expect("stderr is piped")).lines();
    let waits = |line: &std::io::Result<String>| line.as_ref().is_ok_and(|line| line.contains("`a/0` starts again in"));
    assert!(stderr.any(|line| waits(&line)), "it is not restarted");
    going.signal(rustix::process::Signal::INT);
    assert_eq!(going.child.wait().expect("the child can be waited for").code(), Some(130));
}

#[test]
fn the_first_run_of_a_colocation_that_returns_ends_the_others() {
    let toml = "grace = '1s'\n\
        [nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['print:first']\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nargs = ['wait-for-stop']\n\
        [nodes.c]\nPLAIN\nhandles = { probe = 'c' }\nargs = ['wait-for-stop']\n\
        [nodes.stubborn]\nASYNC\nhandles = { probe = 'stubborn' }\nargs = ['spin:0']\n\
        [colocate.together]\nnodes = ['a', 'b', 'c', 'stubborn']\nreturn-on-first-completed = true\n";
    let run = Program::new(toml).run();
    assert_eq!(run.code(), Some(0), "{}", run.stderr());
    let mut lines: Vec<_> = run.stdout().lines().map(|line| line.replace("        ", " ")).collect();
    lines.sort();
    assert_eq!(lines, ["a/0 │ first", "b/0 │ stopping, true", "c/0 │ stopping, true"], "{}", run.stderr());
    assert!(run.stderr().contains("note: killing nodes that are still running: stubborn/0\n"), "{}", run.stderr());
}

#[test]
fn nodes_beside_a_colocation_that_ends_go_on() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['print:first']\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nrun = false\n\
        [nodes.c]\nASYNC\nhandles = { probe = 'c' }\nargs = ['wait-for-stop']\n\
        [colocate.together]\nnodes = ['a', 'b']\nreturn-on-first-completed = true\n";
    let (_program, mut going) = Going::start(toml);
    going.expect_line("a/0 │ first");
    going.signal(rustix::process::Signal::TERM);
    let (code, stdout, stderr) = going.end();
    assert_eq!((code, stdout.as_str()), (Some(143), "c/0 │ stopping, true\n"), "{stderr}");
}
