//! The start of 1,000 replicas of a small node from a warm compile cache, and the resident memory of each when idle.

mod common;

use comfy_table::Table;
use common::guests::Guests;
use common::nodes::Flavour;
use common::start::{self, Cost, REPLICAS};

/// Starts of each kind; the median counts, and the memory of the first.
const ROUNDS: usize = 7;

fn main() {
    let guests = Guests::build(&["bench-echo", "bench-echo-plain"]);
    start::warm_up(&guests, Flavour::Async);
    start::warm_up(&guests, Flavour::Plain);
    let mut table = Table::new();
    table.set_header([&format!("{REPLICAS} replicas"), "start", "resident memory of each, idle", "after a call"]);
    let mut row = |name: &str, mut start: Box<dyn FnMut() -> Cost>| {
        let costs: Vec<_> = (0..ROUNDS).map(|_| start()).collect();
        let mut times: Vec<_> = costs.iter().map(|cost| cost.time).collect();
        times.sort();
        let kib = |bytes: u64| format!("{} KiB", bytes / 1024);
        let Cost { idle_bytes, called_bytes, .. } = costs[0];
        table.add_row([name, &format!("{:.0?}", times[ROUNDS / 2]), &kib(idle_bytes), &kib(called_bytes)]);
    };
    let guests = &guests;
    row("lp-host, async", Box::new(|| start::nodes(guests, Flavour::Async)));
    row("lp-host, plain", Box::new(|| start::nodes(guests, Flavour::Plain)));
    row("typed bindings, async", Box::new(|| start::typed(guests)));
    println!("{table}");
}
