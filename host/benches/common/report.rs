//! Times measured in turns with what they are compared with, and the table of them.

use std::time::Duration;

use comfy_table::Table;

/// How often each is measured; the median counts.
pub const ROUNDS: usize = 11;

/// The medians of two times that were measured in turns, and of their ratio.
#[derive(Clone, Copy)]
pub struct Pairs {
    /// The median of the first times.
    pub first: Duration,
    /// The median of the second times.
    pub second: Duration,
    /// The median of the ratios.
    pub ratio: f64,
}

/// Measures a pair of times again and again.
pub fn in_turns(mut pair: impl FnMut() -> (Duration, Duration)) -> Pairs {
    let pairs: Vec<_> = (0..ROUNDS).map(|_| pair()).collect();
    // A machine that is busy for a while slows both of a pair, so their ratio is steadier than that of the medians.
    let mut ratios: Vec<_> = pairs.iter().map(|(first, second)| first.as_secs_f64() / second.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    let (first, second) = pairs.into_iter().unzip();
    Pairs { first: median(first), second: median(second), ratio: ratios[ROUNDS / 2] }
}

/// The middle one of `times`.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What one of `calls` took, in microseconds.
pub fn micros(time: Duration, calls: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(calls)
}

/// The table of figures and bounds.
pub struct Report {
    /// The table so far.
    pub table: Table,
}

impl Report {
    /// An empty table.
    pub fn new() -> Self {
        let mut table = Table::new();
        table.set_header(["figure", "measured", "ratio", "bound", "kept"]);
        Self { table }
    }

    /// Calls that may take at most `bound` times as long as others.
    pub fn ratio(&mut self, name: &str, calls: u32, pairs: Pairs, bound: f64) {
        let measured = format!("{:.2} / {:.2} µs", micros(pairs.first, calls), micros(pairs.second, calls));
        self.row(name, &measured, Some(pairs), &format!("ratio ≤ {bound}"), pairs.ratio <= bound);
    }

    /// Things that take as long as they take.
    pub fn unbounded_ratio(&mut self, name: &str, count: u32, pairs: Pairs) {
        let measured = format!("{:.2} / {:.2} µs", micros(pairs.first, count), micros(pairs.second, count));
        self.row(name, &measured, Some(pairs), "none", true);
    }

    /// Adds a row.
    pub fn row(&mut self, name: &str, measured: &str, pairs: Option<Pairs>, bound: &str, kept: bool) {
        let ratio = pairs.map_or_else(String::new, |pairs| format!("{:.2}", pairs.ratio));
        self.table.add_row([name, measured, &ratio, bound, if kept { "yes" } else { "no" }]);
    }
}
