//! What supervision does about events, as tables: an event and the actions that follow from it.

mod counts;

use std::time::Duration;

use RestartPolicy::{Always, Never, OnFailure};
use lp_base::plan::{ColocationPlan, NodeId, NodePlan, Plan, ReplicaId, RestartPlan};
use lp_base::replica::Failure;
use lp_base::words::{ColocationMode, RestartPolicy, RunExport};

use super::{Action, Event, Supervision};
use crate::fixture;
use crate::node::Change;
use crate::supervise::{Note, Signal};

/// What a node does beside serving.
const RUN: Option<RunExport> = Some(RunExport::V0_2);
/// Nothing.
const SERVE: Option<RunExport> = None;

fn restart(policy: RestartPolicy) -> RestartPlan {
    RestartPlan { policy, max: 1, window_ms: 1000, backoff_ms: 100, backoff_max_ms: 100 }
}

/// A program of nodes that are named `a`, `b`, … with one replica each.
fn plan(nodes: &[(Option<RunExport>, RestartPolicy)]) -> Plan {
    let node = |(name, (run, policy)): (char, &(Option<RunExport>, RestartPolicy))| NodePlan {
        kind: fixture::kind(*run),
        restart: restart(*policy),
        ..fixture::node(&name.to_string())
    };
    fixture::plan(('a'..).zip(nodes).map(node).collect())
}

/// Makes a colocation of all nodes.
fn group(plan: &mut Plan, restart: Option<RestartPlan>, return_on_first_completed: bool) {
    let replicas = plan.replicas().collect();
    plan.nodes.iter_mut().for_each(|node| node.colocation = Some(0));
    let (name, mode) = ("colocation".to_owned(), ColocationMode::Processes);
    plan.colocations.push(ColocationPlan { name, mode, replicas, restart, return_on_first_completed });
}

fn replica(node: char) -> ReplicaId {
    ReplicaId { node: NodeId(node as u32 - 'a' as u32), index: 0 }
}

/// The event that a word and a node stand for.
fn event(text: &str) -> Event {
    let (word, node) = text.split_once(' ').unwrap_or((text, "a"));
    let replica = replica(node.chars().next().expect("a node has a name"));
    let change = match word {
        "started" => Change::Started,
        "ran" => Change::Ran,
        "ended" => Change::Ended { memory_peak: 1 },
        "failed" => Change::Failed { failure: Failure { summary: "boom".to_owned(), stack: None }, memory_peak: 2 },
        "due" => return Event::RestartDue(replica),
        "stop" => return Event::StopRequested,
        "interrupt" => return Event::Signal(Signal::Interrupt),
        "deadline" => return Event::Deadline,
        "colocation-deadline" => return Event::ColocationDeadline(0),
        "rebuilt" => return Event::Rebuilt([(replica.node, true)].into()),
        "rebuild-deadline" => return Event::RebuildDeadline(1),
        word => panic!("`{word}` is no event"),
    };
    Event::Node { replica, change }
}

fn text(plan: &Plan, action: &Action) -> String {
    match action {
        Action::Note(Note::Failed { replica, .. }) => format!("note failed {replica}"),
        Action::Note(Note::Restarting { attempt, max, .. }) => format!("note restart {attempt} of {max}"),
        Action::Note(Note::GivenUp { replica, .. }) => format!("note given up {replica}"),
        Action::Note(Note::Stopping { .. }) => "note stopping".to_owned(),
        Action::Note(Note::Killing { replicas }) => format!("note killing {}", replicas.join(" ")),
        Action::Note(Note::AwaitsRebuild { replica }) => format!("note awaits {replica}"),
        Action::Note(Note::Idle) => "note idle".to_owned(),
        Action::Note(note) => panic!("{note:?} is not for the state to tell"),
        Action::RequestStop => "request stop".to_owned(),
        Action::Close => "close".to_owned(),
        Action::CloseSoon => "close soon".to_owned(),
        Action::Restart { replica, after } => format!("restart {} in {after:?}", plan.label(*replica)),
        Action::Start(replica) => format!("start {}", plan.label(*replica)),
        Action::StopReplica(replica) => format!("stop {}", plan.label(*replica)),
        Action::CloseReplica(replica) => format!("close {}", plan.label(*replica)),
        Action::PauseReplica(replica) => format!("pause {}", plan.label(*replica)),
        Action::KillReplica(replica) => format!("kill {}", plan.label(*replica)),
        Action::DropReplica(replica) => format!("drop {}", plan.label(*replica)),
        Action::Replace => "replace".to_owned(),
        Action::GraceColocation(_) | Action::GraceRebuild(_) => "grace".to_owned(),
    }
}

