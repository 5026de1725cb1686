//! A node whose `run` is a script of its arguments and whose methods misbehave on request.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lp_guest::{CallError, join_all, program};
use test::probe::{probe, probe_handles};
use wasi::clocks::monotonic_clock::wait_for;

lp_guest::node!({ world: "probe-node", node: Probe });

static CALLS: AtomicU64 = AtomicU64::new(0);
static LIFE: LazyLock<u64> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
    u64::try_from(since.as_nanos()).expect("it is earlier than 2554")
});

struct Probe;

impl ProbeGuest for Probe {
    async fn echo(data: Vec<u8>) -> Vec<u8> {
        CALLS.fetch_add(1, Ordering::Relaxed);
        data
    }

    async fn count() -> u64 {
        CALLS.load(Ordering::Relaxed)
    }

    async fn trap(message: String) {
        panic!("{message}");
    }

    async fn spin(ms: u64) {
        spin(ms);
    }

    async fn sleep(ms: u64) {
        sleep(ms).await;
    }

    async fn relay(hops: u32) -> u32 {
        match hops {
            0 => 0,
            hops => 1 + probe::relay(hops - 1).await,
        }
    }

    async fn check(ms: u64) -> Result<u64, CallError> {
        sleep(ms).await;
        Ok(ms)
    }

    async fn life() -> u64 {
        *LIFE
    }
}

impl RunGuest for Probe {
    async fn run() -> Result<(), ()> {
        for step in std::env::args().skip(1) {
            let (verb, argument) = step.split_once(':').unwrap_or((&step, ""));
            run_step(verb, argument).await?;
        }
        Ok(())
    }
}

