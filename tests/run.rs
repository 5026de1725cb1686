//! Programs from launch to end, through the real binary: output, order, failures, stops and exit codes.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::config::{folder, sandbox};
use crate::host;

/// A program file in a directory of its own. `ASYNC` and `PLAIN` in it are the two probe components.
pub struct Program {
    pub dir: TempDir,
}

impl Program {
    pub fn new(toml: &str) -> Self {
        let guests = host::guests();
        let component = |name: &str| format!("component = \"{}\"", guests.join(name).display());
        let toml = toml.replace("ASYNC", &component("probe.wasm")).replace("PLAIN", &component("probe_plain.wasm"));
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        std::fs::write(dir.path().join("program.toml"), format!("name = \"test\"\n{toml}")).expect("it can be written");
        Self { dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("program.toml")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(host::BINARY);
        command.arg("run").arg(self.path());
        command
    }

    pub(crate) fn run(&self) -> Run {
        Run(self.command().output().expect("the binary runs"))
    }
}

/// A finished run.
pub(crate) struct Run(Output);

impl Run {
    pub(crate) fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    #[track_caller]
    fn check(&self, code: i32, stdout: &[&str], stderr: &[&str]) {
        let context = format!("--- stdout\n{}--- stderr\n{}", self.stdout(), self.stderr());
        assert_eq!(self.code(), Some(code), "{context}");
        let lines: Vec<_> = self.stdout().lines().map(str::to_owned).collect();
        assert_eq!(lines, stdout, "{context}");
        for text in stderr {
            assert!(self.stderr().contains(text), "stderr lacks {text:?}\n{context}");
        }
    }
}

/// Runs a program under every launch type: what comes of it is the same.
#[track_caller]
pub(crate) fn check(toml: &str, code: i32, stdout: &[&str], stderr: &[&str]) {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        eprintln!("launch type {launch_type}");
        let stdout: Vec<_> = stdout.iter().map(|line| line.replace("LAUNCH_TYPE", &launch_type.to_string())).collect();
        let stdout: Vec<_> = stdout.iter().map(String::as_str).collect();
        let program = Program::new(toml);
        let output = host::launched(program.command(), launch_type).output();
        Run(output.expect("the binary runs")).check(code, &stdout, stderr);
    }
}

/// A node that calls itself is the shortest program whose imports are all bound.
pub fn script(component: &str, steps: &str) -> String {
    format!("[nodes.probe]\n{component}\nhandles = {{ probe = \"probe\" }}\nargs = [{steps}]\n")
}

#[test]
fn a_node_knows_who_it_is() {
    check(&script("ASYNC", "'who'"), 0, &["probe/0 │ test probe 0/1 LAUNCH_TYPE"], &[]);
}

#[test]
fn stdout_and_stderr_are_kept_apart_and_tagged() {
    let run = Program::new(&script("ASYNC", "'print:one', 'eprint:two'")).run();
    run.check(0, &["probe/0 │ one"], &["probe/0 │ two"]);
}

#[test]
fn the_report_counts_calls_per_replica() {
    let run = Program::new(&script("ASYNC", "'plain-echo:5', 'plain-echo:6'")).run();
    run.check(0, &["probe/0 │ 5", "probe/0 │ 6"], &[]);
    let line = run.stderr().lines().find(|line| line.contains("probe/0")).unwrap_or_default().to_owned();
    assert_eq!(line.split_whitespace().take(5).collect::<Vec<_>>(), ["probe/0", "ended", "0", "2", "0"], "{line}");
}

#[test]
fn json_output_is_one_object_a_line() {
    let program = Program::new(&script("ASYNC", "'print:\"quoted\"', 'plain-echo:5'"));
    let output = program.command().args(["--format", "json"]).output().expect("the binary runs");
    let stdout = String::from_utf8(output.stdout).expect("json is UTF-8");
    let lines: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
    assert_eq!(lines[0]["line"], "\"quoted\"");
    assert_eq!(lines[0]["replica"], "probe/0");
    let report = lines.last().expect("there is a report");
    assert_eq!(report["outcome"], "finished");
    assert_eq!(report["replicas"][0]["calls"], 1);
}

#[test]
fn a_log_directory_gets_a_file_per_replica() {
    let program = Program::new(&script("ASYNC", "'print:one', 'eprint:two'"));
    let logs = program.dir.path().join("logs");
    let status = program.command().arg("--log-dir").arg(&logs).output().expect("the binary runs").status;
    assert!(status.success());
    let log = std::fs::read_to_string(logs.join("probe-0.log")).expect("the log is there");
    assert_eq!(log, "one\ntwo\n");
}

