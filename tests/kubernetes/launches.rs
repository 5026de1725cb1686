//! Programs launched on a stand-in of a cluster, whose Jobs are processes here: what users see, and what the API server is asked.

use std::process::Output;

use rustix::process::Signal;

use super::server::Server;
use crate::run::{Going, Program, script};
use crate::runs::eventually;

const RUN: &[&str] = &["run", "--launch-type", "kubernetes"];

fn launch(server: &Server, program: &Program, options: &[&str]) -> Output {
    let path = program.path().display().to_string();
    server.command(&[RUN, &[&path], options].concat()).output().expect("the binary runs")
}

#[track_caller]
fn check(output: &Output, code: i32, stdout: &[&str], stderr: &[&str]) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let context = format!("--- stdout\n{out}--- stderr\n{err}");
    assert_eq!(output.status.code(), Some(code), "{context}");
    assert_eq!(out.lines().collect::<Vec<_>>(), stdout, "{context}");
    for text in stderr {
        assert!(err.contains(text), "stderr lacks {text:?}\n{context}");
    }
}

#[test]
fn a_program_runs_and_leaves_nothing_behind() {
    let server = Server::start();
    let output = launch(&server, &Program::new(&script("ASYNC", "'print:one', 'print:two'")), &[]);
    check(&output, 0, &["probe/0 │ one", "probe/0 │ two"], &["is in the namespace `lab`", "ended"]);
    assert_eq!(server.objects(), Vec::<String>::new());
    assert_eq!(server.requests("DELETE", "").len(), 1);
    assert!(
        server
            .requests("PATCH", "")
            .iter()
            .all(|line| line.contains("fieldManager=lp-host") && line.contains("force=true"))
    );
}

#[test]
fn the_exit_code_is_that_of_the_program() {
    let server = Server::start();
    let output = launch(&server, &Program::new(&script("ASYNC", "'print:one', 'trap:on request'")), &[]);
    check(&output, 1, &["probe/0 │ one"], &["failed"]);
}

