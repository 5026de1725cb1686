//! The figures that the runtime has to keep, each measured in turns with what it is compared with, as one table.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::direct::{ConcurrentEcho, PlainEcho};
use common::guests::Guests;
use common::nodes::{Flavour, Nodes};
use common::report::{ROUNDS, Report, in_turns, median, micros};
use common::{Case, EMPTY, MIB_BYTES, MIB_FLOATS, start};

/// Empty calls per round, about a tenth of a second.
const EMPTY_CALLS: u32 = 20_000;
/// Calls with 1 MiB per round.
const MIB_CALLS: u32 = 300;
/// The calls that are in flight at any time.
const WIDTH: u32 = 64;
/// Calls per round with others in flight.
const WIDE_CALLS: u32 = 1_000 * WIDTH;

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
    let first = start::nodes(guests, Flavour::Async);
    let pair = || (start::nodes(guests, Flavour::Async).time, start::typed(guests).time);
    let pairs = in_turns(pair);
    let seconds = pairs.first.as_secs_f64();
    let name = "start of 1,000 replicas, cache warm / by typed bindings";
    report.row(name, &format!("{seconds:.3} s"), Some(pairs), "≤ 1 s", seconds <= 1.0);
    let kib = first.idle_bytes as f64 / 1024.0;
    report.row("resident memory of an idle replica", &format!("{kib:.0} KiB"), None, "≤ 200 KiB", kib <= 200.0);
}

fn calls(report: &mut Report, guests: &Guests) {
    let nodes = Nodes::start(guests, Flavour::Async, 1);
    let mut direct = ConcurrentEcho::new(guests.path("bench-echo"));
    let pairs = in_turns(|| (nodes.call_from_node(EMPTY, EMPTY_CALLS), nodes.call_from_host(EMPTY, EMPTY_CALLS)));
    report.ratio("empty call, async: node to node / host to node", EMPTY_CALLS, pairs, 3.0);
    for case in [MIB_BYTES, MIB_FLOATS] {
        let pairs = in_turns(|| (nodes.call_from_node(case, MIB_CALLS), direct.typed(case, MIB_CALLS)));
        report.ratio(&large("async", case), MIB_CALLS, pairs, 2.0);
    }
    let pairs = in_turns(|| (nodes.in_flight(WIDTH, WIDE_CALLS), direct.typed_in_flight(WIDTH, WIDE_CALLS)));
    let per_second = f64::from(WIDE_CALLS) / pairs.first.as_secs_f64();
    let name = "empty calls, async, 64 in flight: node to node / typed bindings";
    report.row(name, &format!("{per_second:.0} /s"), Some(pairs), "≥ 250000 /s", per_second >= 250_000.0);
    nodes.stop();
}

fn plain_calls(report: &mut Report, guests: &Guests) {
    let nodes = Nodes::start(guests, Flavour::Plain, 1);
    let mut direct = PlainEcho::new(guests.path("bench-echo-plain"));
    let pairs = in_turns(|| (nodes.call_from_node(EMPTY, EMPTY_CALLS), nodes.call_from_host(EMPTY, EMPTY_CALLS)));
    let micros = micros(pairs.first, EMPTY_CALLS);
    let name = "empty call, plain: node to node / host to node";
    report.row(name, &format!("{micros:.2} µs"), Some(pairs), "≤ 2.5 µs", micros <= 2.5);
    for case in [MIB_BYTES, MIB_FLOATS] {
        let pairs = in_turns(|| (nodes.call_from_node(case, MIB_CALLS), direct.typed(case, MIB_CALLS)));
        report.ratio(&large("plain", case), MIB_CALLS, pairs, 2.0);
    }
    nodes.stop();
}

/// The name of 1 MiB there and back.
fn large(flavour: &str, case: Case) -> String {
    format!("{}, {flavour}: node to node / typed bindings", case.name)
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
    let millis = median((0..ROUNDS).map(|_| run()).collect()).as_secs_f64() * 1e3;
    report.row("`run` of hello, cache warm", &format!("{millis:.0} ms"), None, "≤ 60 ms", millis <= 60.0);
}