/// Plays events, each at a time in milliseconds, and compares the actions and how it all ended: the outcome, and for
/// each replica its state and restarts.
#[track_caller]
fn check(plan: &Plan, events: &[(u64, &str, &[&str])], end: &str) {
    let mut supervision = Supervision::new(plan, || 1.0);
    for (at_ms, name, expected) in events {
        let actions = supervision.on(event(name), Duration::from_millis(*at_ms));
        let actions: Vec<_> = actions.iter().map(|action| text(plan, action)).collect();
        assert_eq!(actions, *expected, "after {name} at {at_ms} ms");
    }
    let over = if supervision.is_over() { "" } else { "still " };
    let (outcome, replicas) = supervision.into_parts();
    let states = replicas.values().map(|replica| format!(", {} {}", replica.state.name(), replica.restarts));
    assert_eq!(format!("{over}{outcome:?}{}", states.collect::<String>()), end);
}

#[test]
fn without_restarts_a_failure_fails_the_program() {
    check(
        &plan(&[(RUN, Never), (SERVE, Never)]),
        &[
            (0, "started a", &[]),
            (0, "failed b", &["note failed b/0", "request stop"]),
            (1, "ran a", &["close"]),
            (2, "ended a", &[]),
        ],
        "Failed, ended 0, failed 0",
    );
}

#[test]
fn a_failed_replica_is_restarted_until_its_budget_is_spent() {
    check(
        &plan(&[(RUN, Never), (SERVE, OnFailure)]),
        &[
            (0, "failed b", &["note failed b/0", "note restart 1 of 1", "restart b/0 in 100ms"]),
            (100, "due b", &["start b/0"]),
            (150, "started b", &[]),
            (1050, "failed b", &["note failed b/0", "note given up b/0", "close b/0", "request stop"]),
        ],
        "still Failed, starting 0, failed 1",
    );
}

#[test]
fn a_budget_is_whole_again_after_its_window() {
    check(
        &plan(&[(RUN, Never), (SERVE, OnFailure)]),
        &[
            (0, "failed b", &["note failed b/0", "note restart 1 of 1", "restart b/0 in 100ms"]),
            (100, "due b", &["start b/0"]),
            (1100, "failed b", &["note failed b/0", "note restart 1 of 1", "restart b/0 in 100ms"]),
            (1200, "due b", &["start b/0"]),
        ],
        "still Finished, starting 0, starting 2",
    );
}

#[test]
fn a_program_waits_for_the_run_of_a_restarted_replica() {
    check(
        &plan(&[(RUN, OnFailure), (RUN, Never)]),
        &[
            (0, "started a", &[]),
            (0, "failed a", &["note failed a/0", "note restart 1 of 1", "restart a/0 in 100ms"]),
            (1, "ran b", &[]),
            (100, "due a", &["start a/0"]),
            (101, "ran a", &["close"]),
        ],
        "still Finished, finished 1, finished 0",
    );
}

#[test]
fn a_stop_leaves_those_that_wait_for_a_restart_as_they_are() {
    check(
        &plan(&[(RUN, OnFailure)]),
        &[
            (0, "failed a", &["note failed a/0", "note restart 1 of 1", "restart a/0 in 100ms"]),
            (1, "interrupt", &["note stopping", "close a/0", "request stop", "close"]),
            (100, "due a", &[]),
        ],
        "Signalled(Interrupt), failed 0",
    );
    // A server that waits does not hold up the end of the program either.
    check(
        &plan(&[(RUN, Never), (SERVE, OnFailure)]),
        &[
            (0, "failed b", &["note failed b/0", "note restart 1 of 1", "restart b/0 in 100ms"]),
            (1, "ran a", &["close b/0", "close"]),
            (2, "ended a", &[]),
        ],
        "Finished, ended 0, failed 0",
    );
}

#[test]
fn a_program_that_stops_restarts_nothing_and_forgives_what_it_would_have_restarted() {
    check(
        &plan(&[(RUN, Never), (SERVE, OnFailure)]),
        &[
            (0, "stop", &["request stop"]),
            (1, "failed b", &["note failed b/0", "close b/0"]),
            (2, "deadline", &["note killing a/0", "close soon"]),
        ],
        "Finished, killed 0, failed 0",
    );
}

#[test]
fn always_restarts_a_run_that_returned_and_does_not_hold_up_the_end() {
    let plan = plan(&[(RUN, Always), (RUN, Never)]);
    check(
        &plan,
        &[
            (0, "started a", &[]),
            (1, "ran a", &[]),
            (2, "ended a", &["note restart 1 of 1", "restart a/0 in 100ms"]),
            (102, "due a", &["start a/0"]),
            (103, "ran b", &["request stop"]),
            (104, "ran a", &["close"]),
        ],
        "still Finished, finished 1, finished 0",
    );
    check(
        &plan,
        &[
            (1, "ran a", &[]),
            (2, "ended a", &["note restart 1 of 1", "restart a/0 in 100ms"]),
            (102, "due a", &["start a/0"]),
            (103, "ran a", &[]),
            (104, "ended a", &["note given up a/0", "close a/0", "request stop"]),
        ],
        "still Failed, ended 1, starting 0",
    );
}

