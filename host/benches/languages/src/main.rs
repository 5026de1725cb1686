//! What a call costs and what an idle replica takes in each language, as the table in docs/languages.md.
//!
//! `cargo run --release -p bench-languages`, after `cargo build --release`. It builds the nodes of `tests/meeting`; a language
//! whose tools can't be had is left out.

mod components;
mod idle;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use comfy_table::{Table, presets};

/// How often each call is measured, in turns; the medians count.
const ROUNDS: usize = 5;

/// How many calls a round makes, one after the other, with 1 KiB each.
const CALLS: u32 = 30_000;

/// The languages beside Rust, by their folders of `tests/meeting`.
const LANGUAGES: [(&str, &str); 5] =
    [("python", "Python"), ("js", "JavaScript"), ("c", "C"), ("cpp", "C++"), ("zig", "Zig")];

/// What is measured of a language.
struct Measured {
    title: &'static str,
    component: PathBuf,
    /// For each round, the time of a call from a Rust node, and beside it that of one from Rust to Rust.
    called: Vec<(Duration, Duration)>,
    /// The same of a call to a Rust node.
    calling: Vec<(Duration, Duration)>,
}

fn main() {
    let rust = components::rust();
    let others = LANGUAGES.into_iter().filter_map(|(language, title)| match components::other(language) {
        Ok(component) => Some((title, component)),
        Err(reason) => {
            eprintln!("{title} is left out: {}", reason.trim_end());
            None
        }
    });
    let languages = std::iter::once(("Rust", rust.clone())).chain(others);
    let mut languages: Vec<_> = languages
        .map(|(title, component)| Measured { title, component, called: Vec::new(), calling: Vec::new() })
        .collect();
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        let own = call_time(&rust, &rust);
        for language in &mut languages {
            language.called.push((call_time(&rust, &language.component), own));
            language.calling.push((call_time(&language.component, &rust), own));
        }
    }
    print(&languages);
}

fn print(languages: &[Measured]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["node in", "called by Rust", "ratio", "calling Rust", "ratio", "linear memory", "resident"]);
    for language in languages {
        let idle = idle::measure(&language.component);
        let micros = |pairs: &[(Duration, Duration)]| median(pairs.iter().map(|pair| pair.0.as_secs_f64() * 1e6));
        let ratio =
            |pairs: &[(Duration, Duration)]| median(pairs.iter().map(|(time, own)| time.div_duration_f64(*own)));
        table.add_row([
            language.title.to_owned(),
            format!("{:.1} µs", micros(&language.called)),
            format!("{:.1}", ratio(&language.called)),
            format!("{:.1} µs", micros(&language.calling)),
            format!("{:.1}", ratio(&language.calling)),
            format!("{:.1} MiB", idle.linear_bytes / 1024.0 / 1024.0),
            format!("{:.0} KiB", idle.resident_bytes / 1024.0),
        ]);
    }
    println!("{table}");
}

/// The time of one call, without what it takes to start the program and to end it.
fn call_time(caller: &Path, relay: &Path) -> Duration {
    let run = |calls: u32| {
        let calls = format!("nodes.caller.config.calls=\"{calls}\"");
        let mut command = meeting(caller, relay);
        let output = command.args(["--format", "json", "--set", &calls]).output().expect("it was built");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = stdout.lines().last().expect("there is a report").parse().expect("it is JSON");
        Duration::from_nanos(report["elapsed_ns"].as_u64().expect("the report has the time"))
    };
    let start = run(0);
    run(CALLS).saturating_sub(start) / CALLS
}

/// `lp-host run` of `tests/meeting` with the two components.
fn meeting(caller: &Path, relay: &Path) -> Command {
    let mut command = Command::new(components::lp_host());
    let set = |node: &str, path: &Path| format!("nodes.{node}.component={}", path.display());
    command.arg("run").arg(components::root().join("tests/meeting/program.toml")).stdin(Stdio::null());
    command.args(["--set", &set("caller", caller), "--set", &set("relay", relay)]);
    command
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