#[test]
fn a_run_that_returns_an_error_fails_the_program() {
    check(&script("ASYNC", "'fail'"), 1, &[], &["error: `probe/0` failed: its `run` returned an error"]);
    check(&script("PLAIN", "'fail'"), 1, &[], &["error: `probe/0` failed: its `run` returned an error"]);
}

#[test]
fn exit_statuses_are_honoured() {
    check(&script("ASYNC", "'print:a', 'exit:0', 'trap'"), 0, &["probe/0 │ a"], &[]);
    check(&script("PLAIN", "'print:a', 'exit:0', 'trap'"), 0, &["probe/0 │ a"], &[]);
    // `std::process::exit` of a WASI 0.2 guest can only tell success from failure.
    check(&script("ASYNC", "'exit:3'"), 1, &[], &["`probe/0` failed: exited with status 1"]);
    check(&script("PLAIN", "'exit:3'"), 1, &[], &["`probe/0` failed: exited with status 1"]);
}

#[test]
fn a_trap_names_the_node_the_cause_and_the_stack() {
    let stderr = ["error: `probe/0` failed: wasm trap: wasm `unreachable` instruction executed", "src/lib.rs", "boom"];
    check(&script("ASYNC", "'trap:boom'"), 1, &[], &stderr);
    check(&script("PLAIN", "'trap:boom'"), 1, &[], &stderr);
}

#[test]
fn a_failed_call_is_a_value_by_handle_and_a_trap_by_plain_import() {
    let callee = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\nreplicas = 2\n";
    let caller = "[nodes.b]\nASYNC\nhandles = { probe = 'a' }\n";
    let value = "b/0 │ Err(Failed(\"`a/0` failed while it worked on the call\"))";
    check(
        &format!("{callee}{caller}args = ['trap-first', 'echo-last']"),
        1,
        &[value, "b/0 │ Ok([7])"],
        &["error: `a/0` failed: wasm trap"],
    );
    check(
        &format!("{callee}{caller}args = ['plain-trap']"),
        1,
        &[],
        // Which replica it is depends on which of them is up.
        &["error: `b/0` failed: `trap` of `a/", "`, called by handle `probe`: failed: `a/", "` failed while it worked"],
    );
}

#[test]
fn a_trap_in_one_replica_leaves_the_calls_of_others_alone() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\nreplicas = 3\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['trap-first', 'echo-each:100']\n";
    let failed = "b/0 │ Err(Failed(\"`a/0` failed while it worked on the call\"))";
    check(toml, 1, &[failed, "b/0 │ Err(Unavailable)", "b/0 │ Ok(100)", "b/0 │ Ok(100)"], &[]);
}

#[test]
fn async_exports_can_be_entered_again_while_they_wait() {
    check(&script("ASYNC", "'plain-relay:5', 'relay:5'"), 0, &["probe/0 │ 5", "probe/0 │ Ok(5)"], &[]);
    let ring = "[nodes.a]\nASYNC\nhandles = { probe = 'b' }\nargs = ['plain-relay:7']\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n";
    check(ring, 0, &["a/0 │ 7"], &[]);
}

#[test]
fn a_plain_node_that_calls_itself_fails_at_once() {
    check(
        &script("PLAIN", "'relay:0'"),
        0,
        &["probe/0 │ Err(Failed(\"`probe/0` waits for this caller, \
        1 call(s) up the chain, so the call would wait for itself; `async func` exports can take calls while they \
        wait\"))"],
        &[],
    );
}

#[test]
fn a_ring_of_plain_nodes_fails_instead_of_hanging() {
    let ring = |b: &str| {
        format!(
            "[nodes.a]\nPLAIN\nhandles = {{ probe = 'b' }}\nargs = ['relay:2']\n\
             [nodes.b]\n{b}\nhandles = {{ probe = 'a' }}\nrun = false\n"
        )
    };
    let failed = "a/0 │ Err(Failed(\"`b/0` failed while it worked on the call\"))";
    check(&ring("PLAIN"), 1, &[failed], &["so the call would wait for itself"]);
    // Two plain nodes that are both in `run` and call each other: at least one of them must be told.
    let both = "[nodes.a]\nPLAIN\nhandles = { probe = 'b' }\nargs = ['sleep:50', 'relay:0', 'stop']\n\
        [nodes.b]\nPLAIN\nhandles = { probe = 'a' }\nargs = ['sleep:50', 'relay:0', 'stop']\n";
    let run = Program::new(both).run();
    assert_eq!(run.code(), Some(0), "{}", run.stderr());
    assert!(run.stdout().contains("would wait for itself"), "{}", run.stdout());
}