#[test]
fn requests_do_not_grow_with_replicas() {
    let patches = |replicas: u32| {
        let server = Server::start();
        let text =
            format!("[nodes.probe]\nASYNC\nreplicas = {replicas}\nhandles = {{ probe = 'probe' }}\nargs = ['who']\n");
        let output = launch(&server, &Program::new(&text), &["--quiet"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        server.requests("PATCH", "").len()
    };
    assert_eq!(patches(1), patches(4));
}

#[test]
fn a_dry_run_asks_nobody() {
    let server = Server::start();
    let output = launch(&server, &Program::new(&script("ASYNC", "'who'")), &["--dry-run"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("kind: Job\n"));
    assert_eq!(server.requests("", ""), Vec::<String>::new());
}

#[test]
fn what_passes_is_tried_again_and_said() {
    let server = Server::start();
    server.fault("PATCH", "/configmaps/", 429, 2);
    server.fault("PATCH", "/jobs/", 409, 1);
    server.fault("PATCH", "/services/", 503, 1);
    server.fault("GET", "watch=", 410, 1);
    server.fault("GET", "/log?", 0, 1);
    server.tear_log(1);
    let output = launch(&server, &Program::new(&script("ASYNC", "'print:one', 'print:two', 'print:three'")), &[]);
    let lines = ["probe/0 │ one", "probe/0 │ two", "probe/0 │ three"];
    check(
        &output,
        0,
        &lines,
        &["the cluster answers 429", "it is asked again for the ConfigMap", "answers 409", "answers 503"],
    );
}

#[test]
fn what_is_refused_is_said_and_taken_back() {
    let server = Server::start();
    server.fault("PATCH", "/networkpolicies/", 403, 1);
    let output = launch(&server, &Program::new(&script("ASYNC", "'who'")), &[]);
    check(&output, 4, &[], &["the cluster refused the NetworkPolicy", "docs/kubernetes.md has the Role"]);
    assert_eq!(server.objects(), Vec::<String>::new());
}

#[test]
fn a_server_that_goes_away_is_given_up_in_the_end() {
    let server = Server::start();
    server.fault("", "/", 0, u32::MAX);
    let output = launch(&server, &Program::new(&script("ASYNC", "'who'")), &[]);
    check(&output, 4, &[], &["can't be reached", "after 8 tries"]);
}

#[test]
fn a_coordinator_that_dies_without_a_word_is_a_failure() {
    let server = Server::start();
    let program = Program::new(&script("ASYNC", "'print:up', 'wait-for-stop'"));
    let path = program.path().display().to_string();
    let mut going = Going::spawn(server.command(&[RUN, &[&path]].concat()));
    going.expect_line("probe/0 │ up");
    server.kill("lp-test-");
    let (code, _, stderr) = going.end();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("ended without a report of the program's end: the cluster says OOMKilled, with exit code 137"),
        "{stderr}"
    );
}

#[test]
fn a_signal_stops_the_program() {
    let server = Server::start();
    let program = Program::new(&script("ASYNC", "'print:up', 'wait-for-stop', 'print:last'"));
    let path = program.path().display().to_string();
    let mut going = Going::spawn(server.command(&[RUN, &[&path]].concat()));
    going.expect_line("probe/0 │ up");
    going.signal(Signal::INT);
    going.expect_line("probe/0 │ stopping, true");
    going.expect_line("probe/0 │ last");
    let (code, _, stderr) = going.end();
    assert_eq!(code, Some(143), "{stderr}");
    assert_eq!(server.objects(), Vec::<String>::new());
}

#[test]
fn a_pod_that_waits_says_what_for() {
    let server = Server::without_machines();
    let program = Program::new(&script("ASYNC", "'who'"));
    let path = program.path().display().to_string();
    let going = Going::spawn(server.command(&[RUN, &[&path]].concat()));
    eventually("its Pods are watched", || !server.requests("GET", "watch=").is_empty());
    going.signal(Signal::INT);
    let (code, _, stderr) = going.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("was deleted"), "{stderr}");
    assert_eq!(server.objects(), Vec::<String>::new());
}

#[test]
fn a_detached_program_is_found_again_and_stopped() {
    let server = Server::start();
    let program = Program::new(&script("ASYNC", "'print:up', 'wait-for-stop', 'print:last'"));
    let output = launch(&server, &program, &["--detach"]);
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let screen = |words: &[&str]| server.command(words).output().expect("the binary runs");
    eventually("`logs` shows the line", || {
        String::from_utf8_lossy(&screen(&["logs", &id]).stdout).contains("probe/0 │ up")
    });
    eventually("`ps` shows it", || String::from_utf8_lossy(&screen(&["ps"]).stdout).contains(&id));
    let mut attached = Going::spawn(server.command(&["attach", &id]));
    attached.expect_line("probe/0 │ up");
    let stopped = screen(&["stop", &id]);
    assert_eq!(stopped.status.code(), Some(0), "{}", String::from_utf8_lossy(&stopped.stderr));
    attached.expect_line("probe/0 │ stopping, true");
    attached.expect_line("probe/0 │ last");
    assert_eq!(server.objects(), Vec::<String>::new());
}

#[test]
fn a_lost_machine_is_said_and_its_pod_deleted_if_asked() {
    for (options, deletes) in [(&[][..], 0), (&["--force-replace"], 1)] {
        let server = Server::start();
        let program = Program::new(&script("ASYNC", "'print:up', 'wait-for-stop'"));
        let path = program.path().display().to_string();
        let mut going = Going::spawn(server.command(&[RUN, &[&path], options].concat()));
        going.expect_line("probe/0 │ up");
        let unit = server.unit();
        server.lose(&unit);
        eventually("the API server is asked", || server.requests("DELETE", "/pods/").len() >= deletes);
        going.signal(Signal::INT);
        let (_, _, stderr) = going.end();
        assert!(stderr.contains(&format!("the Pod `{unit}` is lost with its machine `node-3`")), "{stderr}");
        assert_eq!(server.requests("DELETE", &format!("/pods/{unit}")).len(), deletes);
    }
}

#[test]
fn doctor_says_what_a_launch_lacks() {
    let doctor = |server: &Server| {
        let output = server.command(&["doctor", "--launch-type", "kubernetes"]).output().expect("the binary runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, rows) = doctor(&Server::without_machines());
    assert_eq!(code, Some(0), "{rows}");
    let (code, rows) = doctor(&Server::start());
    assert_eq!(code, Some(4), "{rows}");
    assert!(rows.contains("you may not create secrets, patch secrets"), "{rows}");
    let server = Server::start();
    server.fault("", "/", 401, u32::MAX);
    let (code, rows) = doctor(&server);
    assert!(code == Some(4) && rows.contains("the cluster refused its version"), "{rows}");
}

#[test]
fn a_run_that_has_expired_says_so_and_is_cleaned_up() {
    let server = Server::start();
    let output = launch(&server, &Program::new(&script("ASYNC", "'wait-for-stop'")), &["--detach"]);
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    server.expire();
    let screen = |words: &[&str]| server.command(words).output().expect("the binary runs");
    check(&screen(&["attach", &id]), 2, &[], &["its Jobs were deleted", &format!("`lp-host stop {id}` deletes")]);
    check(&screen(&["ps"]), 0, &[], &["has no coordinator"]);
    assert_eq!(screen(&["stop", &id]).status.code(), Some(0));
    assert_eq!(server.objects(), Vec::<String>::new());
}
