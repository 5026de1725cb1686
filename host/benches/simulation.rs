//! How long simulated runs take, through the real binary, as one table.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use comfy_table::Table;
use common::guests::Guests;
use common::report::{ROUNDS, median};

/// The seeds of the search.
const SEEDS: u32 = 1_000;
/// How long they may take on two cores.
const SEARCH_MAX: Duration = Duration::from_secs(15);
/// How long an hour of ten sleeping nodes may take.
const HOUR_MAX: Duration = Duration::from_millis(500);
/// How much longer than the plain run of the program a test of five calls may take.
const TEST_MAX: f64 = 1.5;

/// Ten nodes that sleep for an hour in one piece, and ten that do in pieces of a minute.
const SLEEPING: &str = "[tests.hour]\nwaits-for = [\"sleeper\"]\ntimeout = \"2h\"\n\
                        [tests.minutes]\nwaits-for = [\"sleeper\"]\ntimeout = \"2h\"\n\
                        [tests.minutes.program.nodes]\nsleeper.args = [MINUTES]\n";

/// Calls that the plain run makes too: of the consumer's ten steps, five calls of a producer.
const FIVE_CALLS: &str = "[tests.calls]\ndoubles.consumer.answers = []\ncalls = [\n\
                          \"producer/0.produce(1) -> 10\", \"producer/0.produce(2) -> 20\",\n\
                          \"producer/1.produce(1) -> 11\", \"producer/1.produce(2) -> 21\",\n\
                          \"producer/1.produce(3) -> 31\",\n]\n";

fn main() {
    let guests = Guests::build(&["producer", "consumer", "probe"]);
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let [search, sleeping] = ["search", "sleeping"].map(|name| {
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).expect("it can be made");
        folder
    });
    let path = |package: &str| guests.path(package).display().to_string();
    let program = format!(
        "name = \"consumer-producers\"\n[nodes.producer]\ncomponent = \"{}\"\nreplicas = 2\n\
         [nodes.consumer]\ncomponent = \"{}\"\nhandles = {{ producers = \"producer\" }}\n",
        path("producer"),
        path("consumer")
    );
    let consumes = "[tests.consumes]\nwaits-for = [\"consumer\"]\n\
                    expect = { output = [\"consumer/0 │ step 9: [90, 91]\"] }\n";
    write(&search, &program, &format!("{consumes}{FIVE_CALLS}"));
    let program = format!(
        "name = \"sleeping\"\n[nodes.sleeper]\ncomponent = \"{}\"\nreplicas = 10\n\
         handles = {{ probe = \"sleeper\" }}\nargs = [\"sleep:3600000\"]\n",
        path("probe")
    );
    let minutes = vec!["\"sleep:60000\""; 60].join(", ");
    write(&sleeping, &program, &SLEEPING.replace("MINUTES", &minutes));

    let mut table = Table::new();
    table.set_header(["figure", "time", "beside a plain run", "bound", "kept"]);
    let plain = median((0..ROUNDS).map(|_| lp_host(&search, &["run", "program.toml"])).collect());
    let test = |dir: &Path, words: &[&str]| {
        let words = [&["test", "program.toml", "--name"], words].concat();
        median((0..ROUNDS).map(|_| lp_host(dir, &words)).collect())
    };
    let mut row = |name: &str, time: Duration, beside: bool, bound: &str, kept: bool| {
        let ratio = if beside { format!("{:.2}", time.as_secs_f64() / plain.as_secs_f64()) } else { String::new() };
        let kept = if kept { "yes" } else { "no" };
        table.add_row([name, &format!("{:.3} s", time.as_secs_f64()), &ratio, bound, kept]);
    };
    row("plain run of consumer-producers", plain, true, "", true);
    let seeds = SEEDS.to_string();
    let time = lp_host(&search, &["test", "program.toml", "--name", "consumes", "--seeds", &seeds]);
    row("1,000 runs of it by seed", time, false, "≤ 15 s on 2 cores", time <= SEARCH_MAX);
    let time = test(&search, &["calls"]);
    let kept = time.as_secs_f64() <= TEST_MAX * plain.as_secs_f64();
    row("a test of five calls of it", time, true, "≤ 1.5", kept);
    let time = test(&sleeping, &["hour"]);
    row("an hour of ten sleeping nodes", time, false, "≤ 0.5 s", time <= HOUR_MAX);
    let time = test(&sleeping, &["minutes"]);
    row("the same in pieces of a minute", time, false, "≤ 0.5 s", time <= HOUR_MAX);
    println!("{table}");
}

fn write(dir: &Path, program: &str, tests: &str) {
    std::fs::write(dir.join("program.toml"), program).expect("it can be written");
    std::fs::write(dir.join("program.test.toml"), tests).expect("it can be written");
}

/// How long `lp-host` takes with these words, from its start to its end.
fn lp_host(dir: &Path, words: &[&str]) -> Duration {
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lp-host"));
        command.args(words).current_dir(dir).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env("LP_HOST_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"));
        let started = Instant::now();
        let output = command.output().expect("cargo has built lp-host");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {}: {stderr}", output.status);
        started.elapsed()
    };
    // The first fills the compile cache.
    if words[0] == "run" {
        run();
    }
    run()
}
