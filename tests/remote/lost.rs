//! Hosts that are lost, and what becomes of their replicas: each is somewhere once, and every call comes to an end.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Hosts, RESTARTS, check_end, check_nothing_left, go, pair, place_of, start};
use crate::run::{Going, Program};
use crate::runs::{Machine, eventually};

pub(super) fn signal(pids: &[i32], signal: Signal) {
    for &pid in pids {
        // One of them may end with another.
        let _ = kill_process(Pid::from_raw(pid).expect("a pid is positive"), signal);
    }
}

/// The number of a host by its name.
pub(super) fn number(host: &str) -> usize {
    host.trim_start_matches('h').parse::<usize>().expect("hosts of tests have numbers") - 1
}

/// Ends a load, every call of which must have come to the right answer or to the failure of its callee.
#[track_caller]
pub(super) fn check_load(going: Going, program: &Program) {
    go(program);
    let (code, out, err) = going.end();
    assert_eq!(code, Some(0), "--- stdout\n{out}--- stderr\n{err}");
    assert!(out.contains("every call was answered: ") && out.contains("others: []"), "{out}{err}");
    assert!(!out.contains(": 0 rightly"), "{out}");
}

/// Waits until the server runs somewhere else than there.
pub(super) fn moved(machine: &Machine, from: &(String, i32)) -> (String, i32) {
    eventually("the server runs elsewhere", || place_of(machine, "a").is_some_and(|place| place.1 != from.1));
    place_of(machine, "a").expect("it runs")
}

#[test]
fn a_worker_that_is_killed_starts_again_where_it_was() {
    let (hosts, machine) = (Hosts::three(), Machine::new());
    let program = pair(RESTARTS, "'load:/data/go'");
    let mut going = start(&hosts, &machine, &program);
    going.expect_line("b/0 │ 1");
    let mut place = place_of(&machine, "a").expect("it runs");
    for _ in 0..3 {
        signal(&[place.1], Signal::KILL);
        let next = moved(&machine, &place);
        assert_eq!(next.0, place.0);
        place = next;
    }
    check_load(going, &program);
    check_nothing_left(&hosts);
}

#[test]
fn the_replicas_of_a_host_whose_agent_is_killed_live_on_elsewhere() {
    let (hosts, machine) = (Hosts::three(), Machine::new());
    let program = pair(RESTARTS, "'load:/data/go'");
    let mut going = start(&hosts, &machine, &program);
    going.expect_line("b/0 │ 1");
    let place = place_of(&machine, "a").expect("it runs");
    signal(&hosts.processes(number(&place.0))[..1], Signal::KILL);
    let next = moved(&machine, &place);
    assert_ne!(next.0, place.0);
    assert!(hosts.processes(number(&place.0)).is_empty(), "its workers end with it");
    check_load(going, &program);
    check_nothing_left(&hosts);
}

#[test]
fn a_host_that_is_stopped_and_goes_on_later_answers_not_a_single_call() {
    let (hosts, machine) = (Hosts::three(), Machine::new());
    let program = pair(RESTARTS, "'load:/data/go'");
    let mut going = start(&hosts, &machine, &program);
    going.expect_line("b/0 │ 1");
    let place = place_of(&machine, "a").expect("it runs");
    let host = number(&place.0);
    let stopped = hosts.processes(host);
    assert_eq!(stopped.len(), 2, "an agent and a worker");
    if let Some(net) = hosts.net() {
        net.set_up(host, false);
    }
    signal(&stopped, Signal::STOP);
    let next = moved(&machine, &place);
    assert_ne!(next.0, place.0);
    if let Some(net) = hosts.net() {
        net.set_up(host, true);
    }
    signal(&stopped, Signal::CONT);
    eventually("the old worker ends", || hosts.processes(host).len() <= 1);
    check_load(going, &program);
    check_nothing_left(&hosts);
}

#[test]
fn a_host_that_is_lost_without_another_fails_the_program_by_name() {
    let (hosts, machine) = (Hosts::three(), Machine::new());
    let program = pair("'never'", "'wait-for-stop'");
    let mut going = start(&hosts, &machine, &program);
    going.expect_line("b/0 │ 1");
    signal(&hosts.processes(1), Signal::KILL);
    check_end(going, 1, &["b/0 │ stopping, true"], &["error: `a/0` failed: its host `h2` is lost: "]);
    check_nothing_left(&hosts);
}

#[test]
fn a_launcher_that_is_killed_leaves_nothing_on_any_host() {
    let (hosts, machine) = (Hosts::three(), Machine::new());
    let program = pair("'never'", "'wait-for-stop'");
    let mut going = start(&hosts, &machine, &program);
    going.expect_line("b/0 │ 1");
    // One of the workers is stopped, and so could not end by itself.
    signal(&[place_of(&machine, "a").expect("it runs").1], Signal::STOP);
    going.signal(Signal::KILL);
    going.child.wait().expect("it can be waited for");
    check_nothing_left(&hosts);
}

#[test]
fn a_short_cut_loses_no_call_and_a_long_one_loses_the_host() {
    let hosts = Hosts::three();
    let Some(net) = hosts.net() else { return eprintln!("skipped: the machine has no network namespaces") };
    let machine = Machine::new();
    let program = pair(RESTARTS, "'load:/data/go'");
    let mut going = start(&hosts, &machine, &program);
    going.expect_line("b/0 │ 1");
    let place = place_of(&machine, "a").expect("it runs");
    let host = number(&place.0);
    net.set_up(host, false);
    std::thread::sleep(Duration::from_secs(1));
    net.set_up(host, true);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(place_of(&machine, "a"), Some(place.clone()), "it was there all the time");
    // From here on nothing that the host sends to the launcher arrives.
    net.cut(host, net.launcher_end());
    let next = moved(&machine, &place);
    assert_ne!(next.0, place.0);
    eventually("the old worker ends", || hosts.processes(host).len() <= 1);
    check_load(going, &program);
    check_nothing_left(&hosts);
}

#[test]
fn a_link_that_is_cut_between_two_workers_is_told() {
    let hosts = Hosts::three();
    let Some(net) = hosts.net() else { return eprintln!("skipped: the machine has no network namespaces") };
    let machine = Machine::new();
    // The first call is lost, and the second one can't be made.
    let steps = "'wait-for:/data/go', 'plain-check:1', 'plain-check:1'";
    let text = std::fs::read_to_string(pair("'never'", steps).path()).expect("it can be read");
    let text =
        text.replace("handles = { probe = 'a' }\nargs", "handles = { probe = { node = 'a', timeout = '8s' } }\nargs");
    let program = Program::new(text.trim_start_matches("name = \"test\"\n"));
    let mut going = start(&hosts, &machine, &program);
    going.expect_line("b/0 │ 1");
    net.cut(0, 1);
    go(&program);
    let (_, out, err) = going.end();
    assert!(err.contains("`b/0` can't reach `a/0`"), "{out}{err}");
    let lines = ["b/0 │ Err(Failed(\"`a/0` was lost while it worked on the call\"))", "b/0 │ Err(DeadlineExceeded)"];
    assert_eq!(out.lines().collect::<Vec<_>>(), lines, "{err}");
}
