//! Hosts in networks of their own, also far apart: 20 ms from one to the other, and of a hundred packets one is lost on each of two links.

use super::lost::check_load;
use super::{Hosts, RESTARTS, check_nothing_left, pair, run, start};
use crate::runs::Machine;
use crate::{examples, languages};

#[test]
fn every_example_runs_on_hosts_that_only_a_network_joins() {
    let hosts = Hosts::three();
    check_examples(&hosts, |_| true);
    check_nothing_left(&hosts);
}

/// Runs the examples with these names as their READMEs say, but on hosts.
fn check_examples(hosts: &Hosts, is_wanted: impl Fn(&str) -> bool) {
    for name in examples::FOLDERS.iter().filter(|name| is_wanted(name)) {
        let program = examples::program(name);
        if let Err(reason) = languages::build_program(&program) {
            eprintln!("skipped: {name}: {reason}");
            continue;
        }
        let program = program.display().to_string();
        let (code, out, err) = run(hosts, &["run", "--build", "--launch-type", "remote", &program]);
        assert_eq!(code, Some(0), "{name}: {err}");
        examples::check_output(name, &out, &err);
    }
}

#[test]
fn delay_and_loss_cost_time_and_no_call() {
    let Some(hosts) = Hosts::far_apart() else {
        return eprintln!("skipped: the machine has no network namespaces, or no tap interfaces");
    };
    // Thousands of steps, one call each, take minutes: with `LP_TEST_LINKS=bad`, the test above has it too.
    check_examples(&hosts, |name| name != "python-env");
    let machine = Machine::new();
    let program = pair(RESTARTS, "'storm:40', 'sleep-many:64', 'echo-each:200000', 'load:/data/go'");
    let mut going = start(&hosts, &machine, &program);
    for line in ["b/0 │ 1", "b/0 │ 40", "b/0 │ 64", "b/0 │ Ok(200000)"] {
        going.expect_line(line);
    }
    check_load(going, &program);
    check_nothing_left(&hosts);
}
