//! Machines that go away.

use super::cluster::Cluster;
use super::{RESTARTS, check_end, go, pair, start};
use crate::run::{Program, script};
use crate::runs::{Machine, eventually};

/// Machines that are given up soon.
fn cluster() -> Option<Cluster> {
    Cluster::with("SlurmdTimeout=5\n")
}

#[test]
fn a_program_whose_coordinator_is_lost_has_failed_whatever_slurm_says() {
    let Some(cluster) = cluster() else { return };
    let (machine, program) = (Machine::new(), Program::new(&script("ASYNC", "'print:up', 'sleep:1000000'")));
    let mut going = start(&cluster, &machine, &program);
    going.expect_line("probe/0 │ up");
    cluster.lose("node1");
    check_end(going, 1, &[], &["ended without a report of the program's end"]);
}

#[test]
fn a_unit_on_a_machine_that_is_lost_starts_on_another_one() {
    let Some(cluster) = cluster() else { return };
    let (machine, program) = (Machine::new(), pair(RESTARTS, "'wait-for:/data/go', 'plain-echo:2'", "cpus = 16"));
    let mut going = start(&cluster, &machine, &program);
    going.expect_line("b/0 │ 8");
    let (job, id) = cluster.job(&machine);
    let unit = |name: &str| {
        let file = cluster.dir_of(&machine).join(&id).join(format!("units/{name}.machine"));
        std::fs::read_to_string(file).expect("it was started").trim().to_owned()
    };
    let place = ["a-0", "a-1"].into_iter().find(|name| unit(name) != "node1").expect("each has its own machine");
    let lost = unit(place);
    cluster.lose(&lost);
    eventually("it is started elsewhere", || unit(place) != lost && cluster.unit(&job, place).is_some());
    go(&program);
    check_end(going, 0, &["b/0 │ 2"], &["is started again on `node"]);
}
