//! The counts of replicas are what a look at all of them finds, whatever happens in whatever order.

use std::time::Duration;

use fastrand::Rng;
use lp_base::plan::{ColocationPlan, NodeId, Plan, ReplicaId};
use lp_base::replica::Failure;
use lp_base::words::ColocationMode;

use super::{Always, Never, OnFailure, RUN, SERVE, plan, restart};
use crate::node::Change;
use crate::supervise::Signal;
use crate::supervise::state::replicas::Counts;
use crate::supervise::state::{Event, Phase, Supervision};

const PROGRAMS: u64 = 2000;
const EVENTS: usize = 60;
const NODES: usize = 6;

/// A program of a few nodes, some of them in colocations.
fn random_plan(random: &mut Rng) -> Plan {
    let nodes: Vec<_> =
        (0..NODES).map(|_| ([RUN, SERVE][random.usize(..2)], [Never, OnFailure, Always][random.usize(..3)])).collect();
    let mut plan = plan(&nodes);
    plan.watched = random.bool();
    for node in &mut plan.nodes {
        node.replicas = random.u32(1..=3);
        node.colocation = [None, Some(0), Some(1)][random.usize(..3)];
    }
    for number in 0..2 {
        let replicas = plan.replicas().filter(|&replica| plan.colocation_of(replica) == Some(number)).collect();
        plan.colocations.push(ColocationPlan {
            name: format!("colocation-{number}"),
            mode: ColocationMode::Processes,
            replicas,
            restart: random.bool().then(|| restart([Never, OnFailure, Always][random.usize(..3)])),
            return_on_first_completed: random.bool(),
        });
    }
    plan
}

/// Any event that may come, most often one of a replica, and now and then of a replica that is none.
fn random_event(random: &mut Rng, rebuilds: &mut u32, supervision: &Supervision) -> Event {
    let node = NodeId(random.u32(..NODES as u32));
    let replica = ReplicaId { node, index: random.u32(..3) };
    let failure = || Failure { summary: "boom".to_owned(), stack: None };
    match random.u32(..100) {
        0 => Event::Signal(Signal::Interrupt),
        1 => Event::StopRequested,
        // It is set as the program is asked to stop.
        2 if supervision.phase > Phase::Running => Event::Deadline,
        3..8 => Event::ColocationDeadline(random.usize(..2)),
        8..14 if supervision.watched && supervision.takes_rebuilds() => {
            *rebuilds += 1;
            Event::Rebuilt([(node, random.bool())].into())
        }
        14..18 => Event::RebuildDeadline(*rebuilds),
        18..40 => Event::RestartDue(replica),
        40..60 => Event::Node { replica, change: Change::Started },
        60..75 => Event::Node { replica, change: Change::Ran },
        75..90 => Event::Node { replica, change: Change::Ended { memory_peak: 1 } },
        _ => Event::Node { replica, change: Change::Failed { failure: failure(), memory_peak: 2 } },
    }
}

/// What a look at all replicas finds.
fn found(supervision: &Supervision, colocation: Option<usize>) -> Counts {
    let mut counts = Counts::default();
    for (_, replica) in
        supervision.states().filter(|(_, replica)| colocation.is_none() || replica.colocation == colocation)
    {
        counts.present += usize::from(!replica.is_gone());
        counts.busy += usize::from(replica.is_busy());
        counts.awaited += usize::from(replica.is_awaited());
        counts.awaited_busy += usize::from(replica.is_awaited() && replica.is_busy());
    }
    counts
}

#[track_caller]
fn check(supervision: &Supervision, seed: u64) {
    assert_eq!(supervision.replicas.counts(), found(supervision, None), "seed {seed}");
    for (number, colocation) in supervision.colocations.iter().enumerate() {
        let counts = supervision.replicas.colocation_counts(number);
        assert_eq!(counts, found(supervision, Some(number)), "colocation {number}, seed {seed}");
        assert!(
            colocation.phase != Phase::Stopping || counts.busy > 0,
            "colocation {number} was left open, seed {seed}"
        );
    }
    let is_gone = supervision.states().all(|(_, replica)| replica.is_gone());
    assert_eq!(supervision.is_over(), supervision.phase >= Phase::Closing && is_gone, "seed {seed}");
}

#[test]
fn counts_are_what_a_look_at_all_replicas_finds() {
    let mut over = 0;
    for seed in 0..PROGRAMS {
        let mut random = Rng::with_seed(seed);
        let mut supervision = Supervision::new(&random_plan(&mut random), || 0.5);
        let mut rebuilds = 0;
        check(&supervision, seed);
        for at_ms in (0..).step_by(200).take(EVENTS) {
            let event = random_event(&mut random, &mut rebuilds, &supervision);
            supervision.on(event, Duration::from_millis(at_ms));
            check(&supervision, seed);
        }
        over += usize::from(supervision.is_over());
    }
    // Otherwise the events are too tame to show anything.
    assert!(over > 100, "only {over} programs came to their end");
}
