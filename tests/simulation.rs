//! Whole programs in simulated time: they end at once, and their seed decides on everything that is left to chance.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lp_host::plan::LaunchType;
use lp_host::program::Linked;
use lp_host::replica::LineSource;
use lp_host::runtime::CompileCache;
use lp_host::scheduler::{Scheduler, SimulationError, simulate};
use lp_host::supervise::{Note, Outcome, RunReport};
use lp_host::{RunError, RunOptions, lower, run};

use crate::run::Program;

const HOUR: Duration = Duration::from_secs(3600);

/// What a run showed, in order: lines of output, and what the host reported.
type Shown = Vec<String>;

type Simulated = Result<Result<RunReport, RunError>, SimulationError>;

fn simulated(program: &Program, launch_type: LaunchType, seed: u64) -> (Simulated, Shown) {
    let (plan, components) = lower(&Linked::load(&program.path(), &[]).expect("a valid program"), launch_type);
    let cache = CompileCache::open(&program.dir.path().join("cache"), &Scheduler::default()).expect("it can be made");
    let shown = Arc::new(Mutex::new(Shown::new()));
    let (lines, notes) = (shown.clone(), shown.clone());
    let show = |shown: &Mutex<Shown>, text: String| shown.lock().expect("nothing panics with it").push(text);
    let line = move |label: &str, _: LineSource, line: &[u8]| {
        show(&lines, format!("{label} │ {}", String::from_utf8_lossy(line)));
    };
    let note = move |note: &Note| match note {
        Note::Failed { replica, .. } => show(&notes, format!("{replica} failed")),
        Note::Restarting { replica, after, .. } => show(&notes, format!("{replica} restarts in {after:?}")),
        Note::Killing { replicas } => show(&notes, format!("killing {}", replicas.join(" "))),
        _ => {}
    };
    let simulated = simulate(seed, |scheduler| {
        let options = RunOptions {
            components,
            outputs: Arc::new(line),
            notes: Box::new(note),
            cache: Some(cache),
            scheduler,
            ..RunOptions::default()
        };
        run(plan, options)
    });
    let shown = std::mem::take(&mut *shown.lock().expect("nothing panics with it"));
    (simulated, shown)
}

#[track_caller]
fn finished(program: &Program, seed: u64) -> (RunReport, Shown) {
    let (report, shown) = simulated(program, LaunchType::Threads, seed);
    let report = report.expect("it comes to an end").expect("it is launched");
    assert_eq!(report.outcome, Outcome::Finished, "{shown:#?}");
    (report, shown)
}

