//! What a call costs, how long many take at once, and what an idle replica takes in each language, as the tables in
//! docs/languages.md.
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

/// Has each of the hundred calls that a caller makes at once take 50 ms.
const AT_ONCE: [&str; 2] = ["--set", "nodes.gate.config.call-millis=\"50\""];

/// Has Rust's node begin with one call instead of a hundred at once, which not every language can serve.
const ONE_BY_ONE: [&str; 2] = ["--set", "nodes.caller.config.at-once=\"1\""];

/// The languages whose nodes can't have many calls under way.
const BLOCKING: [&str; 1] = ["Go"];

/// The languages beside Rust, by their folders of `tests/meeting`.
const LANGUAGES: [(&str, &str); 6] =
    [("python", "Python"), ("js", "JavaScript"), ("c", "C"), ("cpp", "C++"), ("zig", "Zig"), ("go", "Go")];

/// What is measured of a language.
struct Measured {
    title: &'static str,
    component: PathBuf,
    /// For each round, the time of a call from a Rust node, and beside it that of one from Rust to Rust.
    called: Vec<(Duration, Duration)>,
    /// The same of a call to a Rust node.
    calling: Vec<(Duration, Duration)>,
    /// For each round, the time of a program whose Rust node makes a hundred calls of 50 ms at once to this one.
    serving_many: Vec<Duration>,
    /// The same of a program where this one makes them to a Rust node.
    making_many: Vec<Duration>,
}

impl Measured {
    fn new(title: &'static str, component: PathBuf) -> Measured {
        let (called, calling, serving_many, making_many) = Default::default();
        Measured { title, component, called, calling, serving_many, making_many }
    }
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
    let mut languages: Vec<_> = languages.map(|(title, component)| Measured::new(title, component)).collect();
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        let own = call_time(&rust, &rust);
        for language in &mut languages {
            language.called.push((call_time(&rust, &language.component), own));
            language.calling.push((call_time(&language.component, &rust), own));
            if !BLOCKING.contains(&language.title) {
                language.serving_many.push(elapsed(&rust, &language.component, &AT_ONCE));
                language.making_many.push(elapsed(&language.component, &rust, &AT_ONCE));
            }
        }
    }
    println!("{}\n\n{}", costs(&languages), many_at_once(&languages));
}

/// A table with this head.
fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(head);
    table
}

fn costs(languages: &[Measured]) -> Table {
    let mut table = table(["node in", "called by Rust", "ratio", "calling Rust", "ratio", "linear memory", "resident"]);
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
    table
}

fn many_at_once(languages: &[Measured]) -> Table {
    let mut table = table(["node in", "makes 100 calls of 50 ms", "serves 100 calls of 50 ms"]);
    for language in languages.iter().filter(|language| !BLOCKING.contains(&language.title)) {
        let millis = |times: &[Duration]| median(times.iter().map(|time| time.as_secs_f64() * 1e3));
        let [making, serving] = [&language.making_many, &language.serving_many].map(|times| millis(times));
        table.add_row([language.title.to_owned(), format!("{making:.0} ms"), format!("{serving:.0} ms")]);
    }
    table
}

/// The time of one call, without what it takes to start the program and to end it.
fn call_time(caller: &Path, relay: &Path) -> Duration {
    let start = elapsed(caller, relay, &ONE_BY_ONE);
    let calls = format!("nodes.caller.config.calls=\"{CALLS}\"");
    let [set, at_once] = ONE_BY_ONE;
    elapsed(caller, relay, &[set, at_once, "--set", &calls]).saturating_sub(start) / CALLS
}

/// The time of a whole program, from its start to its end.
fn elapsed(caller: &Path, relay: &Path, args: &[&str]) -> Duration {
    let output = meeting(caller, relay).args(["--format", "json"]).args(args).output().expect("it was built");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = stdout.lines().last().expect("there is a report").parse().expect("it is JSON");
    Duration::from_nanos(report["elapsed_ns"].as_u64().expect("the report has the time"))
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
