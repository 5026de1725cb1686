//! Calls between two worker processes beside the same calls between two processes that use tonic by hand.
//!
//! `cargo run --release -p bench-remote`, after `cargo build --release` and the guests of the benchmarks.

mod echo;
mod program;

use std::time::Duration;

use comfy_table::Table;

/// How often each is measured; the median of the ratios counts.
const ROUNDS: usize = 7;

/// A figure: its name, the call, how many calls a round makes, how many of them are in flight, and the bound of its ratio.
const FIGURES: [(&str, Work, u32, f64); 3] = [
    ("empty call", Work::OneByOne { bytes: 0 }, 5_000, 1.35),
    ("1 MiB list<u8>", Work::OneByOne { bytes: 1 << 20 }, 300, 1.35),
    ("empty calls, 64 in flight", Work::InFlight { width: 64 }, 64_000, 1.25),
];

/// What a round does.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// One call after the other, with a block of this many bytes.
    OneByOne {
        /// The bytes that go there and back.
        bytes: u32,
    },
    /// Empty calls, this many at any time.
    InFlight {
        /// How many.
        width: u32,
    },
}

fn main() {
    if let Some(socket) = std::env::args().nth(1) {
        return echo::serve(socket.as_ref());
    }
    let program = program::Running::start();
    let echo = echo::Running::start();
    let mut table = Table::new();
    table.set_header(["figure", "lp-host", "tonic", "ratio", "bound", "kept"]);
    for (name, work, calls, bound) in FIGURES {
        let pairs: Vec<_> = (0..ROUNDS).map(|_| (program.time(work, calls), echo.time(work, calls))).collect();
        let ratio = median(pairs.iter().map(|(own, tonic)| own.as_secs_f64() / tonic.as_secs_f64()).collect());
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(calls);
        let own = median(pairs.iter().map(|(own, _)| micros(*own)).collect());
        let tonic = median(pairs.iter().map(|(_, tonic)| micros(*tonic)).collect());
        let kept = if ratio <= bound { "yes" } else { "no" };
        table.add_row([
            name.to_owned(),
            format!("{own:.1} µs"),
            format!("{tonic:.1} µs"),
            format!("{ratio:.2}"),
            format!("≤ {bound}"),
            kept.to_owned(),
        ]);
    }
    println!("{table}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