#[test]
fn hours_of_sleep_backoff_and_deadlines_pass_at_once_and_in_order() {
    let program = Program::new(
        "[nodes.sleeper]\nASYNC\nhandles = { probe = 'sleeper' }\nargs = ['sleep:3600000', 'print:an hour']\n\
         [nodes.plain]\nPLAIN\nhandles = { probe = 'plain' }\nargs = ['sleep:600000', 'print:ten minutes']\n\
         [nodes.failing]\nASYNC\nhandles = { probe = 'failing' }\nargs = ['trap-once:/data/mark']\n\
         restart = { policy = 'on-failure', backoff = '50m', backoff-max = '50m' }\n\
         sandbox = { dirs = [{ host = 'data', guest = '/data', access = 'read-write' }] }\n\
         [nodes.caller]\nASYNC\nhandles = { probe = { node = 'caller', timeout = '20m' } }\n\
         args = ['plain-check:7200000']\n",
    );
    std::fs::create_dir(program.dir.path().join("data")).expect("it can be made");
    let (report, shown) = finished(&program, 7);
    let shown: Vec<_> = shown.iter().filter(|line| !line.contains("panicked") && !line.contains("mark")).collect();
    let order =
        ["failing/0 failed", "failing/0 restarts in ", "plain/0 │ ten minutes", "caller/0 │ Err(DeadlineExceeded)"];
    let order = [&order[..], &["failing/0 │ not again", "sleeper/0 │ an hour"]].concat();
    let places: Vec<_> = order.iter().map(|start| shown.iter().position(|line| line.starts_with(start))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {shown:#?}");
    // The call that took too long goes on for nobody. It has the grace period once every `run` has ended. Readings of clocks
    // take a microsecond each.
    let grace = Duration::from_secs(5);
    assert!((HOUR + grace..HOUR + grace + Duration::from_secs(1)).contains(&report.elapsed), "{:?}", report.elapsed);
}

#[test]
fn a_guest_that_does_not_stop_has_the_grace_period_of_simulated_time() {
    let program = Program::new(
        "grace = '3h'\n[nodes.stubborn]\nASYNC\nhandles = { probe = 'stubborn' }\nargs = ['sleep:360000000000']\n\
         [nodes.stopper]\nPLAIN\nhandles = { probe = 'stopper' }\nargs = ['sleep:3600000', 'stop']\n",
    );
    let (report, shown) = finished(&program, 7);
    assert_eq!(shown, ["killing stubborn/0"]);
    assert!((4 * HOUR..4 * HOUR + Duration::from_secs(1)).contains(&report.elapsed), "{:?}", report.elapsed);
}

#[test]
fn a_guest_that_waits_by_reading_its_clock_lets_time_pass() {
    let program = Program::new(
        "[nodes.spinning]\nPLAIN\nhandles = { probe = 'spinning' }\nargs = ['spin:100', 'print:spun']\n\
         [nodes.sleeping]\nPLAIN\nhandles = { probe = 'sleeping' }\nargs = ['sleep:20', 'print:slept']\n",
    );
    let (_, shown) = finished(&program, 7);
    assert_eq!(shown, ["sleeping/0 │ slept", "spinning/0 │ spun"]);
}

#[test]
fn the_seed_decides_on_random_numbers_time_and_order() {
    let program = Program::new(
        "[nodes.a]\nASYNC\nreplicas = 4\nhandles = { probe = 'b' }\n\
         args = ['random', 'plain-echo:3', 'time', 'plain-check:5', 'time', 'print:end']\n\
         [nodes.b]\nASYNC\nreplicas = 2\nhandles = { probe = 'b' }\nrun = false\n\
         [nodes.c]\nPLAIN\nreplicas = 3\nhandles = { probe = 'd' }\nargs = ['sleep:5', 'plain-echo:2', 'print:end']\n\
         [nodes.d]\nPLAIN\nhandles = { probe = 'd' }\nrun = false\n",
    );
    let runs: Vec<_> = (1..=10).map(|seed| finished(&program, seed)).collect();
    for (seed, (report, shown)) in (1..).zip(&runs) {
        for _ in 0..3 {
            let (again, shown_again) = finished(&program, seed);
            assert_eq!((&shown_again, again.elapsed), (shown, report.elapsed), "seed {seed}");
        }
    }
    let numbers: std::collections::BTreeSet<_> =
        runs.iter().flat_map(|(_, shown)| shown.iter().filter(|line| line.contains("random "))).collect();
    assert_eq!(numbers.len(), 10 * 4, "each replica of each run has a number of its own: {numbers:#?}");
    let ends = |shown: &Shown| shown.iter().filter(|line| line.ends_with(" end")).cloned().collect::<Vec<_>>();
    let orders: std::collections::BTreeSet<_> = runs.iter().map(|(_, shown)| ends(shown)).collect();
    assert!(orders.len() > 5, "seven replicas end in thousands of orders: {orders:#?}");
}

#[test]
fn what_can_not_be_simulated_is_refused_with_the_reason() {
    let server = Program::new("[nodes.server]\nASYNC\nhandles = { probe = 'server' }\nrun = false\n");
    let (stalled, _) = simulated(&server, LaunchType::Threads, 1);
    assert!(matches!(stalled, Err(SimulationError::Stalled)), "{stalled:?}");
    let (refused, _) = simulated(&server, LaunchType::Processes, 1);
    let refused = refused.expect("it comes to an end").expect_err("there is no second process in a simulation");
    assert_eq!(refused.to_string(), "only launch type `threads` can be simulated");
}