async fn run_step(verb: &str, argument: &str) -> Result<(), ()> {
    let number = || argument.parse().expect("the argument of this step is a number");
    match verb {
        "print" => println!("{argument}"),
        "eprint" => eprintln!("{argument}"),
        "partial" => print!("{argument}"),
        "who" => println!(
            "{} {} {}/{} {}",
            program::program_name(),
            program::node_name(),
            program::replica_index(),
            program::replica_count(),
            program::launch_type()
        ),
        "fail" => return Err(()),
        "exit" => std::process::exit(number() as i32),
        "trap" => panic!("{argument}"),
        "trap-once" => trap_once(argument),
        "create" => drop(std::fs::File::create_new(argument).expect("the file can be made, and is not there")),
        "spin" => spin(number()),
        "sleep" => sleep(number()).await,
        "allocate" => println!("{}", std::hint::black_box(vec![1u8; number() as usize]).len()),
        "random" => println!("random {:016x}", RandomState::new().hash_one(())),
        "time" => println!("{:?}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)),
        "stop" => program::stop(),
        "wait-for-stop" => {
            program::wait_for_stop().await;
            println!("stopping, {}", program::stop_requested());
        }
        "plain-echo" => println!("{}", probe::echo(vec![7; number() as usize]).await.len()),
        "plain-trap" => probe::trap("on request".to_owned()).await,
        "plain-relay" => println!("{}", probe::relay(number() as u32).await),
        "plain-check" => println!("{:?}", probe::check(number()).await),
        "relay-many" => {
            let probe = &all()[0];
            let relayed = join_all((0..number()).map(|_| probe.relay(3))).await;
            let answered = relayed.iter().filter(|result| matches!(result, Ok(3))).count();
            println!("{answered} {:?}", relayed.iter().find_map(|result| result.as_ref().err()));
        }
        "echo-many" => {
            let probe = &all()[0];
            let echoed = join_all((0..number()).map(|_| probe.echo(vec![7; 8 << 20]))).await;
            println!("{}", echoed.iter().filter(|result| matches!(result, Ok(data) if data.len() == 8 << 20)).count());
        }
        "relay" => println!("{:?}", all()[0].relay(number() as u32).await),
        "sleep-all" => {
            let start = Instant::now();
            let slept = join_all(all().iter().map(|probe| probe.sleep(number()))).await;
            println!("{slept:?} {}", start.elapsed().as_millis());
        }
        "sleep-many" => {
            let probe = &all()[0];
            let slept = join_all((0..number()).map(|_| probe.sleep(10))).await;
            println!("{}", slept.iter().filter(|result| result.is_ok()).count());
        }
        "sleep-many-long" => {
            let probe = &all()[0];
            let slept = join_all((0..number()).map(|_| probe.sleep(1500))).await;
            println!("{}", slept.iter().filter(|result| result.is_ok()).count());
        }
        "trap-first" => println!("{:?}", all()[0].trap("on request".to_owned()).await),
        "echo-last" => println!("{:?}", all().last().expect("there is one").echo(vec![7]).await),
        "echo-each" => {
            for probe in all() {
                println!("{:?}", probe.echo(vec![7; number() as usize]).await.map(|data| data.len()));
            }
        }
        "wait-for" => {
            while !std::fs::exists(argument).expect("the directory is granted") {
                sleep(5).await;
            }
        }
        "read" => println!("{:?}", std::fs::read_to_string(argument).map_err(|error| error.kind())),
        "load" => println!("{}", load(argument).await),
        "watch" => println!("{}", watch(number() as usize).await),
        "crash" => println!("{:?}", crash(number()).await),
        "storm" => println!("{}", storm(number()).await),
        "get" => println!("{}", probe_handles::get(argument).is_some()),
        verb => panic!("`{verb}` is no step"),
    }
    Ok(())
}

fn all() -> Vec<probe_handles::Probe> {
    probe_handles::all("")
}

/// Calls everyone at once, again and again, with blocks of all sizes, and counts the right answers.
async fn storm(rounds: u64) -> usize {
    let everyone = all();
    let mut answered = 0;
    for round in 0..rounds {
        let size = (round * round * 37 % 5000) as usize;
        let calls = join_all(everyone.iter().map(|probe| probe.echo(vec![round as u8; size]))).await;
        answered +=
            calls.into_iter().filter(|call| matches!(call, Ok(data) if *data == vec![round as u8; size])).count();
    }
    answered
}

/// Has the last callee trap again and again amid other calls. Counts the calls that came to an answer or failed in the
/// callee, and gives what came of the others.
async fn crash(rounds: u64) -> (usize, Vec<CallError>) {
    let callee = all().pop().expect("there is one");
    let call = async |number: u64| match number % 8 {
        4 => callee.trap("on request".to_owned()).await,
        _ => callee.echo(vec![number as u8]).await.map(|data| assert_eq!(data, [number as u8])),
    };
    let (mut counted, mut others) = (0, Vec::new());
    for _ in 0..rounds {
        for result in join_all((0..16).map(&call)).await {
            match result {
                Ok(()) | Err(CallError::Failed(_)) => counted += 1,
                Err(error) => others.push(error),
            }
        }
    }
    (counted, others)
}

/// What a callee under load said.
#[derive(Debug)]
enum Answer {
    Echo { is_right: bool },
    Life(u64),
}

/// Calls the last callee over and over, sixteen calls at once, until the file is there. Counts those that came to the
/// right answer and those that failed in the callee, and gives what came of the others. An answer is wrong too if a later life of
/// the callee had answered before the call was made.
async fn load(file: &str) -> String {
    let callee = all().pop().expect("there is one");
    let call = async |round: u8, number: u8| match number % 4 {
        0 => callee.life().await.map(Answer::Life),
        _ => {
            let data = vec![round.wrapping_mul(16).wrapping_add(number); 100];
            let echoed = callee.echo(data.clone()).await;
            echoed.map(|echo| Answer::Echo { is_right: echo == data })
        }
    };
    let (mut right, mut failed, mut others, mut latest) = (0_u64, 0_u64, Vec::new(), 0);
    for round in (0..=u8::MAX).cycle() {
        let before = latest;
        for answer in join_all((0..16).map(|number| call(round, number))).await {
            match answer {
                Ok(Answer::Echo { is_right: true }) => right += 1,
                Ok(Answer::Life(life)) if life >= before => {
                    right += 1;
                    latest = latest.max(life);
                }
                Err(CallError::Failed(_)) => failed += 1,
                other => others.push(other),
            }
        }
        if std::fs::exists(file).expect("the directory is granted") {
            break;
        }
    }
    format!("every call was answered: {right} rightly, {failed} by their callee's death, others: {others:?}")
}

/// Calls the node of its plain import over and over until the program stops, and `after` times more. Gives the time, in
/// microseconds, within which nine of ten answers came: a machine that stands still for a moment holds up one of them, a
/// neighbour that does not let go of its thread holds up many.
async fn watch(after: usize) -> u128 {
    let mut times = Vec::new();
    let mut left = after;
    while left > 0 {
        if program::stop_requested() {
            left -= 1;
        }
        let start = Instant::now();
        probe::echo(vec![7]).await;
        times.push(start.elapsed().as_micros());
        sleep(1).await;
    }
    times.sort_unstable();
    times[times.len() * 9 / 10]
}

/// Panics, unless it has left the file behind that says that it has done so before.
fn trap_once(file: &str) {
    if std::fs::File::create_new(file).is_ok() {
        panic!("for the first time");
    }
    println!("not again");
}

/// Keeps its thread busy; for ever if `ms` is 0.
fn spin(ms: u64) {
    let start = Instant::now();
    while ms == 0 || start.elapsed() < Duration::from_millis(ms) {
        std::hint::spin_loop();
    }
}

async fn sleep(ms: u64) {
    wait_for(ms * 1_000_000).await;
}
