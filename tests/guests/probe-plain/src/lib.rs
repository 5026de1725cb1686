//! A node whose `run` is a script of its arguments and whose methods misbehave on request, all without `async`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lp_guest::{CallError, program};
use test::probe_plain::{probe, probe_handles};

lp_guest::node!({ world: "probe-node", node: Probe, handles: "sync" });

static CALLS: AtomicU64 = AtomicU64::new(0);

struct Probe;

impl ProbeGuest for Probe {
    fn echo(data: Vec<u8>) -> Vec<u8> {
        CALLS.fetch_add(1, Ordering::Relaxed);
        data
    }

    fn count() -> u64 {
        CALLS.load(Ordering::Relaxed)
    }

    fn trap(message: String) {
        panic!("{message}");
    }

    fn spin(ms: u64) {
        spin(ms);
    }

    fn sleep(ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }

    fn relay(hops: u32) -> u32 {
        match hops {
            0 => 0,
            hops => 1 + probe::relay(hops - 1),
        }
    }

    fn check(ms: u64) -> Result<u64, CallError> {
        std::thread::sleep(Duration::from_millis(ms));
        Ok(ms)
    }
}

impl RunGuest for Probe {
    fn run() -> Result<(), ()> {
        for step in std::env::args().skip(1) {
            let (verb, argument) = step.split_once(':').unwrap_or((&step, ""));
            run_step(verb, argument)?;
        }
        Ok(())
    }
}

fn run_step(verb: &str, argument: &str) -> Result<(), ()> {
    let number = || argument.parse().expect("the argument of this step is a number");
    match verb {
        "print" => println!("{argument}"),
        "fail" => return Err(()),
        "exit" => std::process::exit(number() as i32),
        "trap" => panic!("{argument}"),
        "trap-first" => println!("{:?}", probe_handles::all("")[0].trap("on request")),
        "spin" => spin(number()),
        "sleep" => std::thread::sleep(Duration::from_millis(number())),
        "stop" => program::stop(),
        "wait-for-stop" => {
            while !program::stop_requested() {
                std::thread::sleep(Duration::from_millis(5));
            }
            println!("stopping, {}", program::stop_requested());
        }
        "plain-echo" => println!("{}", probe::echo(&vec![7; number() as usize]).len()),
        "plain-trap" => probe::trap("on request"),
        "plain-relay" => println!("{}", probe::relay(number() as u32)),
        "plain-check" => println!("{:?}", probe::check(number())),
        "relay" => println!("{:?}", probe_handles::all("")[0].relay(number() as u32)),
        "echo-each" => {
            for probe in probe_handles::all("") {
                println!("{:?}", probe.echo(&vec![7; number() as usize]).map(|data| data.len()));
            }
        }
        verb => panic!("`{verb}` is no step"),
    }
    Ok(())
}

/// Keeps its thread busy; for ever if `ms` is 0.
fn spin(ms: u64) {
    let start = Instant::now();
    while ms == 0 || start.elapsed() < Duration::from_millis(ms) {
        std::hint::spin_loop();
    }
}