#[test]
fn calls_overlap_where_the_callee_waits() {
    let run = Program::new(
        "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\nreplicas = 4\n\
         [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['sleep-all:100', 'sleep-many:500']\n",
    )
    .run();
    run.check(0, &[run.stdout().lines().next().unwrap_or_default(), "b/0 │ 500"], &[]);
    let elapsed: u64 = run.stdout().lines().next().and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0);
    assert!((100..390).contains(&elapsed), "four calls of 100 ms one after another would take 400: {elapsed}");
}

#[test]
fn a_deadline_is_an_error_value_and_leaves_the_callee_working() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
        [nodes.b]\nASYNC\nhandles = { probe = { node = 'a', timeout = '500ms' } }\n\
        args = ['plain-check:10000', 'plain-check:1']\n";
    check(toml, 0, &["b/0 │ Err(DeadlineExceeded)", "b/0 │ Ok(1)"], &[]);
    let plain = toml.replace("ASYNC", "PLAIN").replace("10000", "2000");
    let run = Program::new(&plain).run();
    run.check(0, &["b/0 │ Err(DeadlineExceeded)", "b/0 │ Err(DeadlineExceeded)"], &[]);
}

#[test]
fn a_looping_node_does_not_hold_up_others() {
    let toml = "grace = '100ms'\n[nodes.loop]\nPLAIN\nhandles = { probe = 'loop' }\nargs = ['spin:0']\nreplicas = 4\n\
        [nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:10', 'plain-echo:10', 'stop']\n";
    let start = Instant::now();
    check(
        toml,
        0,
        &["a/0    │ 10", "a/0    │ 10"],
        &["killing nodes that are still running: loop/0, loop/1, loop/2, loop/3"],
    );
    assert!(start.elapsed() < Duration::from_secs(20), "the loops starved the others for {:?}", start.elapsed());
}

#[test]
fn memory_beyond_the_limit_is_refused_and_named() {
    let toml = script("ASYNC", "'allocate:1000000', 'allocate:100000000'") + "sandbox = { memory = '16MiB' }\n";
    check(&toml, 1, &["probe/0 │ 1000000"], &["`probe/0` failed: wasm trap", "memory beyond its limit"]);
}

#[test]
fn a_stop_by_a_node_reaches_every_node() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['wait-for-stop']\n\
        [nodes.b]\nPLAIN\nhandles = { probe = 'b' }\nargs = ['wait-for-stop']\n\
        [nodes.c]\nASYNC\nhandles = { probe = 'c' }\nargs = ['sleep:20', 'stop']\n";
    let run = Program::new(toml).run();
    assert_eq!(run.code(), Some(0), "{}", run.stderr());
    let mut lines: Vec<_> = run.stdout().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["a/0 │ stopping, true", "b/0 │ stopping, true"]);
}

#[test]
fn a_handle_is_found_by_its_name_or_the_replicas() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\nreplicas = 2\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['get:a/1', 'get:a/2', 'get:probe', 'get:']\n";
    check(toml, 0, &["b/0 │ true", "b/0 │ false", "b/0 │ false", "b/0 │ false"], &[]);
}

#[test]
fn calls_in_all_directions_are_all_answered() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'b', all = ['a', 'b'] }\nreplicas = 6\nargs = ['storm:500']\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'a', all = ['a', 'b'] }\nreplicas = 6\nargs = ['storm:500']\n";
    let run = Program::new(toml).run();
    assert_eq!(run.code(), Some(0), "{}", run.stderr());
    // `all` of every handle of twelve replicas: `all` leads to each, `probe` to six of them again.
    assert_eq!(run.stdout().matches(&format!(" {}\n", 500 * 18)).count(), 12, "{}", run.stdout());
}

#[test]
fn a_trap_amid_calls_in_all_directions_ends_the_program_alone() {
    let toml = "grace = '1h'\n[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nreplicas = 6\nargs = ['storm:2000']\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nargs = ['sleep:20', 'trap:boom']\n";
    let run = Program::new(toml).run();
    assert_eq!(run.code(), Some(1), "{}", run.stderr());
    assert_eq!(run.stdout().matches(&format!(" {}\n", 2000 * 6)).count(), 6, "{}", run.stdout());
}

