//! The start of 1,000 replicas of a small node from a warm compile cache, and the resident memory of each.

mod common;

use std::process::Command;
use std::time::Duration;

use comfy_table::Table;
use common::guests::Guests;
use common::nodes::Flavour;
use common::start::{self, Cost, REPLICAS};

/// Starts of each way; the median time counts, and the memory of the first.
const ROUNDS: usize = 7;

/// One way to start replicas, and what they cost then.
type Way = fn(&Guests) -> Cost;

/// The ways to start replicas, each measured in a process of its own: only memory that was never used is seen.
const WAYS: [(&str, Way); 3] = [
    ("lp-host, async", |guests| start::nodes(guests, Flavour::Async)),
    ("lp-host, plain", |guests| start::nodes(guests, Flavour::Plain)),
    ("typed bindings, async", start::typed),
];

fn main() {
    let guests = Guests::build(&["bench-echo", "bench-echo-plain"]);
    let asked = std::env::args().nth(1);
    if let Some((_, way)) = WAYS.iter().find(|(name, _)| asked.as_deref() == Some(name)) {
        return print_row(&guests, *way);
    }
    start::warm_up(&guests, Flavour::Async);
    start::warm_up(&guests, Flavour::Plain);
    let mut table = Table::new();
    table.set_header([&format!("{REPLICAS} replicas"), "start", "memory of each, idle", "after a call"]);
    for (name, _) in WAYS {
        let program = std::env::current_exe().expect("a running program has a file");
        let output = Command::new(program).arg(name).output().expect("the program can be run again");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let row = String::from_utf8_lossy(&output.stdout);
        table.add_row(std::iter::once(name).chain(row.trim().split('\t')));
    }
    println!("{table}");
}

fn print_row(guests: &Guests, way: fn(&Guests) -> Cost) {
    let costs: Vec<_> = (0..ROUNDS).map(|_| way(guests)).collect();
    let mut times: Vec<Duration> = costs.iter().map(|cost| cost.time).collect();
    times.sort();
    let kib = |bytes: u64| format!("{} KiB", bytes / 1024);
    println!("{:.0?}\t{}\t{}", times[ROUNDS / 2], kib(costs[0].idle_bytes), kib(costs[0].called_bytes));
}