#[test]
fn a_program_of_nodes_that_always_run_goes_on_until_it_is_stopped() {
    check(
        &plan(&[(RUN, Always)]),
        &[(1, "ran a", &[]), (2, "ended a", &["note restart 1 of 1", "restart a/0 in 100ms"])],
        "still Finished, restarting 0",
    );
}

#[test]
fn a_group_shares_its_budget() {
    let mut plan = plan(&[(SERVE, OnFailure), (SERVE, OnFailure)]);
    group(&mut plan, Some(restart(OnFailure)), false);
    check(
        &plan,
        &[
            (0, "failed a", &["note failed a/0", "note restart 1 of 1", "restart a/0 in 100ms"]),
            (
                1,
                "failed b",
                &["note failed b/0", "note given up b/0", "close b/0", "close a/0", "request stop", "close"],
            ),
        ],
        "Failed, failed 0, failed 0",
    );
}

#[test]
fn the_first_run_of_a_group_that_returns_ends_the_others() {
    let mut plan = plan(&[(RUN, Never), (RUN, OnFailure), (SERVE, OnFailure)]);
    group(&mut plan, None, true);
    plan.nodes.extend(self::plan(&[(RUN, Never)]).nodes);
    check(
        &plan,
        &[
            (0, "ran a", &["stop b/0", "grace"]),
            (1, "ran b", &["close a/0", "close b/0", "close c/0", "grace"]),
            (2, "ended a", &[]),
            (2, "ended b", &[]),
            (2, "ended c", &[]),
            (5001, "colocation-deadline", &[]),
        ],
        "still Finished, ended 0, ended 0, ended 0, starting 0",
    );
    check(
        &plan,
        &[
            (0, "ran a", &["stop b/0", "grace"]),
            (5000, "colocation-deadline", &["kill b/0", "note killing b/0", "close a/0", "close c/0", "grace"]),
            (5001, "ended a", &[]),
            (10000, "colocation-deadline", &["kill c/0", "note killing c/0"]),
        ],
        "still Finished, ended 0, killed 0, killed 0, starting 0",
    );
    check(
        &plan,
        &[
            (0, "failed b", &["note failed b/0", "note restart 1 of 1", "restart b/0 in 100ms"]),
            (1, "ran a", &["close b/0", "grace", "close a/0", "close c/0", "grace"]),
            (100, "due b", &[]),
        ],
        "still Finished, finished 0, failed 0, starting 0, starting 0",
    );
}

/// The same for a program whose nodes may be rebuilt.
#[track_caller]
fn check_watched(mut plan: Plan, events: &[(u64, &str, &[&str])], end: &str) {
    plan.watched = true;
    check(&plan, events, end);
}

#[test]
fn a_rebuilt_node_ends_and_starts_as_what_it_is_then() {
    check_watched(
        plan(&[(RUN, Never), (RUN, Never)]),
        &[
            (0, "started a", &[]),
            (0, "started b", &[]),
            (5, "rebuilt a", &["stop a/0", "grace"]),
            (6, "ran a", &["pause a/0"]),
            (7, "ended a", &["replace", "start a/0"]),
            (8, "started a", &[]),
            (9, "rebuild-deadline", &[]),
        ],
        "still Finished, running 1, running 0",
    );
}

#[test]
fn a_rebuilt_node_that_does_not_end_is_dropped() {
    check_watched(
        plan(&[(SERVE, Never), (RUN, Never)]),
        &[
            (0, "started a", &[]),
            (0, "started b", &[]),
            (5, "rebuilt a", &["stop a/0", "pause a/0", "grace"]),
            (10, "rebuild-deadline", &["drop a/0", "note killing a/0", "replace", "start a/0"]),
            (11, "started a", &[]),
        ],
        "still Finished, running 1, running 0",
    );
}

#[test]
fn what_has_failed_or_finished_in_a_watched_program_starts_when_it_is_rebuilt() {
    check_watched(
        plan(&[(RUN, Never), (RUN, OnFailure)]),
        &[
            (0, "started a", &[]),
            (0, "started b", &[]),
            (1, "failed b", &["note failed b/0", "note restart 1 of 1", "restart b/0 in 100ms"]),
            (101, "due b", &["start b/0"]),
            (102, "failed b", &["note failed b/0", "note given up b/0", "note awaits b/0"]),
            (103, "ran a", &["note idle"]),
            (104, "rebuilt b", &["grace", "replace", "start b/0"]),
            (105, "failed b", &["note failed b/0", "note restart 1 of 1", "restart b/0 in 100ms"]),
            (106, "rebuilt b", &["grace", "replace", "start b/0"]),
            (205, "due b", &[]),
            (206, "rebuilt a", &["stop a/0", "pause a/0", "grace"]),
            (207, "ended a", &["replace", "start a/0"]),
            (208, "interrupt", &["note stopping", "request stop"]),
            (209, "ended a", &[]),
            (210, "ended b", &["close"]),
        ],
        "Signalled(Interrupt), ended 1, ended 3",
    );
}
