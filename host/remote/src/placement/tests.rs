//! Plans and hosts of a few lines, and where everything goes.

use std::collections::BTreeMap;

use lp_base::plan::{ComponentPlan, LaunchType, LimitsPlan, NodeKind, NodePlan, ReplicaId, RestartPlan, WorkerPlan};
use lp_base::words::{AdmissionPlan, Digest, Hardening, Sandbox, SlurmRequest};

use super::*;
use crate::hosts::Reach;

fn node(name: &str, replicas: u32) -> NodePlan {
    NodePlan {
        name: name.to_owned(),
        kind: NodeKind::Component(ComponentPlan { sha256: Digest::of(b""), uses_async: false, run: None }),
        replicas,
        colocation: None,
        couriers: Vec::new(),
        edges: Vec::new(),
        callees: BTreeSet::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        config: BTreeMap::new(),
        sandbox: Sandbox::default(),
        authorities: None,
        restart: RestartPlan::default(),
        listen: None,
        admission: AdmissionPlan::default(),
        hosts: HostChoice::default(),
        slurm: SlurmRequest::default(),
        kubernetes: lp_base::words::KubernetesRequest::default(),
        limits: LimitsPlan { memory_bytes: 1 << 20, ..LimitsPlan::default() },
    }
}

/// A plan with a worker for each replica; those of the nodes in `together` are of one colocation.
fn plan(nodes: Vec<NodePlan>, together: &[&str]) -> Plan {
    let mut plan = Plan {
        program: "test".to_owned(),
        launch_type: LaunchType::Processes,
        nodes,
        workers: Vec::new(),
        colocations: Vec::new(),
        grace_ms: 5000,
        message_bytes_max: 1,
        hardening: Hardening::Auto,
        watched: false,
    };
    let worker = |replica: ReplicaId| {
        let is_together = together.contains(&plan.node(replica.node).name.as_str());
        let colocation = is_together.then_some(0);
        WorkerPlan { name: plan.label(replica), replicas: vec![replica], colocation }
    };
    plan.workers = plan.replicas().map(worker).collect();
    plan
}

fn host(name: &str) -> Host {
    let reach = Reach::Ssh { destination: name.to_owned(), command: "lp-host".to_owned(), copy: false };
    Host { name: name.to_owned(), reach, labels: BTreeSet::new(), slots: None, memory: None, advertise: None }
}

fn lacks(unplaced: &[Unplaced]) -> Vec<String> {
    unplaced.iter().map(ToString::to_string).collect()
}

#[test]
fn replicas_are_spread_and_packed() {
    let hosts = [host("a"), host("b"), host("c")];
    let spread = plan(vec![node("x", 4), node("y", 2)], &[]);
    assert_eq!(place(&spread, &hosts), Ok(vec![0, 1, 2, 0, 1, 2]));
    let mut packed = spread;
    packed.nodes[0].hosts.placement = Placement::Pack;
    let hosts = [host("a"), Host { slots: Some(3), ..host("b") }, host("c")];
    assert_eq!(place(&packed, &hosts), Ok(vec![0, 0, 0, 0, 1, 2]));
    let hosts = [Host { slots: Some(3), ..host("a") }, host("b")];
    assert_eq!(place(&packed, &hosts), Ok(vec![0, 0, 0, 1, 1, 1]));
}

#[test]
fn names_and_labels_choose_the_hosts_and_what_is_hard_to_place_comes_first() {
    let hosts = [Host { labels: ["gpu".to_owned()].into(), slots: Some(1), ..host("a") }, host("b")];
    let mut plan = plan(vec![node("actor", 1), node("learner", 1), node("log", 1)], &[]);
    plan.nodes[1].hosts.labels = ["gpu".to_owned()].into();
    plan.nodes[2].hosts.names = ["b".to_owned()].into();
    assert_eq!(place(&plan, &hosts), Ok(vec![1, 0, 1]));
}

#[test]
fn what_fits_nowhere_is_told_with_what_each_host_lacks() {
    let hosts = [Host { slots: Some(1), ..host("a") }, Host { memory: Some(1 << 20), ..host("b") }, host("c")];
    let mut plan = plan(vec![node("x", 2), node("y", 1)], &["x"]);
    plan.nodes[0].hosts.names = ["a".to_owned(), "b".to_owned()].into();
    plan.nodes[1].hosts.labels = ["gpu".to_owned()].into();
    let unplaced = place(&plan, &hosts).unwrap_err();
    assert_eq!(
        lacks(&unplaced),
        [
            "`y/0` can't be placed\n  `a` lacks the label `gpu` that `y` wants\n  `b` lacks the label `gpu` that `y` \
             wants\n  `c` lacks the label `gpu` that `y` wants",
            "`x/0`, `x/1` can't be placed\n  `a` has 1 of 1 slots free, where 2 are needed\n  `b` has 1MiB of 1MiB memory \
             free, where 2MiB are needed\n  `c` is not among the `hosts` of `x`",
        ]
    );
}

#[test]
fn what_was_on_a_lost_host_goes_where_there_is_room_and_the_others_stay() {
    let hosts = [host("a"), Host { slots: Some(1), ..host("b") }, host("c")];
    let plan = plan(vec![node("x", 3), node("y", 2)], &["y"]);
    let mut placed = place(&plan, &hosts).unwrap();
    assert_eq!(placed, [1, 2, 0, 0, 0], "the colocation takes the most and comes first");
    assert_eq!(place_again(&plan, &hosts, &mut placed, 3, |host| (host == 0).then(|| "lost".to_owned())), Ok(2));
    assert_eq!(placed, [1, 2, 0, 2, 2], "all of the colocation moves");
    let unplaced =
        place_again(&plan, &hosts, &mut placed, 1, |host| (host != 1).then(|| "lost".to_owned())).unwrap_err();
    assert_eq!(
        unplaced.to_string(),
        "`x/1` can't be placed\n  `a` is not there: lost\n  `b` has 0 of 1 slots free, where 1 are needed\n  `c` is not there: lost"
    );
    assert_eq!(placed, [1, 2, 0, 2, 2]);
}
