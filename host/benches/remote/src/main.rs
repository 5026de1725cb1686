//! Calls between two worker processes, on one host and over TLS, beside the same calls between two processes that use tonic by
//! hand.
//!
//! `cargo run --release -p bench-remote`, after `cargo build --release` and the guests of the benchmarks.

mod echo;
mod program;

use std::time::Duration;

use comfy_table::Table;

/// How often each is measured; the median of the ratios counts.
const ROUNDS: usize = 7;

/// A figure: its name, the call, how many calls a round makes, and the bounds of its ratio over Unix sockets and over TLS.
const FIGURES: [(&str, Work, u32, [f64; 2]); 3] = [
    ("empty call", Work::OneByOne { bytes: 0 }, 5_000, [1.35, 1.2]),
    ("1 MiB list<u8>", Work::OneByOne { bytes: 1 << 20 }, 300, [0.9, 0.9]),
    ("empty calls, 64 in flight", Work::InFlight { width: 64 }, 64_000, [0.7, 0.7]),
];

/// What the two processes talk over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// A Unix socket, as under launch type `processes`.
    Unix,
    /// TLS over loopback, as under launch type `remote`.
    Tls,
}

impl Over {
    fn word(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tls => "tls",
        }
    }
}

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
    if let Some(dir) = std::env::args().nth(1) {
        let over = if std::env::args().nth(2).as_deref() == Some("tls") { Over::Tls } else { Over::Unix };
        return echo::serve(dir.as_ref(), over);
    }
    let mut table = Table::new();
    table.set_header(["over", "figure", "lp-host", "tonic", "ratio", "bound", "kept"]);
    for over in [Over::Unix, Over::Tls] {
        compare(over, &mut table);
    }
    println!("{table}");
}

fn compare(over: Over, table: &mut Table) {
    let program = program::Running::start(over);
    let echo = echo::Running::start(over);
    for (name, work, calls, bounds) in FIGURES {
        let bound = bounds[over as usize];
        let pairs: Vec<_> = (0..ROUNDS).map(|_| (program.time(work, calls), echo.time(work, calls))).collect();
        let ratio = median(pairs.iter().map(|(own, tonic)| own.as_secs_f64() / tonic.as_secs_f64()).collect());
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(calls);
        let own = median(pairs.iter().map(|(own, _)| micros(*own)).collect());
        let tonic = median(pairs.iter().map(|(_, tonic)| micros(*tonic)).collect());
        let kept = if ratio <= bound { "yes" } else { "no" };
        table.add_row([
            over.word().to_owned(),
            name.to_owned(),
            format!("{own:.1} µs"),
            format!("{tonic:.1} µs"),
            format!("{ratio:.2}"),
            format!("≤ {bound}"),
            kept.to_owned(),
        ]);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
