//! The replicas of runs as tables for people, while they run and at the end, and as JSON for programs.

use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use lp_base::shown;
use serde_json::{Value, json};

use super::RunStatus;
use crate::launch::Hardened;
use crate::supervise::{Outcome, ReplicaReport, RunReport};

/// A replica's figures, in the units of the JSON report.
struct Figures {
    calls: u64,
    errors: u64,
    p50_ns: Option<u64>,
    p99_ns: Option<u64>,
    cpu: Duration,
    memory_peak: u64,
}

fn figures(replica: &ReplicaReport) -> Figures {
    let served = replica.stats.as_ref().map(|stats| &stats.served);
    let quantile = |quantile| {
        let latency = &served?.latency_ns;
        (!latency.is_empty()).then(|| latency.value_at_quantile(quantile))
    };
    Figures {
        calls: served.map_or(0, |served| served.calls),
        errors: served.map_or(0, |served| served.errors),
        p50_ns: quantile(0.5),
        p99_ns: quantile(0.99),
        cpu: replica.stats.as_ref().map_or(Duration::ZERO, |stats| stats.busy),
        memory_peak: replica.memory_peak,
    }
}

/// The table that a run ends with: a line per replica.
pub fn report_table(report: &RunReport) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let header = ["node", "state", "host", "restarts", "calls", "errors", "p50", "p99", "cpu", "memory"];
    let has_hosts = report.replicas.iter().any(|replica| replica.host.is_some());
    table.set_header(without_host(header, has_hosts));
    for column in table.column_iter_mut().skip(2 + usize::from(has_hosts)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for replica in &report.replicas {
        let figures = figures(replica);
        let latency = |ns: Option<u64>| ns.map_or("-".to_owned(), |ns| duration(Duration::from_nanos(ns)));
        let row = [
            shown::line(&format!("{}/{}", replica.node, replica.index)).into_owned(),
            replica.state.name().to_owned(),
            replica.host.clone().unwrap_or_default(),
            replica.restarts.to_string(),
            figures.calls.to_string(),
            figures.errors.to_string(),
            latency(figures.p50_ns),
            latency(figures.p99_ns),
            duration(figures.cpu),
            bytes(figures.memory_peak),
        ];
        table.add_row(without_host(row, has_hosts));
    }
    table.trim_fmt()
}

/// The replicas of programs that run: a line for each.
pub fn status_table(runs: &[RunStatus]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let header =
        ["run", "node", "host", "state", "pid", "hardening", "restarts", "uptime", "calls", "errors", "memory"];
    let has_hosts = runs.iter().flat_map(|run| &run.replicas).any(|replica| replica.host.is_some());
    table.set_header(without_host(header, has_hosts));
    for column in table.column_iter_mut().skip(3 + usize::from(has_hosts)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (run, replica) in runs.iter().flat_map(|run| run.replicas.iter().map(move |replica| (run, replica))) {
        let row = [
            shown::line(&run.id).into_owned(),
            shown::line(&replica.label()).into_owned(),
            replica.host.clone().unwrap_or_else(|| "-".to_owned()),
            replica.state.name().to_owned(),
            replica.pid.map_or("-".to_owned(), |pid| pid.to_string()),
            replica.hardening.as_ref().map_or("-", Hardened::word).to_owned(),
            replica.restarts.to_string(),
            replica.uptime_ms.map_or("-".to_owned(), |ms| uptime(Duration::from_millis(ms))),
            replica.calls.to_string(),
            replica.errors.to_string(),
            bytes(replica.memory_bytes),
        ];
        table.add_row(without_host(row, has_hosts));
    }
    let mut text = table.trim_fmt();
    for replica in runs.iter().flat_map(|run| &run.replicas) {
        let label = replica.label();
        for wait in &replica.waits {
            text.push_str(&format!("\n{} waits: {}", shown::line(&label), shown::line(wait)));
        }
    }
    text
}

/// A line of a table whose third column is that of hosts, which is there where a program runs on several.
fn without_host<T>(line: impl IntoIterator<Item = T>, has_hosts: bool) -> impl Iterator<Item = T> {
    line.into_iter().enumerate().filter(move |(column, _)| has_hosts || *column != 2).map(|(_, cell)| cell)
}

/// The same as JSON: durations in nanoseconds, memory in bytes.
pub fn report_json(report: &RunReport) -> Value {
    let replicas: Vec<_> = report
        .replicas
        .iter()
        .map(|replica| {
            let figures = figures(replica);
            let mut shown = json!({
                "node": replica.node,
                "replica": replica.index,
                "state": replica.state.name(),
                "restarts": replica.restarts,
                "calls": figures.calls,
                "errors": figures.errors,
                "p50_ns": figures.p50_ns,
                "p99_ns": figures.p99_ns,
                "cpu_ns": figures.cpu.as_nanos() as u64,
                "memory_peak_bytes": figures.memory_peak,
            });
            if let Some(reason) = &replica.reason {
                shown["reason"] = reason.as_str().into();
            }
            if let Some(host) = &replica.host {
                shown["host"] = host.as_str().into();
            }
            shown
        })
        .collect();
    let outcome = match report.outcome {
        Outcome::Finished => "finished".to_owned(),
        Outcome::Failed => "failed".to_owned(),
        Outcome::Signalled(signal) => signal.to_string(),
    };
    json!({ "type": "report", "outcome": outcome, "elapsed_ns": report.elapsed.as_nanos() as u64, "replicas": replicas })
}

/// Three significant digits with the unit that fits.
fn duration(duration: Duration) -> String {
    let ns = duration.as_nanos() as f64;
    let (value, unit) = match ns {
        ns if ns < 1e3 => return format!("{ns} ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}

/// The two largest units: `5s`, `2m 05s`, `3h 20m`, `4d 01h`.
fn uptime(duration: Duration) -> String {
    let s = duration.as_secs();
    let (m, h, d) = (s / 60, s / 3600, s / 86_400);
    match () {
        () if m == 0 => format!("{s}s"),
        () if h == 0 => format!("{m}m {:02}s", s % 60),
        () if d == 0 => format!("{h}h {:02}m", m % 60),
        () => format!("{d}d {:02}h", h % 24),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0 => "-".to_owned(),
        bytes if bytes < 1 << 20 => format!("{:.0} KiB", bytes as f64 / 1024.0),
        bytes => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let duration = |ns| super::duration(Duration::from_nanos(ns));
        assert_eq!(duration(999), "999 ns");
        assert_eq!(duration(1_234), "1.23 µs");
        assert_eq!(duration(56_700_000), "56.7 ms");
        assert_eq!(duration(890_000_000_000), "890 s");
        assert_eq!(super::bytes(65_536), "64 KiB");
        assert_eq!(super::bytes(1_572_864), "1.5 MiB");
    }

    #[test]
    fn uptimes_have_two_units() {
        let uptime = |s| super::uptime(Duration::from_secs(s));
        assert_eq!(
            ["5s", "2m 05s", "3h 20m", "4d 01h"],
            [5, 125, 12_000, 349_300].map(uptime).each_ref().map(String::as_str)
        );
    }
}