/// A run that is still going on, with its stdout read line by line.
pub struct Going {
    pub child: Child,
    pub stdout: BufReader<std::process::ChildStdout>,
}

impl Going {
    pub(crate) fn start(toml: &str) -> (Program, Self) {
        let program = Program::new(toml);
        let going = Self::spawn(program.command());
        (program, going)
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, stdout }
    }

    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("stdout can be read");
        line.trim_end().to_owned()
    }

    #[track_caller]
    pub fn expect_line(&mut self, expected: &str) {
        let line = self.next_line();
        let mut stderr = String::new();
        if line.is_empty() {
            // It has ended, and has said why.
            self.child.stderr.take().map(|mut piped| piped.read_to_string(&mut stderr));
        }
        assert_eq!(line, expected, "{stderr}");
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a child has a pid");
        rustix::process::kill_process(pid, signal).expect("the child is there");
    }

    pub fn end(mut self) -> (Option<i32>, String, String) {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).expect("stdout can be read");
        let mut stderr = String::new();
        self.child.stderr.take().expect("stderr is piped").read_to_string(&mut stderr).expect("stderr can be read");
        (self.child.wait().expect("the child can be waited for").code(), stdout, stderr)
    }
}

impl Drop for Going {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn an_interrupt_asks_for_a_stop_and_exits_with_130() {
    let (_program, mut going) = Going::start(&script("ASYNC", "'print:up', 'wait-for-stop'"));
    going.expect_line("probe/0 │ up");
    going.signal(rustix::process::Signal::INT);
    let (code, stdout, stderr) = going.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(stdout, "probe/0 │ stopping, true\n");
    assert!(stderr.contains("SIGINT: asking every node to stop, for up to 5s"), "{stderr}");
}

#[test]
fn a_termination_asks_for_a_stop_and_exits_with_143() {
    let (_program, mut going) = Going::start(&script("PLAIN", "'print:up', 'wait-for-stop'"));
    going.expect_line("probe/0 │ up");
    going.signal(rustix::process::Signal::TERM);
    assert_eq!(going.end().0, Some(143));
}

#[test]
fn a_second_interrupt_skips_the_grace_period() {
    let toml = format!("grace = '1h'\n{}", script("ASYNC", "'print:up', 'spin:0'"));
    let (_program, mut going) = Going::start(&toml);
    going.expect_line("probe/0 │ up");
    going.signal(rustix::process::Signal::INT);
    let mut stderr = BufReader::new(going.child.stderr.take().expect("stderr is piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("stderr can be read");
    assert!(line.contains("for up to 3600s"), "{line}");
    going.signal(rustix::process::Signal::INT);
    assert_eq!(going.child.wait().expect("the child can be waited for").code(), Some(130));
}

#[test]
fn a_node_that_ignores_the_stop_is_dropped_after_the_grace_period() {
    let toml = format!("grace = '50ms'\n{}", script("ASYNC", "'print:up', 'stop', 'sleep:100000'"));
    check(&toml, 0, &["probe/0 │ up"], &["killing nodes that are still running: probe/0"]);
}

#[test]
fn a_program_without_a_run_serves_until_it_is_stopped() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n";
    let (_program, going) = Going::start(toml);
    // Nothing is printed when such a program is up, so the signal may come before or after.
    std::thread::sleep(Duration::from_millis(300));
    going.signal(rustix::process::Signal::TERM);
    assert_eq!(going.end().0, Some(143));
}

#[test]
fn a_thousand_replicas_start_and_end() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\nreplicas = 1000\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['sleep-all:10']\n";
    let run = Program::new(toml).run();
    assert_eq!(run.code(), Some(0), "{}", run.stderr());
    assert_eq!(run.stdout().matches("Ok(())").count(), 1000);
}

#[test]
fn of_two_entry_points_the_newer_is_run_and_either_may_import_wasi_0_3() {
    let dir = sandbox();
    let file = dir.path().join("program.toml");
    std::fs::copy(folder("valid/entry-points.toml"), &file).expect("the file is part of the tests");
    for launch_type in host::LAUNCH_TYPES {
        let mut command = Command::new(host::BINARY);
        let output = command.arg("run").arg(&file).args(["--launch-type", &launch_type.to_string()]).output();
        Run(output.expect("the binary runs")).check(0, &[], &[]);
    }
}
