//! The figures that the runtime has to keep, each measured in turns with what it is compared with, as one table.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use comfy_table::Table;
use common::direct::{ConcurrentEcho, PlainEcho};
use common::guests::Guests;
use common::nodes::{Flavour, Nodes};
use common::{Case, EMPTY, MIB_BYTES, MIB_FLOATS, start};

/// How often each is measured; the median counts.
const ROUNDS: usize = 11;
/// Empty calls per round, about a tenth of a second.
const EMPTY_CALLS: u32 = 20_000;
/// Calls with 1 MiB per round.
const MIB_CALLS: u32 = 300;
/// The calls that are in flight at any time.
const WIDTH: u32 = 64;

fn main() {
    let guests = ["bench-echo", "bench-echo-plain", "bench-caller", "bench-caller-plain", "hello"];
    let guests = Guests::build(&guests);
    let mut report = Report::new();
    // The start comes first: its memory is only seen in a process that has freed none.
    starts(&mut report, &guests);
    calls(&mut report, &guests);
    plain_calls(&mut report, &guests);
    hello(&mut report, &guests);
    println!("{}", report.table);
}

fn starts(report: &mut Report, guests: &Guests) {
    start::warm_up(guests, Flavour::Async);
    let costs: Vec<_> = (0..ROUNDS).map(|_| start::nodes(guests, Flavour::Async)).collect();
    let time = median(costs.iter().map(|cost| cost.time));
    report.at_most("start of 1,000 replicas, cache warm", time.as_secs_f64(), 1.0, "s");
    report.at_most("resident memory of an idle replica", costs[0].idle_bytes as f64 / 1024.0, 200.0, "KiB");
}

fn calls(report: &mut Report, guests: &Guests) {
    let nodes = Nodes::start(guests, Flavour::Async, 1);
    let mut direct = ConcurrentEcho::new(guests.path("bench-echo"));
    let pair = || (nodes.from_node(EMPTY, EMPTY_CALLS), nodes.from_host(EMPTY, EMPTY_CALLS));
    report.in_turns("empty async call, node to node / host to node", EMPTY_CALLS, 3.0, pair);
    let mut large = |name, case: Case| {
        let pair = || (nodes.from_node(case, MIB_CALLS), direct.typed(case, MIB_CALLS));
        report.in_turns(name, MIB_CALLS, 2.0, pair);
    };
    large("1 MiB list<u8>, async, node to node / typed bindings", MIB_BYTES);
    large("1 MiB list<f32>, async, node to node / typed bindings", MIB_FLOATS);
    let calls = 5 * EMPTY_CALLS;
    let time = median((0..ROUNDS).map(|_| nodes.in_flight(WIDTH, calls)));
    report.at_least("empty async calls, 64 in flight", f64::from(calls) / time.as_secs_f64(), 250_000.0, "/s");
    nodes.stop();
}

fn plain_calls(report: &mut Report, guests: &Guests) {
    let nodes = Nodes::start(guests, Flavour::Plain, 1);
    let mut direct = PlainEcho::new(guests.path("bench-echo-plain"));
    let time = median((0..ROUNDS).map(|_| nodes.from_node(EMPTY, EMPTY_CALLS)));
    let micros = time.as_secs_f64() * 1e6 / f64::from(EMPTY_CALLS);
    report.at_most("empty call, no async, node to node", micros, 2.5, "µs");
    let mut large = |name, case: Case| {
        let pair = || (nodes.from_node(case, MIB_CALLS), direct.typed(case, MIB_CALLS));
        report.in_turns(name, MIB_CALLS, 2.0, pair);
    };
    large("1 MiB list<u8>, no async, node to node / typed bindings", MIB_BYTES);
    large("1 MiB list<f32>, no async, node to node / typed bindings", MIB_FLOATS);
    nodes.stop();
}

/// The whole process, from its start to its exit.
fn hello(report: &mut Report, guests: &Guests) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/hello/program.toml");
    let component = format!("nodes.hello.component='{}'", guests.path("hello").display());
    let run = || {
        let mut lp_host = Command::new(env!("CARGO_BIN_EXE_lp-host"));
        lp_host.arg("run").arg(&program).args(["--set", &component]).stdout(Stdio::null()).stderr(Stdio::null());
        lp_host.env("LP_HOST_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"));
        let started = Instant::now();
        let status = lp_host.status().expect("cargo has built lp-host");
        assert!(status.success(), "`run` of hello ended with {status}");
        started.elapsed()
    };
    run();
    let time = median((0..ROUNDS).map(|_| run()));
    report.at_most("`run` of hello, cache warm", time.as_secs_f64() * 1e3, 60.0, "ms");
}

/// The table of figures and bounds.
struct Report {
    table: Table,
}

impl Report {
    fn new() -> Self {
        let mut table = Table::new();
        table.set_header(["figure", "measured", "beside", "ratio", "bound", "kept"]);
        Self { table }
    }

    /// A figure that must not be above `bound`.
    fn at_most(&mut self, name: &str, figure: f64, bound: f64, unit: &str) {
        let cells = [format!("{figure:.2} {unit}"), String::new(), String::new(), format!("≤ {bound} {unit}")];
        self.row(name, cells, figure <= bound);
    }

    /// A figure that must not be below `bound`.
    fn at_least(&mut self, name: &str, figure: f64, bound: f64, unit: &str) {
        let cells = [format!("{figure:.0} {unit}"), String::new(), String::new(), format!("≥ {bound} {unit}")];
        self.row(name, cells, figure >= bound);
    }

    /// Two kinds of `calls` calls, measured in turns. The first may take at most `bound` times the second.
    fn in_turns(&mut self, name: &str, calls: u32, bound: f64, mut pair: impl FnMut() -> (Duration, Duration)) {
        let pairs: Vec<_> = (0..ROUNDS).map(|_| pair()).collect();
        let each = |time: Duration| format!("{:.2} µs", time.as_secs_f64() * 1e6 / f64::from(calls));
        let (first, second) = (median(pairs.iter().map(|pair| pair.0)), median(pairs.iter().map(|pair| pair.1)));
        let mut ratios: Vec<_> =
            pairs.iter().map(|(first, second)| first.as_secs_f64() / second.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ROUNDS / 2];
        self.row(name, [each(first), each(second), format!("{ratio:.2}"), format!("≤ {bound}")], ratio <= bound);
    }

    fn row(&mut self, name: &str, [measured, beside, ratio, bound]: [String; 4], kept: bool) {
        let kept = if kept { "yes" } else { "no" };
        self.table.add_row([name, &measured, &beside, &ratio, &bound, kept]);
    }
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[times.len() / 2]
}
