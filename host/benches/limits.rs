//! What limits cost: a guest that computes and an empty call, with every limit on and with none, as one table.

mod common;

use std::time::{Duration, Instant};

use common::guests::Guests;
use common::nodes::{Flavour, Nodes};
use common::report::{Report, in_turns};
use common::{EMPTY, direct};
use lp_host::program::{Limit, Node};

/// Empty calls per round, about a tenth of a second.
const EMPTY_CALLS: u32 = 20_000;
/// Blocks per round, about a tenth of a second.
const BLOCKS: u32 = 500_000;

fn main() {
    let guests =
        Guests::build(&["bench-echo", "bench-echo-plain", "bench-caller", "bench-caller-plain", "bench-compute"]);
    let mut report = Report::new();
    compute(&mut report, &guests);
    for (flavour, name) in [(Flavour::Plain, "plain"), (Flavour::Async, "async")] {
        let (limited, unlimited) =
            (Nodes::start_with(&guests, flavour, all_limits), Nodes::start_with(&guests, flavour, |node| node));
        let pairs =
            in_turns(|| (limited.call_from_node(EMPTY, EMPTY_CALLS), unlimited.call_from_node(EMPTY, EMPTY_CALLS)));
        report.ratio(&format!("empty call, {name}: every limit / none"), EMPTY_CALLS, pairs, 1.1);
        limited.stop();
        unlimited.stop();
    }
    println!("{}", report.table);
}

fn compute(report: &mut Report, guests: &Guests) {
    let path = guests.path("bench-compute");
    let bare = direct::Compute::new(path);
    let limited = Nodes::start_compute(path, all_limits);
    let fuelled = Nodes::start_compute(path, |node| all_limits(node).limit(Limit::Fuel, u64::MAX / 4));
    let pairs = in_turns(|| (limited.compute(BLOCKS), timed(|| bare.compute(BLOCKS))));
    report.ratio("compute: every limit / wasmtime that can't interrupt", BLOCKS, pairs, 1.15);
    let pairs = in_turns(|| (fuelled.compute(BLOCKS), timed(|| bare.compute(BLOCKS))));
    report.unbounded_ratio("compute: every limit and fuel / wasmtime that can't interrupt", BLOCKS, pairs);
    limited.stop();
    fuelled.stop();
}

/// Every limit but fuel, which is for programs that count instructions. None is reached.
fn all_limits(node: Node) -> Node {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let limits = Limit::ALL.into_iter().filter(|limit| *limit != Limit::Fuel);
    limits.fold(node, |node, limit| {
        let value = limit.default().unwrap_or(match limit {
            Limit::Output => 1 << 40,
            _ => DAY_MS,
        });
        node.limit(limit, value)
    })
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
